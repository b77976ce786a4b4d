import { join } from "node:path";

/** Where an installed hub lies; docs/design/hub-install.md. */
export const PLACES = {
  user: "diemcau-hub",
  unit: "diemcau-hub.service",
  timer: "diemcau-hub-backup.timer",
  settle: "diemcau-hub-settle.service",
  /** `versions/<version>/`, and links to two of them. */
  code: "/opt/diemcau-hub",
  versions: "/opt/diemcau-hub/versions",
  current: "/opt/diemcau-hub/current",
  previous: "/opt/diemcau-hub/previous",
  /** There while an upgrade has not proved itself: the next start of the machine looks after it. */
  upgrade: "/opt/diemcau-hub/upgrade.json",
  configDirectory: "/etc/diemcau-hub",
  config: "/etc/diemcau-hub/hub.json",
  data: "/var/lib/diemcau-hub",
  /** Proof that the data directory is this hub's, and not the empty folder under a disk that is not mounted. */
  installation: "/var/lib/diemcau-hub/installation.json",
  command: "/usr/local/sbin/diemcau-hub",
  dropIns: ["/etc/systemd/system/diemcau-hub.service.d", "/etc/systemd/system/diemcau-hub-backup.service.d"],
} as const;

export const versionDirectory = (version: string): string => join(PLACES.versions, version);

/** Folders outside of the data directory that hub and backup write to, as systemd's drop-ins for both. Pure. */
export function dropIn(directories: readonly string[]): string {
  const wanted = directories.filter((path) => path.startsWith("/") && !path.startsWith(`${PLACES.data}/`));
  // Without its disk the folder is missing, and the hub must start all the same.
  return ["[Service]", ...wanted.map((path) => `ReadWritePaths=-${path}`), ""].join("\n");
}

/** Versions to remove after an upgrade: all but the two in force and the newest of the others. Pure. */
export function versionsToDrop(
  versions: readonly { name: string; changedMs: number }[],
  inForce: readonly (string | undefined)[],
): string[] {
  return versions
    .filter(({ name }) => !inForce.includes(name))
    .sort((a, b) => b.changedMs - a.changedMs)
    .slice(1)
    .map(({ name }) => name);
}
