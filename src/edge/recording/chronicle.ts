import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Signer } from "../../evidence/evidence.ts";
import { causeOf, randomId, type Log } from "../../platform/platform.ts";
import {
  makeId,
  type BoxId,
  type ClockReading,
  type PointId,
  type SessionId,
  type TakeEndRecord,
  type TakeId,
  type Track,
} from "../../protocol/protocol.ts";
import { SEGMENT_LIST } from "../capture/capture.ts";
import { gapBefore, gapOfAll, gapToEnd, type Gap } from "./gap.ts";
import type { Placement } from "./placement.ts";
import { momentOf, readClocks, type Readings } from "./readings.ts";
import type { RecordedTakes } from "./recorded-takes.ts";
import { parseSegmentList, type ListedSegment } from "./segment-list.ts";
import type { DamagedSegment, Signing, Take, TakeIntent } from "./take.ts";
import type { Takes } from "./takes.ts";

export interface EndedSession {
  id: SessionId;
  startedAt?: string | null;
  endedAt: string;
}

export interface RecorderIdentity {
  box: BoxId;
  point: PointId;
  signer: Signer;
}

/** A take whose encoder is gone. */
export interface Closing {
  take: Take;
  reason: TakeEndRecord["reason"];
  first: { monotonicMs: number } | undefined;
  counts: { framesCaptured: number | null; framesEncoded: number | null };
}

const UNCOUNTED = { framesCaptured: null, framesEncoded: null };

interface ChronicleOptions {
  readings: Readings;
  log: Log;
  track: Track;
  agentVersion: string;
  stored: Takes;
  placement: Placement;
  recorded: RecordedTakes;
  /** The session that is to be recorded: its start may have become known better than the take knew it. */
  session: () => { id: SessionId; startedAt: string } | null;
}

/**
 * Makes a track's signed records: of the running take what its encoder's files call for, of the others their end, and what
 * is stated without a recording.
 *
 * INVARIANTS
 * - Records of a track are one chain: a take gets its first record only when all former takes of this identity are ended.
 * - A take ends though its disk does not give its last segment back.
 * - One caller at a time. What fails is made at the next call: what there is to do is read from the takes.
 */
export class Chronicle {
  identity: RecorderIdentity | null = null;
  /** Of which an end may have to be stated. */
  ended: readonly EndedSession[] = [];
  private readonly options: ChronicleOptions;
  private readonly listeners: ((take: TakeId) => void)[] = [];
  private closing: Closing[] = [];

  constructor(options: ChronicleOptions) {
    this.options = options;
  }

  onRecord(listener: (take: TakeId) => void): void {
    this.listeners.push(listener);
  }

  /** The first records of a take. */
  async begin(take: Take, first: { monotonicMs: number } | undefined): Promise<void> {
    const signing = this.signing(take);
    if (!signing) return;
    const { readings, stored, log } = this.options;
    const { session } = take.intent;
    const firstFrameAt = first ? readClocks(readings, first.monotonicMs) : await take.bornAt();
    const gap = this.gapBefore(take, firstFrameAt);
    await take.start(firstFrameAt, gap, stored.chain(take), signing);
    log.info("recording.takeStarted", { take: take.id, session, gap: gap?.cause, gapMs: gap?.durationMs });
  }

  private gapBefore(take: Take, firstFrameAt: ClockReading): Gap | undefined {
    const { session, sessionStartedAt } = take.intent;
    const wanted = this.options.session();
    const startedAt = wanted?.id === session ? wanted.startedAt : sessionStartedAt;
    const takes = this.options.stored.ofSession(session);
    const former = takes[(takes.includes(take) ? takes.indexOf(take) : takes.length) - 1];
    return gapBefore(momentOf(firstFrameAt), former?.end(), Date.parse(startedAt));
  }

