import { readdir, statfs, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BoxId } from "../../protocol/protocol.ts";
import type { Clock, Log } from "../../platform/platform.ts";

export interface RoomLimits {
  /** Left free on the hub's disk; null: 5 % of it, at most 20 GB. */
  keepFreeBytes: number | null;
  /** What one box may have in its inbox: sent, and not verified yet. */
  inboxBytesPerBox: number;
}

/** How much room the hub's disk has for recordings. */
export interface HubRoom {
  /** `low`: less than twice of what is kept free; `full`: no box may send files. */
  state: "ok" | "low" | "full";
  freeBytes: number;
  keepFreeBytes: number;
}

export type Admission =
  | { ok: true }
  /** `words` are for the box's log. */
  | { ok: false; reason: "hubFull" | "inboxFull"; words: string };

const LOW_FACTOR = 2;

export function judgeHubRoom(freeBytes: number, totalBytes: number, limits: RoomLimits): HubRoom {
  const keepFreeBytes = limits.keepFreeBytes ?? Math.min(20e9, totalBytes * 0.05);
  const state = freeBytes <= keepFreeBytes ? "full" : freeBytes <= keepFreeBytes * LOW_FACTOR ? "low" : "ok";
  return { state, freeBytes, keepFreeBytes };
}

/** Whether a box may send now. It keeps everything and comes again, so a refusal costs time and nothing else. */
export function judgeAdmission(room: HubRoom, inboxBytes: number, limits: RoomLimits): Admission {
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  if (room.state === "full")
    return {
      ok: false,
      reason: "hubFull",
      words: `the hub's disk is full (${megabytes(room.freeBytes)} free, ${megabytes(room.keepFreeBytes)} are kept)`,
    };
  if (inboxBytes > limits.inboxBytesPerBox)
    return {
      ok: false,
      reason: "inboxFull",
      words: `${megabytes(inboxBytes)} of this box wait for their records, ${megabytes(limits.inboxBytesPerBox)} may`,
    };
  return { ok: true };
}

export interface RoomWatch {
  /** As it was last looked at. */
  room(): HubRoom;
  admit(box: BoxId): Promise<Admission>;
  /** Looks every few seconds. */
  run(signal: AbortSignal): Promise<void>;
}

const LOOK_MS = 5_000;

/** Looks at the hub's disk (inbox and archive are on one file system); each change of state is one line in the log. */
export function watchRoom(options: {
  log: Log;
  clock: Clock;
  inbox: string;
  limits: RoomLimits;
  onChange: () => void;
}): RoomWatch {
  const { log, clock, inbox, limits, onChange } = options;
  let seen: HubRoom = { state: "ok", freeBytes: 0, keepFreeBytes: 0 };
  const look = async (): Promise<HubRoom> => {
    const { bavail, bsize, blocks } = await statfs(inbox);
    const now = judgeHubRoom(bavail * bsize, blocks * bsize, limits);
    const before = seen.state;
    seen = now;
    if (now.state !== before) {
      const level = now.state === "full" ? "error" : now.state === "low" ? "warn" : "info";
      log[level]("archive.room", { ...now });
      onChange();
    }
    return now;
  };
  return {
    room: () => seen,
    async admit(box) {
      return judgeAdmission(await look(), await bytesBelow(join(inbox, box)), limits);
    },
    async run(signal) {
      while (!signal.aborted) {
        await look();
        await clock.sleep(LOOK_MS, signal).catch(() => {});
      }
    },
  };
}

/** Files are moved out as soon as they are whole: there are few. */
async function bytesBelow(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
