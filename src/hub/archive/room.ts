import { readdir, statfs, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BoxId } from "../../protocol/protocol.ts";
import type { Log } from "../../platform/platform.ts";

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
  /** Looks anew. */
  room(): Promise<HubRoom>;
  admit(box: BoxId): Promise<Admission>;
}

/** Looks at the hub's disk (inbox and archive are on one file system) when it is asked; each change of state is one line in the log. */
export function watchRoom(options: { log: Log; inbox: string; limits: RoomLimits }): RoomWatch {
  const { log, inbox, limits } = options;
  const said: { state: HubRoom["state"] } = { state: "ok" };
  const room = async (): Promise<HubRoom> => {
    const { bavail, bsize, blocks } = await statfs(inbox);
    const now = judgeHubRoom(bavail * bsize, blocks * bsize, limits);
    if (now.state !== said.state) {
      const level = now.state === "full" ? "error" : now.state === "low" ? "warn" : "info";
      log[level]("archive.room", { ...now });
      said.state = now.state;
    }
    return now;
  };
  return {
    room,
    async admit(box) {
      return judgeAdmission(await room(), await bytesBelow(join(inbox, box)), limits);
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
