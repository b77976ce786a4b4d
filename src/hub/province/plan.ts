import Rsync from "rsync";
import {
  archiveSegmentFiles,
  archiveTakePath,
  BAG,
  type BoxId,
  type PointId,
  type SessionId,
  type TakeId,
} from "../../protocol/protocol.ts";

export class ProvinceError extends Error {
  override readonly name = "ProvinceError";
  readonly code: "badTarget" | "wrongStorage" | "differs" | "sourceDamaged";
  constructor(code: ProvinceError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type Target =
  /** `rsync://[user@]host[:port]/module[/path]/` */
  | { kind: "daemon"; address: string }
  /** `user@host:path/`, by ssh with keys only */
  | { kind: "ssh"; address: string }
  /** An absolute path: a mounted share or disk. */
  | { kind: "path"; address: string };

/**
 * npm `rsync` escapes for a shell and not well; we have no shell. Arguments are let in only if there is nothing to
 * escape in them, so that what it builds is what we meant.
 */
const SAFE = /^[A-Za-z0-9._/=:@-]+$/;
const DAEMON = /^rsync:\/\/([A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?\/[A-Za-z0-9][A-Za-z0-9._/-]*$/;
const SSH = /^[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[A-Za-z0-9._/][A-Za-z0-9._/-]*$/;
const PATH = /^\/[A-Za-z0-9._/@-]+$/;

/** Reads a target as configured. Throws ProvinceError "badTarget". */
export function parseTarget(text: string): Target {
  const address = `${text.replace(/\/+$/, "")}/`;
  if (DAEMON.test(address)) return { kind: "daemon", address };
  if (SSH.test(address)) return { kind: "ssh", address };
  if (PATH.test(address) && !address.split("/").includes("..")) return { kind: "path", address };
  throw new ProvinceError(
    "badTarget",
    `"${text}" is none of rsync://host/module/path, user@host:path, /path (letters, digits and . _ - @ only); ` +
      "see docs/ref/hub-config.md",
  );
}

function checked(argument: string): string {
  if (!SAFE.test(argument)) throw new ProvinceError("badTarget", `"${argument}" may not be handed to rsync`);
  return argument;
}

const STALLED_S = 60;
const CONNECT_S = 10;

/**
 * `check` compares by content at both ends and changes nothing; `createOnly` leaves what is there as it is; `fetch` goes
 * the other way, from the target.
 */
export type RsyncMode = "copy" | "createOnly" | "check" | "fetch";

/** rsync's exit code where some of the files that were named could not be had. */
export const SOME_MISSING = 23;

/**
 * argv for the files named on standard input, relative to the working directory. `--fsync` (rsync 3.2.4): what is
 * compared has been on disk.
 */
export function rsyncArgv(target: Target, mode: RsyncMode, passwordFile?: string): string[] {
  const rsync = new Rsync()
    .set("checksum")
    .set("times")
    .set("omit-dir-times")
    .set("files-from", "-")
    .set("timeout", String(STALLED_S));
  if (target.kind === "daemon") {
    rsync.set("contimeout", String(CONNECT_S)).set("no-motd");
    if (passwordFile !== undefined) rsync.set("password-file", checked(passwordFile));
  }
  if (mode === "check") rsync.set("dry-run").set("itemize-changes");
  else rsync.set("fsync").set("partial-dir", ".rsync-partial");
  if (mode === "createOnly") rsync.set("ignore-existing");
  const there = checked(target.address);
  if (mode === "fetch") rsync.source(there).destination("./");
  else rsync.source("./").destination(there);
  return ["rsync", ...rsync.args().map(checked)];
}

/**
 * What a comparison found, one path or message each. rsync itemizes a file whose content is the same, if at all, with
 * a leading dot (times or modes only); every other line is a difference.
 */
export const differencesIn = (itemized: string): string[] =>
  itemized.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("."));

export interface DueSegment {
  session: SessionId;
  point: PointId;
  take: TakeId;
  seq: number;
}

/** With what it was recorded as. */
export interface DueRow extends DueSegment {
  box: BoxId;
  sha256: string;
  sizeBytes: number;
}

/** A sealed segment and everything small beside it, relative to the archive. */
export function filesOfSegment({ session, point, take, seq }: DueSegment): { media: string; small: string[] } {
  const folder = `${session}/${archiveTakePath(point, take)}`;
  const { media, ...small } = archiveSegmentFiles(seq);
  return { media: `${folder}/${media}`, small: Object.values(small).map((name) => `${folder}/${name}`) };
}

const manifestPaths = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.slice(line.indexOf("  ") + 2));

/** What a finished bag has beyond its segments: tag files and the chains. The tag manifest is last. */
export function filesOfBag(session: SessionId, manifest: string, tagManifest: string): string[] {
  const chains = manifestPaths(manifest).filter((path) => !/\/\d{6}\.[^/]+$/.test(path));
  const tags = [...manifestPaths(tagManifest), BAG.tagManifest, BAG.tagManifestSignature];
  return [...chains, ...tags].map((path) => `${session}/${path}`);
}
