import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { completeLines, type Log, causeOf } from "../../platform/platform.ts";
import { GENESIS, SignedRecord, type BoxId, type SessionId, type TakeId } from "../../protocol/protocol.ts";
import { RECORDS, Take } from "./take.ts";

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
  const byPrev = new Map(takes.map((take) => [take.prev, take]));
  const ends = new Set(takes.map((take) => take.hash));
  const ordered: T[] = [];
  const starts = takes.filter((take) => take.prev === GENESIS || !ends.has(take.prev));
  for (const start of starts)
    for (let take: T | undefined = start; take && !ordered.includes(take); take = byPrev.get(take.hash))
      ordered.push(take);
  return ordered;
}

/** All takes on the box's disk. */
export class Takes {
  private takes: Take[];

  private constructor(takes: Take[]) {
    this.takes = takes;
  }

  /** A folder that cannot be understood is named in the log and left alone: nothing may keep the box from recording. */
  static async load(recordings: string, log: Log): Promise<Takes> {
    const takes: Take[] = [];
    for (const session of (await readdir(recordings, { withFileTypes: true })).filter((e) => e.isDirectory()))
      for (const name of await readdir(join(recordings, session.name))) {
        try {
          const take = await Take.load(join(recordings, session.name, name));
          if (take) takes.push(take);
        } catch (error) {
          log.error("recording.unreadableTake", { session: session.name, take: name, cause: causeOf(error) });
        }
      }
    const started = takes.filter((take) => take.records > 0);
    return new Takes([...orderByChain(started), ...takes.filter((take) => take.records === 0)]);
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

  /** Those that have at least one record, oldest first. */
  recorded(): Take[] {
    return this.takes.filter((take) => take.records > 0);
  }

  /** Neither ended nor being recorded, as far as this identity may sign for them. */
  unfinished(box: BoxId, but: Take | undefined): Take[] {
    return this.takes.filter((take) => take.intent.box === box && take.endReason === undefined && take !== but);
  }

  /** Hash of the box's last record, whatever the take. */
  lastHash(box: BoxId): string | undefined {
    return this.recorded().findLast((take) => take.intent.box === box)?.hash;
  }

  /** The session's recordings so far, oldest first. */
  ofSession(session: SessionId): Take[] {
    return this.recorded().filter((take) => take.intent.session === session && take.hasMedia);
  }

  /** Whether a signed gap says that the segment cannot be read any more. */
  isDamaged(take: TakeId, seq: number): boolean {
    return this.takes.some(({ statedDamaged }) => statedDamaged.some((d) => d.take === take && d.seq === seq));
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
    if (!take) return [];
    const lines = completeLines(await readFile(join(take.directory, RECORDS), "utf8"));
    return lines
      .slice(fromN, Math.min(take.records, fromN + limit))
      .map((line) => SignedRecord.parse(JSON.parse(line)));
  }
}
