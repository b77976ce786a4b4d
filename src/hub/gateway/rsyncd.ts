import { PARTIAL_DIRECTORY, type BoxId } from "../../protocol/protocol.ts";

/** The module that a box writes its recordings into. */
export const INBOX_MODULE = "inbox";
/** Set from the client certificate; rsyncd.conf reads it as `%…%`. */
export const BOX_VARIABLE = "DIEMCAU_BOX";

const ID_BODY = "[a-z2-7]".repeat(16);
const SESSION = `/session-${ID_BODY}`;
const TAKE = `${SESSION}/take-${ID_BODY}`;

/** Options that only say how a file is sent; all others (delete, append, links, compare-dest …) are refused. */
const ALLOWED_OPTIONS = (
  "recursive relative dirs implied-dirs times omit-dir-times partial partial-dir whole-file fsync compress* " +
  "bwlimit timeout size-only ignore-times ignore-existing verbose stats log-format"
).split(" ");

const FILTERS = [
  `+ ${SESSION}/`,
  `+ ${TAKE}/`,
  `+ ${TAKE}/${"[0-9]".repeat(6)}.ts`,
  `+ ${TAKE}/${PARTIAL_DIRECTORY}/`,
  `+ ${TAKE}/${PARTIAL_DIRECTORY}/${"[0-9]".repeat(6)}.ts`,
  "- *",
];

/**
 * rsyncd.conf(5), the same for every box and connection. The box's directory comes from the environment, and so from
 * its certificate; names other than those of segments are refused by the filter.
 */
export const rsyncdConf = (inboxDirectory: string, user: { uid: number; gid: number }, idleS: number): string =>
  [
    "# Written by the hub at each start.",
    "use chroot = no",
    "numeric ids = yes",
    "reverse lookup = no",
    // What a client is told is read from the connection, so that its reason reaches the hub's own log.
    "log file = /dev/null",
    "max verbosity = 1",
    `timeout = ${idleS}`,
    // As root, rsync would become nobody otherwise; anybody else may not set groups, and rsync would refuse everything.
    ...(user.uid === 0 ? [`uid = ${user.uid}`, `gid = ${user.gid}`] : []),
    `[${INBOX_MODULE}]`,
    `  path = ${inboxDirectory}/%${BOX_VARIABLE}%`,
    "  read only = no",
    "  write only = yes",
    "  list = no",
    "  munge symlinks = yes",
    "  incoming chmod = D0700,F0600",
    `  filter = ${FILTERS.join(" ")}`,
    `  refuse options = * ${ALLOWED_OPTIONS.map((option) => `!${option}`).join(" ")}`,
    "",
  ].join("\n");

export const inboxPath = (inboxDirectory: string, box: BoxId): string => `${inboxDirectory}/${box}`;

export type RsyncRefusal = "read" | "module" | "option" | "name" | "protocol";
export type RsyncEnding =
  | { kind: "done" }
  | { kind: "refused"; reason: RsyncRefusal; words: string }
  /** The line went, or the disk is full: the box comes again. */
  | { kind: "interrupted"; words: string };

/** rsync's own words in what it sent to the client; the frames' binary headers fall away. */
const WORDS = /(?:@ERROR|ERROR|rsync|Your options)[ -~]*/g;
const REASONS: [RegExp, RsyncRefusal][] = [
  [/write only/, "read"],
  [/Unknown module/, "module"],
  [/configured to refuse|options have been rejected/, "option"],
  [/refused to receive|daemon has excluded/, "name"],
  [/protocol startup error|protocol version mismatch|error in rsync protocol|syntax or usage error/, "protocol"],
];

/** For words that were lost with the line: exit codes of rsync(1). */
const CODES: Partial<Record<number, RsyncRefusal>> = { 3: "name", 4: "option" };

/**
 * What became of a connection.
 * @param tail the last bytes that rsync sent to its client, where it explains itself
 */
export function readEnding(code: number | null, tail: Uint8Array): RsyncEnding {
  const words = (Buffer.from(tail).toString("latin1").match(WORDS) ?? []).join("; ").slice(0, 400);
  const reason = REASONS.find(([pattern]) => pattern.test(words))?.[1] ?? (code === null ? undefined : CODES[code]);
  // A refused name is only a partial transfer to rsync (code 23), and a listing no transfer at all.
  if (reason) return { kind: "refused", reason, words };
  if (code === 0) return { kind: "done" };
  return { kind: "interrupted", words: words || `ended with ${code ?? "a signal"}` };
}
