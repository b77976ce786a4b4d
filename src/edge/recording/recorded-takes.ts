import { dirname } from "node:path";
import { causeOf, sha256File, type Log } from "../../platform/platform.ts";
import type { SegmentName, SessionId, SignedRecord, TakeId } from "../../protocol/protocol.ts";
import { planPast, type Past } from "./past.ts";
import type { Placement } from "./placement.ts";
import type { Takes } from "./takes.ts";

/** A take as those see it who send, show and delete. */
export interface RecordedTake {
  session: SessionId;
  take: TakeId;
  records: number;
  ended: boolean;
  /** Closed segments. */
  closed: number;
  /** Of these, such as are not what was recorded any more. */
  damaged: number;
}

/** A closed segment: on disk, recorded and never changed again. */
export interface RecordedSegment {
  name: SegmentName;
  sizeBytes: number;
  path: string;
}

/** Not what was recorded, as was found when it was read again. */
export interface FoundDamage {
  name: SegmentName;
  /** Of what is there now. */
  sha256: string;
}

const keyOf = (take: TakeId, seq: number): string => `${take}/${seq}`;

/** What a track has recorded, for those who send, show and delete. INVARIANT: nothing is ever removed or changed here. */
export class RecordedTakes {
  private readonly stored: Takes;
  private readonly left: Past;
  private readonly placement: Placement;
  private readonly log: Log;
  private found: FoundDamage[] = [];

  constructor({ stored, past, placement, log }: { stored: Takes; past: Past; placement: Placement; log: Log }) {
    this.stored = stored;
    this.left = past;
    this.placement = placement;
    this.log = log;
  }

  takes(): RecordedTake[] {
    const damaged = Map.groupBy([...this.damaged()], (path) => dirname(path));
    return this.stored.recorded().map((take) => ({
      session: take.intent.session,
      take: take.id,
      records: take.records,
      ended: take.endReason !== undefined,
      closed: take.closed,
      damaged: damaged.get(take.id)?.length ?? 0,
    }));
  }

  records(take: TakeId, fromN: number, limit: number): Promise<SignedRecord[]> {
    return this.stored.records(take, fromN, limit);
  }

  segments(of: (take: RecordedTake) => boolean = () => true): RecordedSegment[] {
    const damaged = this.damaged();
    return this.takes()
      .filter(of)
      .flatMap(({ session, take: id }) => {
        const take = this.stored.get(id)!;
        return take.sizesBytes.flatMap((sizeBytes, seq) =>
          damaged.has(keyOf(id, seq)) ? [] : [{ name: { session, take: id, seq }, sizeBytes, path: take.path(seq) }],
        );
      });
  }

  async sha256(take: TakeId, seq: number): Promise<string | undefined> {
    return (await this.stored.segment(take, seq))?.sha256;
  }

  sessionBytes(session: SessionId): number {
    return this.stored.ofSession(session).reduce((sum, take) => sum + take.closedBytes, 0);
  }

  async examine(name: SegmentName): Promise<"whole" | "damaged"> {
    const { take: id, seq } = name;
    const take = this.stored.get(id);
    const recorded = await this.stored.segment(id, seq);
    if (!take || !recorded) return "whole";
    if (this.damaged().has(keyOf(id, seq))) return "damaged";
    const now = await sha256File(take.path(seq)).catch((error: NodeJS.ErrnoException) => {
      // Evicted, or on a disk that will be back.
      this.log.warn("recording.unreadable", { take: id, seq, cause: causeOf(error) });
    });
    if (!now || now.sha256 === recorded.sha256) return "whole";
    if (!this.damaged().has(keyOf(id, seq))) {
      this.log.error("recording.segmentDamaged", { take: id, seq, sha256: now.sha256 });
      this.found.push({ name, sha256: now.sha256 });
    }
    return "damaged";
  }

  /** Found damaged, and not yet stated. */
  unstated(): readonly FoundDamage[] {
    return [...this.found];
  }

  stated(damage: FoundDamage): void {
    this.found = this.found.filter((other) => other !== damage);
  }

  async retire(done: ReadonlySet<TakeId>): Promise<number> {
    const takes = this.stored.recorded().map((take) => ({
      take,
      chain: take.intent.box,
      // What went over to the second medium stays where it is read from.
      isDone: done.has(take.id) && take.endReason !== undefined && this.placement.isOnFirst(take),
    }));
    const leaving = planPast(takes).map(({ take }) => take);
    for (const take of leaving) {
      await this.left.take(take.directory, take.intent.session, take.id);
      this.stored.forget(take);
    }
    if (leaving.length > 0) this.log.info("recording.takesPast", { takes: leaving.length });
    return leaving.length;
  }

  past(): Promise<Set<TakeId>> {
    return this.left.takes();
  }

  /** Found or stated. */
  private damaged(): Set<string> {
    const found = this.found.map(({ name }) => name);
    return new Set([...found, ...this.stored.damaged()].map(({ take, seq }) => keyOf(take, seq)));
  }
}
