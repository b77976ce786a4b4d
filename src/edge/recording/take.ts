import { readFile, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { chainHash, type Signer } from "../../evidence/evidence.ts";
import {
  completeLines,
  fileSize,
  isUnreadable,
  isoUtc,
  openLineFile,
  readLines,
  writeDurable,
  type LineFile,
} from "../../platform/platform.ts";
import {
  BoxId,
  ClockReading,
  EvidenceRecord,
  GENESIS,
  PointId,
  RECORDS_FILE,
  SessionId,
  SignedRecord,
  TakeId,
  TRACKS,
  segmentFileName,
  type GapCause,
  type TakeEndRecord,
  type Track,
} from "../../protocol/protocol.ts";
import type { EndOfTake, Gap } from "./gap.ts";
import { later, momentOf, readClocks, rounded, type Readings } from "./readings.ts";
import { measureSegment, segmentOf, type ClosedSegment } from "./segment.ts";
import type { ListedSegment } from "./segment-list.ts";
import { readSummary, writeSummary, type DamagedSegment, type TakeSummary } from "./summary.ts";

export type { DamagedSegment } from "./summary.ts";

/** Written before a take's encoder starts: what its records need even if everything dies before the first of them. */
export const TakeIntent = z.object({
  v: z.literal(1),
  box: BoxId,
  point: PointId,
  session: SessionId,
  take: TakeId,
  track: z.enum(TRACKS).default("room"),
  agentVersion: z.string(),
  source: z.string(),
  /** Null in both: a take without an encoder, made to state a gap that no recording follows. */
  video: z.object({ codec: z.string(), width: z.number(), height: z.number(), frameRate: z.number() }).nullable(),
  audio: z.object({ codec: z.string(), sampleRate: z.number(), channels: z.number() }).nullable(),
  sessionStartedAt: z.iso.datetime(),
  plannedAt: ClockReading,
});
export type TakeIntent = z.infer<typeof TakeIntent>;

const BORN_WITHIN_MS = 15_000;
const INTENT = "take.json";
/** What a copy may be behind by: it follows within seconds, and a record takes seconds to come. */
const RECENT_RECORDS = 16;

/**
 * A take on disk: its intent, its segments and its chain of records. INVARIANTS: a record is in the file, on disk,
 * before anything here shows it; a segment is on disk before its record is made; records are made one at a time. Of closed
 * segments only the sizes stay in memory: the rest is in the records, and read when somebody asks.
 */
export class Take {
  /** Another one after {@link moveTo}. */
  directory: string;
  readonly intent: TakeIntent;
  /** Sizes of its closed segments, by number. */
  readonly sizesBytes: number[] = [];
  frames = 0;
  last: ClosedSegment | undefined;
  records = 0;
  prev: string | undefined;
  hash: string | undefined;
  firstFrameAt: ClockReading | undefined;
  endReason: TakeEndRecord["reason"] | undefined;
  /** Latest end of a gap that it states. */
  statedToUtcMs = -Infinity;
  /** Segments of any take that its gaps call damaged. */
  readonly statedDamaged: DamagedSegment[] = [];
  /** Beginnings of what it states as left out in its midst. */
  private readonly statedMissing = new Set<string>();
  /** What the recorder knew of the end beyond its reason; lost with the agent. */
  known: { cause: GapCause; detail: string } | undefined;
  /** Opened for the first record that this life of the agent adds. */
  private log: LineFile | undefined;
  private sizeBytes: number;
  private streamStartMs = 0;
  /** The last lines of this life. */
  private recent: string[] = [];
  private isSummarised = false;

  private constructor(directory: string, intent: TakeIntent, sizeBytes: number) {
    this.directory = directory;
    this.intent = intent;
    this.sizeBytes = sizeBytes;
  }

  /** @param directory is there already */
  static async create(directory: string, intent: TakeIntent): Promise<Take> {
    await writeDurable(join(directory, INTENT), JSON.stringify(intent));
    const take = new Take(directory, intent, 0);
    take.log = await openLineFile(join(directory, RECORDS_FILE));
    return take;
  }

  /**
   * Reads a take that is on disk: one that has ended from its summary, if that is of these very records. Undefined where
   * its folder never got as far as an intent, or is of the other track.
   */
  static async load(directory: string, track: Track): Promise<Take | undefined> {
    let text: string;
    try {
      text = await readFile(join(directory, INTENT), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const intent = TakeIntent.parse(JSON.parse(text));
    if (intent.track !== track) return undefined;
    const path = join(directory, RECORDS_FILE);
    const summary = await readSummary(directory, path);
    if (summary) return new Take(directory, intent, summary.recordsBytes).recall(summary);
    const take = new Take(directory, intent, 0);
    for await (const line of readLines(path)) {
      take.note(SignedRecord.parse(JSON.parse(line)).record);
      take.sizeBytes += Buffer.byteLength(line) + 1;
    }
    // A line that a power cut tore was never shown to anybody; another behind it would be unreadable.
    if (take.sizeBytes < ((await fileSize(path)) ?? 0)) await truncate(path, take.sizeBytes);
    return take;
  }

  /** Whether an encoder ran for it; otherwise it only states a gap. */
  get hasMedia(): boolean {
    return this.intent.video !== null;
  }

  /** Of its records on disk. */
  get recordsBytes(): number {
    return this.sizeBytes;
  }

  get id(): TakeId {
    return this.intent.take;
  }

  /** How many segments are closed: also the number of the next. */
  get closed(): number {
    return this.sizesBytes.length;
  }

  get closedBytes(): number {
    return this.sizesBytes.reduce((sum, bytes) => sum + bytes, 0);
  }

  get streamEndMs(): number {
    return this.last?.streamEndMs ?? 0;
  }

  get durationMs(): number {
    return this.streamEndMs - this.streamStartMs;
  }

  /** Reads all that is recorded of the closed segments. */
  async readSegments(): Promise<ClosedSegment[]> {
    const segments: ClosedSegment[] = [];
    for await (const line of readLines(join(this.directory, RECORDS_FILE))) {
      const record = EvidenceRecord.parse(JSON.parse(SignedRecord.parse(JSON.parse(line)).record));
      if (record.kind === "segment") segments.push(segmentOf(record));
    }
    return segments;
  }

  /** Writes what the next start reads instead of the records; nothing is lost where it fails. */
  async summarise(): Promise<void> {
    const { endReason, prev, hash, last } = this;
    if (this.isSummarised || endReason === undefined || prev === undefined || hash === undefined) return;
    await writeSummary(this.directory, {
      ...{ v: 1, records: this.records, recordsBytes: this.sizeBytes, prev, hash, endReason, last },
      ...{ firstFrameAt: this.firstFrameAt, streamStartMs: this.streamStartMs, frames: this.frames },
      ...{ sizesBytes: this.sizesBytes, statedDamaged: this.statedDamaged },
      statedToUtcMs: Number.isFinite(this.statedToUtcMs) ? this.statedToUtcMs : null,
    });
    this.isSummarised = true;
  }

  path(seq: number): string {
    return join(this.directory, segmentFileName(seq));
  }

  /** Where the take's media end, and why; undefined while it goes on. */
  end(): EndOfTake | undefined {
    if (this.endReason === undefined) return undefined;
    const { last } = this;
    const reading = last ? later(last.startedAt, last.streamEndMs - last.streamStartMs) : this.firstFrameAt;
    return {
      end: momentOf(reading ?? this.intent.plannedAt),
      reason: this.endReason,
      known: this.known,
      isEmpty: !last,
    };
  }

  /**
   * @param firstFrameAt undefined for a take without media
   * @param prev hash of the box's last record, undefined for its first ever
   */
  async start(
    firstFrameAt: ClockReading | undefined,
    gap: Gap | undefined,
    prev: string | undefined,
    signing: Signing,
  ): Promise<void> {
    const { track, agentVersion, video, audio, source } = this.intent;
    await this.append(
      {
        ...{ kind: "takeStart", agentVersion, video, audio, source, firstFrameAt },
        // Silent about the room, so that its records are those of all boxes before.
        ...(track === "room" ? {} : { track }),
      },
      signing,
      prev ?? GENESIS,
    );
    if (gap) await this.state(gap, signing);
  }

  /** @param segment the damaged one, of whichever take, where that is what the gap is about */
  async state(gap: Gap, signing: Signing, segment?: DamagedSegment): Promise<void> {
    const { cause, detail, fromUtcMs, toUtcMs } = gap;
    const [from, to, durationMs] = [isoUtc(fromUtcMs), isoUtc(toUtcMs), rounded(gap.durationMs)];
    await this.append({ kind: "gap", cause, from, to, durationMs, detail, segment }, signing);
  }

  /**
   * Makes the next segment file durable and writes its record.
   * @param onUnreadable told of a file that the disk does not give back; without it, that throws
   * @returns false where the file is absent, holds nothing that plays or was told of: then it stays as it is, unrecorded
   */
  async close(
    listed: ListedSegment | undefined,
    signing: Signing,
    onUnreadable?: (error: unknown) => void,
  ): Promise<boolean> {
    const seq = this.closed;
    const near = seq === 0 ? undefined : this.streamEndMs;
    const measuring = measureSegment(this.path(seq), listed, near, this.intent.video!.frameRate);
    const measured = await measuring.catch((error: unknown) => {
      if (!onUnreadable || !isUnreadable(error)) throw error;
      onUnreadable(error);
    });
    if (!measured) return false;
    const { sizeBytes, sha256, frames, streamStartMs, streamEndMs } = measured;
    const base = seq === 0 ? streamStartMs : this.streamStartMs;
    const begunAt = this.firstFrameAt ?? this.intent.plannedAt;
    const startedAt = later(begunAt, streamStartMs - base);
    // Before the segment: what is not stated yet is looked for again with it.
    for (const { fromMs, toMs } of measured.holes) {
      const [from, to] = [later(begunAt, fromMs - base), later(begunAt, toMs - base)];
      if (this.statedMissing.has(from.utc)) continue;
      const gap = { fromUtcMs: Date.parse(from.utc), toUtcMs: Date.parse(to.utc), durationMs: toMs - fromMs };
      await this.state({ ...gap, cause: "framesMissing", detail: `no picture before or in segment ${seq}` }, signing);
    }
    await this.append(
      { kind: "segment", ...{ seq, sizeBytes, sha256, frames, streamStartMs, streamEndMs, startedAt } },
      signing,
    );
    return true;
  }

  async finish(
    reason: TakeEndRecord["reason"],
    counts: { framesCaptured: number | null; framesEncoded: number | null },
    signing: Signing,
  ): Promise<void> {
    const { closed, frames } = this;
    await this.append({ kind: "takeEnd", reason, segments: closed, frames, ...counts }, signing);
    this.recent = [];
    await this.release();
    // The records have it all, and a disk that is full has other troubles.
    await this.summarise().catch(() => {});
  }

  /**
   * Goes on in the folder of its copy, whose medium takes writes when this one's does not any more. Records that the
   * copy lacks are added from memory; where they are not to be had it throws, and the take stays where it is.
   */
  async moveTo(directory: string): Promise<void> {
    const path = join(directory, RECORDS_FILE);
    await stat(join(directory, INTENT));
    const written = await readFile(path, "utf8").catch(() => "");
    const there = completeLines(written);
    const lacking = this.records - there.length;
    if (lacking < 0 || lacking > this.recent.length) throw new Error(`the copy of ${this.id} lacks ${lacking} records`);
    const whole = there.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
    if (whole < Buffer.byteLength(written)) await truncate(path, whole);
    const log = await openLineFile(path);
    const lines = this.recent.slice(this.recent.length - lacking);
    if (lines.length > 0) await log.append(...lines);
    await this.release().catch(() => {});
    this.log = log;
    this.directory = directory;
    this.sizeBytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, whole);
  }

  /** When the first file was made: for a take whose encoder and agent died before its first record. */
  async bornAt(): Promise<ClockReading> {
    const { plannedAt } = this.intent;
    const { birthtimeMs } = await stat(this.path(0));
    const plannedWallMs = Date.parse(plannedAt.utc) - (plannedAt.hubOffsetMs ?? 0);
    const afterMs = birthtimeMs - plannedWallMs;
    // An encoder makes its first file within seconds; anything else is a jump of the wall clock.
    return later(plannedAt, afterMs > 0 && afterMs < BORN_WITHIN_MS ? afterMs : 0);
  }

  /** Closes the file of records; the next record opens it again. */
  async release(): Promise<void> {
    const { log } = this;
    this.log = undefined;
    await log?.[Symbol.asyncDispose]();
  }

  /** Bytes in the file that is being written now. */
  async openBytes(): Promise<number> {
    return (await this.bytesOf(this.closed).catch(() => undefined)) ?? 0;
  }

  /** Undefined where there is no such file: an exception for each look at nothing would be most of what the look costs. */
  async bytesOf(seq: number): Promise<number | undefined> {
    return (await stat(this.path(seq), { throwIfNoEntry: false }))?.size;
  }

  private async append(
    body: Record<string, unknown>,
    { sign, readings, wrote }: Signing,
    prev = this.hash,
  ): Promise<void> {
    const { box, point, session, take } = this.intent;
    const at = readClocks(readings);
    const signed = sign(JSON.stringify({ v: 1, box, point, session, take, n: this.records, prev, at, ...body }));
    const line = JSON.stringify(signed);
    try {
      this.log ??= await openLineFile(join(this.directory, RECORDS_FILE));
      await this.log.append(line);
    } catch (error) {
      // Half a line must not stay in front of the next try.
      await truncate(join(this.directory, RECORDS_FILE), this.sizeBytes).catch(() => {});
      throw error;
    }
    this.sizeBytes += Buffer.byteLength(line) + 1;
    this.recent = [...this.recent, line].slice(-RECENT_RECORDS);
    this.note(signed.record);
    wrote(this);
  }

  private recall(summary: TakeSummary): this {
    const { records, prev, hash, endReason, last, firstFrameAt, streamStartMs, frames, statedToUtcMs } = summary;
    Object.assign(this, { records, prev, hash, endReason, last, firstFrameAt, streamStartMs, frames });
    this.sizesBytes.push(...summary.sizesBytes);
    this.statedDamaged.push(...summary.statedDamaged);
    this.statedToUtcMs = statedToUtcMs ?? -Infinity;
    this.isSummarised = true;
    return this;
  }

  /** Takes a record that is on disk into account. */
  private note(text: string): void {
    const record = EvidenceRecord.parse(JSON.parse(text));
    this.records++;
    this.hash = chainHash(text);
    if (record.kind === "takeStart") {
      this.prev = record.prev;
      const first = ClockReading.safeParse(record["firstFrameAt"]);
      if (first.success) this.firstFrameAt = first.data;
    }
    if (record.kind === "segment") {
      this.last = segmentOf(record);
      if (this.closed === 0) this.streamStartMs = record.streamStartMs;
      this.sizesBytes.push(record.sizeBytes);
      this.frames += record.frames;
    }
    if (record.kind === "gap") {
      if (record.cause === "framesMissing") this.statedMissing.add(record.from);
      if (record.segment) this.statedDamaged.push(record.segment);
      else this.statedToUtcMs = Math.max(this.statedToUtcMs, Date.parse(record.to));
    }
    if (record.kind === "takeEnd") this.endReason = record.reason;
  }
}

export interface Signing {
  sign: Signer;
  readings: Readings;
  /** Told after each record that has reached the disk. */
  wrote: (take: Take) => void;
}
