import { join } from "node:path";
import type { BoxId, PointId, SessionId, TakeId } from "../../protocol/protocol.ts";
import {
  causeOf,
  hashRegularFile,
  isoUtc,
  isUnreadable,
  readIfExists,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";
import type { BagFile } from "./bag.ts";
import { contentsOf, loadTake } from "./bagged-take.ts";
import type { LostRecording } from "./finishing.ts";
import type { Sidecars } from "./sidecars.ts";

export interface RereadingOptions {
  db: HubDatabase;
  log: Log;
  clock: Clock;
  directories: { archive: string };
  sidecars: Sidecars;
  /** Each take is read again when this has passed since it was read, or since its session ended. */
  everyMs: number;
  /** A recording is not there as it was verified. */
  onLost: (lost: LostRecording) => Promise<void>;
}

interface DueTake {
  id: TakeId;
  sessionId: SessionId;
  boxId: BoxId;
  pointId: PointId;
}

/** Whether there is one for which disks and lines should be free. */
export const sessionRuns = async (db: HubDatabase): Promise<boolean> =>
  (await db.selectFrom("session").select("id").where("state", "in", ["live", "paused"]).limit(1).executeTakeFirst()) !==
  undefined;

/** Of the time that reading takes, so much more is rested: a quarter of a disk is everybody's, three are the others'. */
const REST = 3;

/**
 * Reads the archive again, take by take, as long as there is one: what rots on a disk is found while the box or the province
 * still has it, and not when a court asks for it.
 *
 * INVARIANTS
 * - A take counts as read when each of its files has been; what differed is on its way back by then.
 * - Nothing is read while a session runs.
 */
export function createRereading(options: RereadingOptions) {
  const { db, log, clock } = options;
  /** Their turn comes again when all others have had theirs: one that can never be read keeps none waiting. */
  const failed = new Set<TakeId>();

  const due = (): Promise<DueTake | undefined> =>
    db
      .selectFrom("take")
      .innerJoin("session", "session.id", "take.sessionId")
      .select(["take.id", "take.sessionId", "take.boxId", "take.pointId"])
      .where("session.state", "=", "ended")
      .where("take.hubSegments", ">", 0)
      .where((eb) => eb.fn.coalesce("take.rereadAt", "session.endedAt"), "<=", isoUtc(clock.wallMs() - options.everyMs))
      .orderBy((eb) => eb.fn.coalesce("take.rereadAt", "session.endedAt"))
      .where("take.id", "not in", [...failed])
      .limit(1)
      .executeTakeFirst();

  const isAsRecorded = async (path: string, sha256: string): Promise<boolean> => {
    try {
      return (await hashRegularFile(path))?.sha256 === sha256;
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      log.error("archive.unreadable", { path, cause: causeOf(error) });
      return false;
    }
  };

  const readTake = async (row: DueTake, signal: AbortSignal): Promise<void> => {
    const { sessionId: session, boxId: box, id } = row;
    const take = await loadTake(db, row);
    const contents = await contentsOf(options.sidecars, session, take);
    const bag = join(options.directories.archive, session);
    let lost = 0;
    for (const [index, { path, sha256 }] of contents.media.entries()) {
      const fromMs = clock.monotonicMs();
      if (!(await isAsRecorded(join(bag, path), sha256))) {
        lost++;
        log.error("archive.damaged", { path });
        await options.onLost({ box, name: { session, take: id, seq: take.segments[index]!.seq } });
      }
      await clock.sleep(REST * (clock.monotonicMs() - fromMs), signal);
    }
    const spoilt: BagFile[] = [];
    for (const file of contents.small)
      if (!(await readIfExists(join(bag, file.path)))?.equals(Buffer.from(file.data))) spoilt.push(file);
    await options.sidecars.ensure(session, spoilt);
    await db.transaction().execute(async (trx) => {
      await trx
        .updateTable("take")
        .set({ rereadAt: isoUtc(clock.wallMs()) })
        .where("id", "=", id)
        .execute();
      // A signature that was made anew is another one: what the bag states of it is stated again.
      if (spoilt.length > 0)
        await trx
          .updateTable("bag")
          .set((eb) => ({ additions: eb("additions", "+", 1) }))
          .where("sessionId", "=", session)
          .execute();
    });
    log.info("archive.reread", { session, take: id, segments: contents.media.length, lost, mended: spoilt.length });
  };

  return {
    /** Reads the take whose turn it is. @returns its session; undefined where no take is due, or a session runs */
    async next(signal: AbortSignal): Promise<SessionId | undefined> {
      const row = (await sessionRuns(db)) ? undefined : await due();
      if (!row) {
        failed.clear();
        return undefined;
      }
      await readTake(row, signal).catch((error: unknown) => {
        failed.add(row.id);
        throw error;
      });
      return row.sessionId;
    },
  };
}
