import type { PointId, SessionId, TakeId } from "../../protocol/protocol.ts";
import { isoUtc, type Clock, type Log } from "../../platform/platform.ts";
import { sessionRuns } from "../archive/archive.ts";
import type { HubDatabase } from "../database/database.ts";
import { filesOfSegment, type DueRow } from "./plan.ts";
import { takeBackCopy } from "./taking-back-copy.ts";

export interface RereadingOptions {
  db: HubDatabase;
  log: Log;
  clock: Clock;
  /** Each take is read again when this has passed since it was read, or since its session ended. */
  everyMs: number;
  /** Reads files, relative to the archive, here and at the province. Gives those that differ; throws where one cannot look. */
  compare: (files: readonly string[], signal: AbortSignal) => Promise<readonly string[]>;
  /** Those whose file at the hub is what was recorded; the others are on their way back by then. */
  intactOf: (rows: readonly DueRow[], signal: AbortSignal) => Promise<readonly DueRow[]>;
}

interface DueTake {
  session: SessionId;
  point: PointId;
  take: TakeId;
}

const BATCH_SEGMENTS = 200;

/**
 * Reads the province's copies again, take by take, while the hub or the box still has what may have rotted there.
 * What differs is copied again. Nothing is read while a session runs.
 */
export function createRereading({ db, log, clock, everyMs, compare, intactOf }: RereadingOptions) {
  /** Their turn comes again when all others have had theirs: one that can never be compared keeps none waiting. */
  const failed = new Set<TakeId>();

  const due = (): Promise<DueTake | undefined> =>
    db
      .selectFrom("take")
      .innerJoin("session", "session.id", "take.sessionId")
      .select(["take.sessionId as session", "take.pointId as point", "take.id as take"])
      .where("session.state", "=", "ended")
      .where("take.provinceSegments", ">", 0)
      .where((eb) => eb.fn.coalesce("take.provinceRereadAt", "session.endedAt"), "<=", isoUtc(clock.wallMs() - everyMs))
      .orderBy((eb) => eb.fn.coalesce("take.provinceRereadAt", "session.endedAt"))
      .where("take.id", "not in", [...failed])
      .limit(1)
      .executeTakeFirst();

  /** Segments that both have: what the hub lacks, or the province does not have yet, is others' work. */
  const segmentsOf = async ({ session, point, take }: DueTake): Promise<DueRow[]> => {
    const rows = await db
      .selectFrom("segment")
      .select(["seq", "boxId as box", "sha256", "sizeBytes"])
      .where("takeId", "=", take)
      .where("hubState", "=", "verified")
      .where("provinceState", "=", "verified")
      .orderBy("seq")
      .execute();
    return rows.map((row) => ({ session, point, take, ...row }));
  };

  const readTake = async (row: DueTake, signal: AbortSignal): Promise<void> => {
    const segments = await segmentsOf(row);
    let differing = 0;
    for (let first = 0; first < segments.length; first += BATCH_SEGMENTS) {
      const batch = segments.slice(first, first + BATCH_SEGMENTS).map((segment) => {
        const { media, small } = filesOfSegment(segment);
        return { segment, files: [media, ...small] };
      });
      const different = await compare(
        batch.flatMap(({ files }) => files),
        signal,
      );
      // A comparison tells a path at the end of its line, and not which of the two has changed: a good copy must not be
      // given up for a hub's file that has rotted.
      const suspects = batch.filter(({ files }) => different.some((line) => files.some((file) => line.endsWith(file))));
      const damaged = await intactOf(
        suspects.map(({ segment }) => segment),
        signal,
      );
      for (const segment of damaged) {
        log.error("province.copyDamaged", { file: filesOfSegment(segment).media });
        await takeBackCopy(db, segment);
      }
      differing += damaged.length;
    }
    await db
      .updateTable("take")
      .set({ provinceRereadAt: isoUtc(clock.wallMs()) })
      .where("id", "=", row.take)
      .execute();
    log.info("province.reread", { session: row.session, take: row.take, segments: segments.length, differing });
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
        failed.add(row.take);
        throw error;
      });
      return row.session;
    },
  };
}