  /** The gap before a take of which agent or mains left the first record only: it would be missing without a word. */
  private async completeStart(take: Take, signing: Signing): Promise<void> {
    if (take.closed > 0 || Number.isFinite(take.statedToUtcMs) || !take.firstFrameAt) return;
    const gap = this.gapBefore(take, take.firstFrameAt);
    if (gap) await take.state(gap, signing);
  }

  /** Records of the segments that the encoder has closed. */
  async follow(take: Take): Promise<void> {
    const listed = await readList(take);
    const signing = this.signing(take);
    if (!signing) return;
    if (listed.has(take.closed)) await this.completeStart(take, signing);
    for (let closed = listed.get(take.closed); closed; closed = listed.get(take.closed))
      if (!(await take.close(closed, signing))) break;
  }

  /** To be ended by the next {@link closeFormer}, as it says. */
  leave(closing: Closing): void {
    this.closing.push(closing);
  }

  /** A take of this session that came to nothing, so that an encoder that never records leaves one folder behind. */
  async spare(session: SessionId): Promise<Take | undefined> {
    const { stored, placement } = this.options;
    if (!this.identity) return undefined;
    for (const take of stored.unfinished(this.identity.box, undefined)) {
      if (!placement.isPlaced(take)) continue;
      if (take.intent.session !== session || take.records > 0 || (await take.openBytes()) > 0) continue;
      await take.release();
      stored.forget(take);
      this.closing = this.closing.filter((closing) => closing.take !== take);
      return take;
    }
    return undefined;
  }

  /**
   * Ends the takes whose encoder is gone: those of this life, and before them those that an earlier life left.
   * @param active the one that is being written
   */
  async closeFormer(active: Take | undefined): Promise<void> {
    const { identity } = this;
    if (!identity) return;
    const { stored, placement } = this.options;
    for (const take of stored.unfinished(identity.box, active)) {
      const closing = this.closing.find((c) => c.take === take) ?? {
        ...{ take, reason: "recovered" as const, first: undefined, counts: UNCOUNTED },
      };
      await this.close(closing).catch(async (error: unknown) => {
        const isElsewhere = await placement.moveToCopy(take, error).then(
          () => true,
          () => false,
        );
        await (isElsewhere ? this.close(closing) : this.closeBeforeUnreadable(closing));
      });
      this.closing = this.closing.filter((other) => other !== closing);
    }
    // The chain is the running take's once that has begun.
    const running = active && active.records > 0 ? active : undefined;
    if (!running) await this.stateEnds(identity);
    await this.stateDamage(identity, running);
  }

  /**
   * What the disk does not give back stays where it is, for whoever can read more of it, and without a record: a take
   * that could never end would keep all that follow it from ever having one.
   */
  private closeBeforeUnreadable(closing: Closing): Promise<void> {
    const { take } = closing;
    return this.close(closing, (error) => {
      const [seq, cause] = [take.closed, causeOf(error)];
      this.options.stored.unreadable.add(`${take.id}/${seq}`);
      this.options.log.error("recording.segmentUnreadable", { take: take.id, seq, cause });
      take.known = { cause: "mediumFailed", detail: `segment ${seq} cannot be read: ${cause}` };
    });
  }

  private async close(
    { take, reason, first, counts }: Closing,
    onUnreadable?: (error: unknown) => void,
  ): Promise<void> {
    const signing = this.signing(take);
    if (!signing) return;
    const { log, stored } = this.options;
    if (take.records === 0) {
      if ((await take.openBytes()) === 0) {
        log.warn("recording.emptyTake", { take: take.id, session: take.intent.session });
        await take.release();
        return stored.forget(take);
      }
      await this.begin(take, first);
    }
    await this.completeStart(take, signing);
    const listed = await readList(take);
    while (await take.close(listed.get(take.closed), signing, onUnreadable));
    await take.finish(reason, counts, signing);
    log.info("recording.takeEnded", {
      take: take.id,
      reason,
      segments: take.closed,
      frames: take.frames,
      ...counts,
    });
  }

