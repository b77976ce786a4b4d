import { dirname, join } from "node:path";
import {
  archiveSegmentFiles,
  archiveTakePath,
  BAG,
  type PointId,
  type SessionId,
  type TakeId,
  type Track,
  TRACKS,
} from "../../protocol/protocol.ts";
import {
  hashRegularFile,
  makeDirectory,
  moveDurable,
  readIfExists,
  removeDurable,
  runChecked,
  writeDurable,
  type Log,
} from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";
import type { ViewingNote } from "./bag.ts";
import { placeRoom } from "./placing.ts";

export interface Viewing {
  /** Finished bags whose viewing copies are not all there. */
  due(): Promise<SessionId[]>;
  /** Makes one MP4 per room and track, without re-encoding, at the lowest priority. */
  make(session: SessionId, signal: AbortSignal): Promise<void>;
}

/**
 * FFmpeg's list of what to join (concat demuxer). Within a take, time stamps run on, so its files are read as one
 * stream of bytes; from take to take they start anew, so the demuxer shifts them.
 */
export function concatList(takes: readonly (readonly string[])[]): string {
  const lines = takes.filter((files) => files.length > 0).map((files) => `file 'concat:${files.join("|")}'`);
  return ["ffconcat version 1.0", ...lines, ""].join("\n");
}

export function createViewing(options: {
  db: HubDatabase;
  log: Log;
  directories: { archive: string; viewing: string };
}): Viewing {
  const { db, log, directories } = options;

  const sourcesOf = async (session: SessionId): Promise<{ point: PointId; track: Track; takes: string[][] }[]> => {
    const rows = await db
      .selectFrom("segment")
      .select(["takeId", "pointId", "seq"])
      .where("sessionId", "=", session)
      // All of a finished bag but what its box has lost.
      .where("hubState", "=", "verified")
      .orderBy("seq")
      .execute();
    const sources: { point: PointId; track: Track; takes: string[][] }[] = [];
    for (const [point, segments] of Map.groupBy(rows, ({ pointId }) => pointId))
      for (const track of TRACKS) {
        const placed = await placeRoom(db, session, point, track);
        const takes = new Map<TakeId, string[]>([...placed.keys()].map((take) => [take, []]));
        for (const { takeId, seq } of segments)
          takes.get(takeId)?.push(`${archiveTakePath(point, takeId)}/${archiveSegmentFiles(seq).media}`);
        const files = [...takes.values()];
        if (files.some((of) => of.length > 0)) sources.push({ point, track, takes: files });
      }
    return sources;
  };

  /** @returns whether there is a new one */
  const makeCopy = async (
    session: SessionId,
    { point, track, takes }: Awaited<ReturnType<typeof sourcesOf>>[number],
    signal: AbortSignal,
  ): Promise<boolean> => {
    const bag = join(directories.archive, session);
    const sources = takes.flat();
    const notePath = join(bag, BAG.viewingSources(point, track));
    const note = await readIfExists(notePath);
    if (note && (JSON.parse(note.toString("utf8")) as ViewingNote).sources.join("\n") === sources.join("\n"))
      return false;
    const list = join(directories.viewing, `${session}.${point}.${track}.ffconcat`);
    const made = join(directories.viewing, `${session}.${point}.${track}.mp4`);
    await writeDurable(list, concatList(takes));
    const protocols = ["-protocol_whitelist", "file,concat"];
    const input = ["-f", "concat", "-safe", "0", ...protocols, "-i", list];
    const output = ["-map", "0:v?", "-map", "0:a?", "-c", "copy", "-movflags", "+faststart", "-y", made];
    await runChecked(
      ["nice", "-n", "19", "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", ...input, ...output],
      {
        cwd: bag,
        signal,
      },
    );
    const content = await hashRegularFile(made, { sync: true });
    if (!content) throw new Error(`ffmpeg ended well, but there is no ${made}`);
    await makeDirectory(dirname(notePath));
    await moveDurable(made, join(bag, BAG.viewing(point, track)));
    await writeDurable(
      notePath,
      JSON.stringify({ v: 1, sources, ...content } satisfies ViewingNote),
      0o640,
      directories.viewing,
    );
    await removeDurable(list);
    return true;
  };

  const noteAddition = async (session: SessionId): Promise<void> => {
    await db
      .updateTable("bag")
      .set((eb) => ({ additions: eb("additions", "+", 1) }))
      .where("sessionId", "=", session)
      .execute();
  };

  return {
    async due() {
      const rows = await db
        .selectFrom("bag")
        .select("sessionId")
        .where("viewing", "=", 0)
        .where("manifestSha256", "is not", null)
        .execute();
      return rows.map(({ sessionId }) => sessionId);
    },

    async make(session, signal) {
      const before = await db
        .selectFrom("bag")
        .select("manifestSha256")
        .where("sessionId", "=", session)
        .executeTakeFirstOrThrow();
      const failures: unknown[] = [];
      for (const source of await sourcesOf(session)) {
        try {
          // Until the tag manifest names it, the bag does not count as whole.
          if (await makeCopy(session, source, signal)) await noteAddition(session);
        } catch (error) {
          signal.throwIfAborted();
          failures.push(error);
        }
      }
      if (failures.length > 0)
        throw new AggregateError(failures, `${failures.length} viewing copies could not be made`);
      await db
        .updateTable("bag")
        .set((eb) => ({ viewing: 1, additions: eb("additions", "+", 1) }))
        .where("sessionId", "=", session)
        // Finished again meanwhile, with more in it: once more.
        .where("manifestSha256", "=", before.manifestSha256)
        .execute();
      log.info("archive.viewing", { session });
    },
  };
}
