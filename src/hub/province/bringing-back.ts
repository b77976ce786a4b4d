import { join } from "node:path";
import { rm } from "node:fs/promises";
import { hashRegularFile, isoUtc, makeDirectory, type Clock, type Log } from "../../platform/platform.ts";
import { pathOfPiece, type LostPiece, type LostRecording } from "../archive/archive.ts";
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
  missingPieces: () => Promise<readonly LostPiece[]>;
  onPieceFetched: (piece: LostPiece, path: string) => Promise<void>;
}

/** A file that the province has, or may have. */
interface Wanted {
  /** Relative to the archive. */
  file: string;
  sha256: string;
  sizeBytes: number;
  /** False: nothing says that the province has it. */
  known: boolean;
  onFetched: (path: string) => Promise<void>;
  /** It is known and not there, or it is something else. */
  onDamaged: () => Promise<void>;
}

const BATCH_FILES = 100;
/** What was brought back is being taken in, and what could not be is not asked for in each round. */
const AGAIN_MS = 10 * 60_000;
/**
 * What has not come for so long may be at the province all the same, copied after the hub's last backup, and its box gone
 * or done with it. Mostly its box is switched off: it is asked for as seldom.
 */
const UNKNOWN_MS = 24 * 3_600_000;

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
  /** When a file may be asked for again. */
  const asked = new Map<string, number>();

  const segments = async (): Promise<Wanted[]> => {
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
        "provinceState",
      ])
      .where("hubState", "=", "waiting")
      .where((eb) =>
        eb.or([eb("provinceState", "=", "verified"), eb("startedAt", "<", isoUtc(clock.wallMs() - UNKNOWN_MS))]),
      )
      // Those that the province has come first.
      .orderBy("provinceState")
      .limit(BATCH_FILES + asked.size)
      .execute();
    return rows.map(({ box, session, point, take, seq, sha256, sizeBytes, provinceState }) => ({
      ...{ file: filesOfSegment({ session, point, take, seq }).media, sha256, sizeBytes },
      known: provinceState === "verified",
      onFetched: (path) => options.onFetched({ box, name: { session, take, seq } }, path),
      onDamaged: () => takeBackCopy(db, { session, take, seq }),
    }));
  };

  /** Whether a bag has reached the province a backup may not know yet: each that is missing is asked for. */
  const pieces = async (): Promise<Wanted[]> =>
    (await options.missingPieces()).map((piece) => ({
      ...{ file: pathOfPiece(piece.session, piece.point, piece.n), sha256: piece.sha256, sizeBytes: piece.sizeBytes },
      known: true,
      onFetched: (path) => options.onPieceFetched(piece, path),
      onDamaged: async () => {},
    }));

  return {
    /** Whether there was anything to bring back. Throws where the province cannot be reached. */
    async batch(signal: AbortSignal): Promise<boolean> {
      if (!options.hasRoom()) return false;
      const nowMs = clock.monotonicMs();
      for (const [file, atMs] of asked) if (atMs <= nowMs) asked.delete(file);
      const wanted = [...(await pieces()), ...(await segments())].filter(({ file }) => !asked.has(file));
      const batch = wanted.slice(0, BATCH_FILES);
      if (batch.length === 0) return false;
      await rm(folder, { recursive: true, force: true });
      await makeDirectory(folder);
      await options.fetch(
        batch.map(({ file }) => file),
        folder,
        signal,
      );
      for (const { file, sha256, sizeBytes, known, onFetched, onDamaged } of batch) {
        signal.throwIfAborted();
        const content = await hashRegularFile(join(folder, file));
        asked.set(file, clock.monotonicMs() + (content || known ? AGAIN_MS : UNKNOWN_MS));
        if (!content && !known) continue;
        if (content?.sha256 === sha256 && content.sizeBytes === sizeBytes) {
          await onFetched(join(folder, file));
          log.warn("province.broughtBack", { file });
          continue;
        }
        log.error("province.copyDamaged", { file, recordedSha256: sha256, sha256: content?.sha256 });
        await onDamaged();
      }
      await rm(folder, { recursive: true, force: true });
      return true;
    },
  };
}
