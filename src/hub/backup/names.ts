/** Names of backup files; pure. The time in them sorts as text. */

const NAME = /^diemcau-hub-\d{8}T\d{6}Z\.tar(?:\.enc)?$/;

/** @param createdAt ISO 8601, UTC */
export const backupName = (createdAt: string, encrypted: boolean): string =>
  `diemcau-hub-${createdAt.replaceAll(/[-:]|\.\d+/g, "")}.tar${encrypted ? ".enc" : ""}`;

const isBackup = (name: string): boolean => NAME.test(name);

/** The oldest ones beyond the newest `keep`. */
export const namesOver = (names: readonly string[], keep: number): string[] =>
  names
    .filter(isBackup)
    .sort()
    .slice(0, -keep || undefined);