  /** @param running the take that the chain is at; damage of another session waits for its end */
  private async stateDamage({ box }: RecorderIdentity, running: Take | undefined): Promise<void> {
    const { stored, recorded } = this.options;
    for (const found of recorded.unstated()) {
      const { name, sha256 } = found;
      const take = stored.get(name.take);
      const segment = await stored.segment(name.take, name.seq);
      if (!take || !segment || take.intent.box !== box) continue;
      if (running && running.intent.session !== name.session) continue;
      const fromUtcMs = Date.parse(segment.startedAt.utc);
      const durationMs = segment.streamEndMs - segment.streamStartMs;
      const gap: Gap = {
        ...{ cause: "segmentDamaged", fromUtcMs, toUtcMs: fromUtcMs + durationMs, durationMs },
        detail: `the file's SHA-256 is now ${sha256}`,
      };
      const { take: id, seq } = name;
      if (!running) await this.stateAlone(take.intent, gap, { take: id, seq });
      else {
        const signing = this.signing(running);
        if (!signing) return;
        await running.state(gap, signing, { take: id, seq });
      }
      recorded.stated(found);
    }
  }

  /** States what the recordings of ended sessions do not reach: nothing will be recorded there any more. */
  private async stateEnds({ box, point }: RecorderIdentity): Promise<void> {
    const { ended } = this;
    const { stored, readings, track, log } = this.options;
    for (const { id, startedAt, endedAt } of ended) {
      const endedUtcMs = Date.parse(endedAt);
      if (stored.endStated(id, endedUtcMs)) continue;
      const last = stored.ofSession(id).at(-1);
      if (!last && startedAt) {
        const gap = gapOfAll(Date.parse(startedAt), endedUtcMs);
        await this.stateAlone({ box, point, session: id, sessionStartedAt: startedAt }, gap);
        log.warn("recording.nothing", { session: id, track, gapMs: gap.durationMs });
      }
      if (last?.intent.box !== box) continue;
      const former = last.end();
      if (!former) return;
      const gap = gapToEnd(former, endedUtcMs, momentOf(readClocks(readings)));
      if (!gap) continue;
      await this.stateAlone(last.intent, gap);
      log.warn("recording.endMissing", { session: id, cause: gap.cause, gapMs: gap.durationMs });
    }
    // Another schedule may have come meanwhile.
    if (this.ended === ended) this.ended = [];
  }

  /** Makes a take without media that states a gap of a session whose recordings have all ended. */
  private async stateAlone(
    { box, point, session, sessionStartedAt }: Pick<TakeIntent, "box" | "point" | "session" | "sessionStartedAt">,
    gap: Gap,
    segment?: DamagedSegment,
  ): Promise<void> {
    const { agentVersion, track, readings, stored, placement } = this.options;
    const take = await placement.create({
      ...{ v: 1, box, point, session, take: makeId("take", randomId()), agentVersion, sessionStartedAt },
      ...{ track, source: "", video: null, audio: null },
      plannedAt: readClocks(readings),
    });
    stored.add(take);
    const signing = this.signing(take);
    if (!signing) return;
    await take.start(undefined, undefined, stored.chain(take), signing);
    await take.state(gap, signing, segment);
    await take.finish("sessionEnded", UNCOUNTED, signing);
  }

  private signing(take: Take): Signing | undefined {
    const { identity } = this;
    if (identity?.box !== take.intent.box) return undefined;
    const wrote = (written: Take) => this.listeners.forEach((listener) => listener(written.id));
    return { sign: identity.signer, readings: this.options.readings, wrote };
  }
}

async function readList(take: Take): Promise<Map<number, ListedSegment>> {
  const text = await readFile(join(take.directory, SEGMENT_LIST), "utf8").catch(() => "");
  return new Map(parseSegmentList(text.split("\n").slice(0, -1)).map((segment) => [segment.seq, segment]));
}
