import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { causeOf, fileSize, listDirectory, readLines, type Log } from "../../platform/platform.ts";
import {
  GENESIS,
  RECORDS_FILE,
  SignedRecord,
  type BoxId,
  type SessionId,
  type TakeId,
  type Track,
} from "../../protocol/protocol.ts";
import type { ClosedSegment } from "./segment.ts";
import { Take, type DamagedSegment } from "./take.ts";

/** What ordering takes needs of them. */
interface Chained {
  prev: string | undefined;
  hash: string | undefined;
}

/**
 * Takes of one box in the order in which they were made: each names the last record of the one before. The chain knows
 * this better than clocks, which jump.
 */
export function orderByChain<T extends Chained>(takes: readonly T[]): T[] {
  const byPrev = Map.groupBy(takes, (take) => take.prev);
  const ends = new Set(takes.map((take) => take.hash));
  const ordered = new Set<T>();
  const follow = (start: T): void => {
    for (const open = [start]; open.length > 0;) {
      const take = open.pop()!;
      if (ordered.has(take)) continue;
      ordered.add(take);
      open.push(...(byPrev.get(take.hash) ?? []));
    }
  };
  for (const take of takes) if (take.prev === GENESIS || !ends.has(take.prev)) follow(take);
  // A ring cannot be signed; whatever else a disk may hold, no recording is left out of sight.
  for (const take of takes) follow(take);
  return [...ordered];
}

/** All takes of one track on the box's disk. */
export class Takes {
  private takes: Take[];
  /** What the disk does not give back: takes by their names, segments as `take/seq`. */
  readonly unreadable: Set<string>;
  private latest: { take: Take; segments: ClosedSegment[] } | undefined;

  private constructor(takes: Take[], unreadable: Set<string>) {
    this.takes = takes;
    this.unreadable = unreadable;
  }

  /**
   * A folder that cannot be understood is named in the log and left alone: nothing may keep the box from recording.
   * @param media recordings folders; a take that is in several is taken from the one with most of its records, the
   * first of equals: it went on there when another medium failed
   * @param past what has left the working set; a copy of it that a medium still has is not looked at
   */
  static async load(media: readonly string[], past: string, track: Track, log: Log): Promise<Takes> {
    const found = new Map<string, Take>();
    const unreadable = new Set<string>();
    for (const [nth, recordings] of media.entries())
      for (const session of (await readdir(recordings, { withFileTypes: true })).filter((e) => e.isDirectory()))
        for (const name of await readdir(join(recordings, session.name))) {
          const directory = join(recordings, session.name, name);
          const known = found.get(name);
          try {
            if (nth > 0 && !known && (await listDirectory(join(past, session.name, name))).length > 0) continue;
            if (known && ((await fileSize(join(directory, RECORDS_FILE))) ?? 0) <= known.recordsBytes) continue;
            const take = await Take.load(directory, track);
            if (take && take.records >= (known?.records ?? 0)) found.set(name, take);
          } catch (error) {
            unreadable.add(name);
            log.error("recording.unreadableTake", { session: session.name, take: name, cause: causeOf(error) });
          }
        }
    const takes = [...found.values()];
    const started = takes.filter((take) => take.records > 0);
    return new Takes([...orderByChain(started), ...takes.filter((take) => take.records === 0)], unreadable);
  }

  add(take: Take): void {
    this.takes.push(take);
  }

  /** A take that came to nothing: its folder stays on disk, and it is not looked at again in this life. */
  forget(take: Take): void {
    this.takes = this.takes.filter((other) => other !== take);
  }

  get(id: TakeId): Take | undefined {
    return this.takes.find((take) => take.id === id);
  }

  /** What was recorded of a closed segment. The segments of one take at a time are remembered. */
  async segment(id: TakeId, seq: number): Promise<ClosedSegment | undefined> {
    const take = this.get(id);
    if (!take || seq >= take.closed) return undefined;
    if (this.latest?.take !== take || this.latest.segments.length <= seq)
      this.latest = { take, segments: await take.readSegments() };
    return this.latest.segments[seq];
  }

  /** See {@link Take.summarise}. One that cannot be written is tried again at the next start. */
  async summarise(signal: AbortSignal): Promise<void> {
    for (const take of this.takes) {
      if (signal.aborted) return;
      await take.summarise().catch(() => {});
    }
  }

  /** Those that have at least one record, oldest first. */
  recorded(): Take[] {
    return this.takes.filter((take) => take.records > 0);
  }

  /** Neither ended nor being recorded, as far as this identity may sign for them. */
  unfinished(box: BoxId, but: Take | undefined): Take[] {
    return this.takes.filter((take) => take.intent.box === box && take.endReason === undefined && take !== but);
  }

  /**
   * A take is about to get its first record: in the chain, and here, it comes behind all that have one, whenever it was
   * added. @returns hash of the box's last record, whatever the take
   */
  chain(take: Take): string | undefined {
    this.takes = [...this.takes.filter((other) => other !== take), take];
    return this.recorded().findLast((other) => other.intent.box === take.intent.box)?.hash;
  }

  /** The session's recordings so far, oldest first. */
  ofSession(session: SessionId): Take[] {
    return this.recorded().filter((take) => take.intent.session === session && take.hasMedia);
  }

  /** Segments of which a signed gap says that they cannot be read any more. */
  damaged(): DamagedSegment[] {
    return this.takes.flatMap(({ statedDamaged }) => statedDamaged);
  }

  /** Whether a take without media already states the session's gap up to its end. */
  endStated(session: SessionId, endedUtcMs: number): boolean {
    return this.takes.some(
      (take) =>
        !take.hasMedia &&
        take.intent.session === session &&
        take.endReason !== undefined &&
        take.statedToUtcMs >= endedUtcMs,
    );
  }

  async records(id: TakeId, fromN: number, limit: number): Promise<SignedRecord[]> {
    const take = this.get(id);
    const records: SignedRecord[] = [];
    if (!take) return records;
    const endN = Math.min(take.records, fromN + limit);
    let n = 0;
    for await (const line of readLines(join(take.directory, RECORDS_FILE))) {
      if (n >= endN) break;
      if (n++ >= fromN) records.push(SignedRecord.parse(JSON.parse(line)));
    }
    return records;
  }
}
