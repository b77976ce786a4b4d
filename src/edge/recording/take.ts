import { readFile, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { chainHash, type Signer } from "../../evidence/evidence.ts";
import { createMpegTsCounter } from "../../media/media.ts";
import {
  completeLines,
  isoUtc,
  makeDirectory,
  openLineFile,
  sha256File,
  syncDirectory,
  syncFile,
  trimFile,
  writeDurable,
  type Clock,
  type LineFile,
} from "../../platform/platform.ts";
import {
  BoxId,
  ClockReading,
  EvidenceRecord,
  GENESIS,
  PointId,
  SessionId,
  SignedRecord,
  TakeId,
  segmentFileName,
  type GapCause,
  type TakeEndRecord,
} from "../../protocol/protocol.ts";
import type { Moment } from "../moment.ts";
import type { EndOfTake, Gap } from "./gap.ts";
import { unwrapMs, type ListedSegment } from "./segment-list.ts";

/** Written before a take's encoder starts: what its records need even if everything dies before the first of them. */
export const TakeIntent = z.object({
  v: z.literal(1),
  box: BoxId,
  point: PointId,
  session: SessionId,
  take: TakeId,
  agentVersion: z.string(),
  source: z.string(),
  /** Null in both: a take without an encoder, made to state a gap that no recording follows. */
  video: z.object({ codec: z.string(), width: z.number(), height: z.number(), frameRate: z.number() }).nullable(),
  audio: z.object({ codec: z.string(), sampleRate: z.number(), channels: z.number() }).nullable(),
  sessionStartedAt: z.iso.datetime(),
  plannedAt: ClockReading,
});
export type TakeIntent = z.infer<typeof TakeIntent>;

export interface ClosedSegment {
  seq: number;
  sizeBytes: number;
  sha256: string;
  streamStartMs: number;
  streamEndMs: number;
  frames: number;
  startedAt: ClockReading;
}

export interface DamagedSegment {
  take: TakeId;
  seq: number;
}

const BORN_WITHIN_MS = 15_000;
const INTENT = "take.json";
export const RECORDS = "records.jsonl";

export interface Readings {
  clock: Clock;
  hubOffset: () => { offsetMs: number; errorMs: number } | null;
}

/**
 * Reads all clocks for a moment of this boot, now unless another is given. Its wall time is told from now: however the
 * wall clock was set in between, it fits the offset that is known now.
 */
export function readClocks({ clock, hubOffset }: Readings, monotonicMs = clock.monotonicMs()): ClockReading {
  const offset = hubOffset();
  const wallMs = clock.wallMs() - (clock.monotonicMs() - monotonicMs);
  return {
    utc: isoUtc(wallMs + (offset?.offsetMs ?? 0)),
    monotonicMs: rounded(monotonicMs),
    bootId: clock.bootId,
    hubOffsetMs: offset?.offsetMs ?? null,
    hubOffsetErrorMs: offset?.errorMs ?? null,
  };
}

export const momentOf = ({ utc, monotonicMs, bootId }: ClockReading): Moment => ({
  utcMs: Date.parse(utc),
  monotonicMs,
  bootId,
});

/** Microseconds are as fine as any clock here is. */
const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000;

const later = (reading: ClockReading, ms: number): ClockReading => ({
  ...reading,
  utc: isoUtc(Date.parse(reading.utc) + ms),
  monotonicMs: rounded(reading.monotonicMs + ms),
});

/**
 * A take on disk: its intent, its segments and its chain of records. INVARIANTS: a record is in the file, on disk,
 * before anything here shows it; a segment is on disk before its record is made; records are made one at a time.
 */
export class Take {
  readonly directory: string;
  readonly intent: TakeIntent;
  readonly segments: ClosedSegment[] = [];
  records = 0;
  prev: string | undefined;
  hash: string | undefined;
  firstFrameAt: ClockReading | undefined;
  endReason: TakeEndRecord["reason"] | undefined;
  /** Latest end of a gap that it states. */
  statedToUtcMs = -Infinity;
  /** Segments of any take that its gaps call damaged. */
  readonly statedDamaged: DamagedSegment[] = [];
  /** What the recorder knew of the end beyond its reason; lost with the agent. */
  known: { cause: GapCause; detail: string } | undefined;
  /** Opened for the first record that this life of the agent adds. */
  private log: LineFile | undefined;
  private sizeBytes: number;

  private constructor(directory: string, intent: TakeIntent, sizeBytes: number) {
    this.directory = directory;
    this.intent = intent;
    this.sizeBytes = sizeBytes;
  }

  static async create(recordings: string, intent: TakeIntent): Promise<Take> {
    const directory = join(recordings, intent.session, intent.take);
    await makeDirectory(directory);
    await writeDurable(join(directory, INTENT), JSON.stringify(intent));
    const take = new Take(directory, intent, 0);
    take.log = await openLineFile(join(directory, RECORDS));
    return take;
  }

  /** Reads a take that is on disk; undefined where its folder never got as far as an intent. */
  static async load(directory: string): Promise<Take | undefined> {
    let text: string;
    try {
      text = await readFile(join(directory, INTENT), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const intent = TakeIntent.parse(JSON.parse(text));
    const path = join(directory, RECORDS);
    const written = await readFile(path, "utf8").catch(() => "");
    const lines = completeLines(written);
    const whole = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
    // A line that a power cut tore was never shown to anybody; another behind it would be unreadable.
    if (whole < Buffer.byteLength(written)) await truncate(path, whole);
    const take = new Take(directory, intent, whole);
    for (const line of lines) take.note(SignedRecord.parse(JSON.parse(line)).record);
    return take;
  }

  /** Whether an encoder ran for it; otherwise it only states a gap. */
  get hasMedia(): boolean {
    return this.intent.video !== null;
  }

  get id(): TakeId {
    return this.intent.take;
  }

  get frames(): number {
    return this.segments.reduce((sum, segment) => sum + segment.frames, 0);
  }

  get streamEndMs(): number {
    return this.segments.at(-1)?.streamEndMs ?? 0;
  }

  get durationMs(): number {
    return this.streamEndMs - (this.segments[0]?.streamStartMs ?? 0);
  }

  path(seq: number): string {
    return join(this.directory, segmentFileName(seq));
  }

  /** Where the take's media end, and why; undefined while it goes on. */
  end(): EndOfTake | undefined {
    if (this.endReason === undefined) return undefined;
    const last = this.segments.at(-1);
    const reading = last ? later(last.startedAt, last.streamEndMs - last.streamStartMs) : this.firstFrameAt;
    return { end: momentOf(reading ?? this.intent.plannedAt), reason: this.endReason, known: this.known };
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
    const { agentVersion, video, audio, source } = this.intent;
    await this.append(
      { kind: "takeStart", agentVersion, video, audio, source, firstFrameAt },
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
   * @returns false where the file is absent or holds nothing that plays: then it stays as it is, unrecorded
   */
  async close(listed: ListedSegment | undefined, signing: Signing): Promise<boolean> {
    const seq = this.segments.length;
    const path = this.path(seq);
    const writtenBytes = await syncFile(path);
    if (!writtenBytes) return false;
    // What was kept ready for this segment goes to the next; a medium that refuses has other troubles.
    await trimFile(path, writtenBytes).catch(() => {});
    await syncDirectory(this.directory);
    const counter = createMpegTsCounter();
    const { sha256, sizeBytes } = await sha256File(path, (chunk) => counter.push(chunk));
    const count = counter.count();
    if (sizeBytes === 0 || (!listed && count.videoFrames === 0 && count.audioPackets === 0)) return false;
    const near = this.streamEndMs;
    const frameMs = 1_000 / this.intent.video!.frameRate;
    const { firstVideoMs, lastVideoMs } = count;
    const streamStartMs = rounded(firstVideoMs === undefined ? near : unwrapMs(firstVideoMs, near));
    const lengthMs =
      lastVideoMs === undefined || firstVideoMs === undefined
        ? (listed?.endMs ?? 0) - (listed?.startMs ?? 0)
        : lastVideoMs - firstVideoMs + frameMs;
    const streamEndMs = rounded(streamStartMs + lengthMs);
    const base = this.segments[0]?.streamStartMs ?? streamStartMs;
    const startedAt = later(this.firstFrameAt ?? this.intent.plannedAt, streamStartMs - base);
    await this.append(
      {
        kind: "segment",
        ...{ seq, sizeBytes, sha256, frames: count.videoFrames, streamStartMs, streamEndMs, startedAt },
      },
      signing,
    );
    return true;
  }

  async finish(
    reason: TakeEndRecord["reason"],
    counts: { framesCaptured: number | null; framesEncoded: number | null },
    signing: Signing,
  ): Promise<void> {
    const { segments, frames } = this;
    await this.append({ kind: "takeEnd", reason, segments: segments.length, frames, ...counts }, signing);
    await this.release();
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
    return (await stat(this.path(this.segments.length)).catch(() => undefined))?.size ?? 0;
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
      this.log ??= await openLineFile(join(this.directory, RECORDS));
      await this.log.append(line);
    } catch (error) {
      // Half a line must not stay in front of the next try.
      await truncate(join(this.directory, RECORDS), this.sizeBytes).catch(() => {});
      throw error;
    }
    this.sizeBytes += Buffer.byteLength(line) + 1;
    this.note(signed.record);
    wrote(this);
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
      const { seq, sizeBytes, sha256, streamStartMs, streamEndMs, frames, startedAt } = record;
      this.segments.push({ seq, sizeBytes, sha256, streamStartMs, streamEndMs, frames, startedAt });
    }
    if (record.kind === "gap") {
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
