import { join } from "node:path";
import { rm } from "node:fs/promises";
import { hashRegularFile, makeDirectory, type Clock, type Log } from "../../platform/platform.ts";
import type { LostRecording } from "../archive/archive.ts";
import type { HubDatabase } from "../database/database.ts";
import { filesOfSegment } from "./plan.ts";
import { takeBackCopy } from "./taking-back-copy.ts";

export interface BringingBackOptions {
  db: HubDatabase;
  log: Log;
  clock: Clock;
  /** On the archive's file system; what is in it is under way, and goes. */
  folder: string;
  /** Copies files of the province's storage below `into`. What is not there is left out; all else throws. */
  fetch: (files: readonly string[], into: string, signal: AbortSignal) => Promise<void>;
  /** False while the hub's disk has no room for more recordings. */
  hasRoom: () => boolean;
  /** What was recorded, read and found equal, at a path of `folder`. */
  onFetched: (recording: LostRecording, path: string) => Promise<void>;
}

const BATCH_SEGMENTS = 20;
/** What was brought back is being taken in, and what could not be is not asked for in each round. */
const AGAIN_MS = 10 * 60_000;

/**
 * Brings recordings back that the hub has lost and the province has: after rot on the hub's disk, or on a machine that was
 * made from a backup. A box may have deleted them: two stores had signed for them.
 *
 * INVARIANTS
 * - Only what is equal to the box's record comes in, by the way of all files (inbox, staging, archive).
 * - A copy that is not there or differs counts as not copied, so that the hub's next one goes there.
 */
export function createBringingBack(options: BringingBackOptions) {
  const { db, log, clock, folder } = options;
  /** When a segment may be asked for again. */
  const asked = new Map<string, number>();

  const due = async () => {
    const nowMs = clock.monotonicMs();
    for (const [key, atMs] of asked) if (atMs <= nowMs) asked.delete(key);
    const rows = await db
      .selectFrom("segment")
      .select([
        "sessionId as session",
        "pointId as point",
        "takeId as take",
        "seq",
        "boxId as box",
        "sha256",
        "sizeBytes",
      ])
      .where("hubState", "=", "waiting")
      .where("provinceState", "=", "verified")
      .limit(BATCH_SEGMENTS + asked.size)
      .execute();
    return rows.filter(({ take, seq }) => !asked.has(`${take} ${seq}`)).slice(0, BATCH_SEGMENTS);
  };

  return {
    /** Whether there was anything to bring back. Throws where the province cannot be reached. */
    async batch(signal: AbortSignal): Promise<boolean> {
      const rows = options.hasRoom() ? await due() : [];
      if (rows.length === 0) return false;
      await rm(folder, { recursive: true, force: true });
      await makeDirectory(folder);
      await options.fetch(
        rows.map((row) => filesOfSegment(row).media),
        folder,
        signal,
      );
      for (const row of rows) {
        signal.throwIfAborted();
        const { box, session, take, seq } = row;
        const { media } = filesOfSegment(row);
        asked.set(`${take} ${seq}`, clock.monotonicMs() + AGAIN_MS);
        const content = await hashRegularFile(join(folder, media));
        if (content?.sha256 === row.sha256 && content.sizeBytes === row.sizeBytes) {
          await options.onFetched({ box, name: { session, take, seq } }, join(folder, media));
          log.warn("province.broughtBack", { file: media });
          continue;
        }
        log.error("province.copyDamaged", { file: media, recordedSha256: row.sha256, sha256: content?.sha256 });
        await takeBackCopy(db, { session, take, seq });
      }
      await rm(folder, { recursive: true, force: true });
      return true;
    },
  };
}
