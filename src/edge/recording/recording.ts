import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Signer } from "../../evidence/evidence.ts";
import {
  backoffMs,
  causeOf,
  fileSize,
  makeDirectory,
  randomId,
  runForever,
  sha256File,
  syncFile,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import {
  makeId,
  type BoxId,
  type Health,
  type LiveKind,
  type PointId,
  type SegmentName,
  type SessionId,
  type SignedRecord,
  type TakeEndRecord,
  type TakeId,
} from "../../protocol/protocol.ts";
import {
  Capture,
  SEGMENT_LIST,
  SOUND_RATE,
  type CaptureConfig,
  type Devices,
  type EncoderRun,
  type RunTrouble,
} from "../capture/capture.ts";
import { gapBefore, gapToEnd, type Gap } from "./gap.ts";
import { Growth } from "./growth.ts";
import { nextStep, type Wish } from "./next-step.ts";
import { parseSegmentList, type ListedSegment } from "./segment-list.ts";
import { momentOf, readClocks, Take, type DamagedSegment, type Readings, type Signing } from "./take.ts";
import { Takes } from "./takes.ts";

export interface RecorderOptions extends Readings {
  clock: Clock;
  log: Log;
  config: CaptureConfig;
  dataDirectory: string;
  /** In tmpfs; survives the agent, not the boot. */
  runDirectory: string;
  /** Loopback RTMP relay; the same after a restart of the agent, since the encoder goes on publishing to it. */
  liveUrl: (kind: LiveKind, run: string) => string;
  hubOffset: () => { offsetMs: number; errorMs: number } | null;
  agentVersion: string;
  listDevices?: (() => Promise<Devices>) | undefined;
}

export interface RecorderIdentity {
  box: BoxId;
  point: PointId;
  signer: Signer;
}

export interface RecorderFacts extends Pick<Health, "encoder" | "picture" | "sound" | "source"> {
  /** Of Health["recording"], what the recorder knows. */
  recording: { session: SessionId | null; take: TakeId | null; seconds: number; growing: boolean };
}

export interface Recorder {
  /** Null: preview only, unpublished. */
  setIdentity(identity: RecorderIdentity | null): void;
  /** What to record; `why` is the reason that goes into the record of a take that ends by this. Idempotent. */
  setSession(session: { id: SessionId; startedAt: string } | null, why: "sessionEnded" | "paused"): void;
  /** Sessions that have ended: what this box's recordings of them do not reach is stated. */
  setEnded(sessions: readonly { id: SessionId; endedAt: string }[]): void;
  /**
   * Reads a closed segment again. One that is not what was recorded is stated as damaged, and is no longer among the
   * segments from then on.
   */
  examine(name: SegmentName): Promise<"whole" | "damaged">;
  /** Called after each record that has reached the disk. */
  onRecord(listener: (take: TakeId) => void): void;
  takes(): { session: SessionId; take: TakeId; records: number; ended: boolean }[];
  records(take: TakeId, fromN: number, limit: number): Promise<SignedRecord[]>;
  /** Closed segments: on disk, recorded and never changed again. */
  segments(): { name: SegmentName; sizeBytes: number; path: string }[];
  /** Of a closed segment, as signed. */
  sha256(take: TakeId, seq: number): string | undefined;
  /** Bytes of a session's closed segments. */
  sessionBytes(session: SessionId): number;
  /** The segment that is being written now. */
  openSegment(): { name: SegmentName; path: string } | null;
  facts(): RecorderFacts;
  /** The take that is being written now and the segment that is open in it; null while nothing is recorded. */
  writing(): { take: TakeId; directory: string; openSeq: number; frameRate: number } | null;
  /** The program that records, for whoever looks into its files. */
  ffmpeg(): Promise<string>;
  /** A JPEG that the encoder keeps rewriting. */
  ownPicture(): string;
  /** Records until the signal aborts; then the encoder is stopped in good order and the take is closed. */
  run(signal: AbortSignal): Promise<void>;
}

interface Active {
  run: EncoderRun;
  wish: Wish;
  take: Take | undefined;
  growth: Growth;
  startedMs: number;
}

interface Closing {
  take: Take;
  reason: TakeEndRecord["reason"];
  first: { monotonicMs: number } | undefined;
  counts: { framesCaptured: number | null; framesEncoded: number | null };
}

const LOOK_MS = 200;
/** A power cut costs half of this in the middle, and all of it at worst (`npm run bench -- powercut`). */
const SYNC_MS = 100;
const BETTER_SOURCE_MS = 2_000;
const RESTART_BASE_MS = 200;
const RESTART_CAP_MS = 1_000;
/** A run this long was healthy: the next failure is answered at once again. */
const HEALTHY_MS = 10_000;
const FAILED_AFTER = 3;

export async function openRecorder(options: RecorderOptions): Promise<Recorder> {
  const recordings = join(options.dataDirectory, "recordings");
  await makeDirectory(recordings);
  return new BoxRecorder(options, recordings, await Takes.load(recordings, options.log));
}

/**
 * INVARIANTS
 * - One loop (`step`) starts and ends encoders and makes records; the setters only change the wish and wake it.
 * - An encoder that should record is started before anything else is done; closing the former take comes after.
 * - Records of a box are one chain: a take gets its first record only when all former takes of this identity are ended.
 * - Nothing that was recorded is ever removed or changed here.
 * - A failure of this object leaves the encoder running; the next step, or the next life, goes on from the disk.
 */
class BoxRecorder implements Recorder {
  private readonly options: RecorderOptions;
  private readonly recordings: string;
  private readonly stored: Takes;
  private readonly capture: Capture;
  private readonly listeners: ((take: TakeId) => void)[] = [];
  private identity: RecorderIdentity | null = null;
  private session: { id: SessionId; startedAt: string } | null = null;
  private why: "sessionEnded" | "paused" = "sessionEnded";
  /** Replaced by each change that matters, so that a pause and a resume between two steps are still two changes. */
  private wish: Wish = { session: null, box: null };
  private wake = Promise.withResolvers<void>();
  private active: Active | undefined;
  private closing: Closing[] = [];
  /** Of a take that could not be created (a full disk): tried again by this name, so that folders do not pile up. */
  private unused: TakeId | undefined;
  private ended: readonly { id: SessionId; endedAt: string }[] = [];
  /** Found damaged, and not yet stated. */
  private damaged: { name: SegmentName; sha256: string }[] = [];
  private failures = 0;
  private betterLookMs = 0;

  constructor(options: RecorderOptions, recordings: string, stored: Takes) {
    this.options = options;
    this.recordings = recordings;
    this.stored = stored;
    this.capture = new Capture(options);
  }

  setIdentity(identity: RecorderIdentity | null): void {
    const same = this.identity?.box === identity?.box && this.identity?.point === identity?.point;
    this.identity = identity;
    if (!same) this.rewish();
  }

  setSession(session: { id: SessionId; startedAt: string } | null, why: "sessionEnded" | "paused"): void {
    if (this.session?.id === session?.id) return;
    this.why = session === null ? why : this.session === null ? this.why : "sessionEnded";
    this.session = session;
    this.rewish();
  }

  setEnded(sessions: readonly { id: SessionId; endedAt: string }[]): void {
    this.ended = sessions;
  }

  onRecord(listener: (take: TakeId) => void): void {
    this.listeners.push(listener);
  }

  takes() {
    return this.stored.recorded().map((take) => ({
      session: take.intent.session,
      take: take.id,
      records: take.records,
      ended: take.endReason !== undefined,
    }));
  }

  records(take: TakeId, fromN: number, limit: number): Promise<SignedRecord[]> {
    return this.stored.records(take, fromN, limit);
  }

  segments() {
    const isDamaged = (take: TakeId, seq: number) =>
      this.damaged.some(({ name }) => name.take === take && name.seq === seq) || this.stored.isDamaged(take, seq);
    return this.stored.recorded().flatMap((take) =>
      take.segments
        .filter(({ seq }) => !isDamaged(take.id, seq))
        .map(({ seq, sizeBytes }) => ({
          name: { session: take.intent.session, take: take.id, seq },
          sizeBytes,
          path: take.path(seq),
        })),
    );
  }

  sha256(take: TakeId, seq: number): string | undefined {
    return this.stored.get(take)?.segments[seq]?.sha256;
  }

  sessionBytes(session: SessionId): number {
    const segments = this.stored.ofSession(session).flatMap((take) => take.segments);
    return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  openSegment(): { name: SegmentName; path: string } | null {
    const take = this.active?.take;
    if (!take) return null;
    const seq = take.segments.length;
    return { name: { session: take.intent.session, take: take.id, seq }, path: take.path(seq) };
  }

  async examine(name: SegmentName): Promise<"whole" | "damaged"> {
    const take = this.stored.get(name.take);
    const recorded = take?.segments[name.seq];
    if (!take || !recorded) return "whole";
    if (this.stored.isDamaged(name.take, name.seq)) return "damaged";
    const now = await sha256File(take.path(name.seq)).catch((error: NodeJS.ErrnoException) => {
      // Evicted, or on a disk that will be back.
      this.options.log.warn("recording.unreadable", { take: name.take, seq: name.seq, cause: causeOf(error) });
    });
    if (!now) return "whole";
    const { sha256 } = now;
    if (sha256 === recorded.sha256) return "whole";
    if (!this.damaged.some((other) => other.name.take === name.take && other.name.seq === name.seq)) {
      this.options.log.error("recording.segmentDamaged", { take: name.take, seq: name.seq, sha256 });
      this.damaged.push({ name, sha256 });
    }
    this.wake.resolve();
    return "damaged";
  }

  ownPicture(): string {
    return this.capture.ownPicture;
  }

  writing() {
    const take = this.active?.take;
    if (!take?.intent.video) return null;
    const { frameRate } = take.intent.video;
    return { take: take.id, directory: take.directory, openSeq: take.segments.length, frameRate };
  }

  ffmpeg(): Promise<string> {
    return this.capture.ffmpeg();
  }

  facts(): RecorderFacts {
    const { active, session, identity } = this;
    const idle = { fps: 0, frames: 0, droppedFrames: 0, duplicatedFrames: 0, speed: 0 };
    const failed = this.failures >= FAILED_AFTER;
    const seen: Pick<Health, "encoder" | "picture" | "sound" | "source"> =
      active && !failed
        ? active.run.facts()
        : {
            encoder: { state: failed ? "failed" : "starting", ...idle },
            picture: "none",
            sound: { state: "none", levelLufs: null, speech: false },
            source: active?.run.memory.source.words ?? "",
          };
    const wanted = identity && session ? session.id : null;
    const take = active?.take;
    const doneMs = wanted
      ? this.stored.ofSession(wanted).reduce((sum, other) => sum + (other === take ? 0 : other.durationMs), 0)
      : 0;
    const nowMs = take ? Math.max(take.durationMs, active.run.outTimeMs()) : 0;
    const growing = take !== undefined && active!.growth.growing(this.options.clock.monotonicMs());
    return {
      ...seen,
      recording: { session: wanted, take: take?.id ?? null, seconds: (doneMs + nowMs) / 1_000, growing },
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options;
    signal.addEventListener("abort", () => this.wake.resolve(), { once: true });
    const settled = new AbortController();
    const retry = { clock, log, baseMs: RESTART_BASE_MS, capMs: RESTART_CAP_MS };
    const syncing = runForever({ ...retry, name: "recording.sync" }, settled.signal, (s) => this.keepSynced(s));
    try {
      await this.takeOver();
      await runForever({ ...retry, name: "recording" }, signal, async () => {
        while (!signal.aborted) {
          await this.step(signal).catch((error: unknown) => {
            this.failures++;
            throw error;
          });
          await this.pause(LOOK_MS);
        }
      });
    } finally {
      if (this.active) await this.end("agentStopped", undefined);
      await this.closeFormer().catch((error: unknown) => log.error("recording.closing", { cause: causeOf(error) }));
      settled.abort();
      await syncing;
    }
  }

  private rewish(): void {
    const { identity, session } = this;
    this.wish = { session: identity && session ? session.id : null, box: identity?.box ?? null };
    this.wake.resolve();
  }

  /** Finds the encoder of an earlier life. What it records goes on, if it is what should be recorded. */
  private async takeOver(): Promise<void> {
    const run = await this.capture.adopt();
    if (!run) return;
    const { goal } = run.memory;
    const take = goal.kind === "record" ? this.stored.get(goal.take) : undefined;
    const { wish } = this;
    const fits =
      goal.kind === "record"
        ? take !== undefined && wish.session === goal.session && wish.box === take.intent.box
        : wish.session === null && goal.live === (wish.box !== null);
    if (goal.kind === "record" && !take) return run.kill();
    const startedMs = this.options.clock.monotonicMs();
    // A wish of its own never equals the present one: then the next step ends this run in good order.
    this.active = { run, take, wish: fits ? wish : { ...wish }, growth: new Growth(startedMs), startedMs };
  }

  private async step(signal: AbortSignal): Promise<void> {
    const { active, options } = this;
    if (active) {
      await active.run.observe();
      if (active.take) await this.follow(active, active.take);
    }
    const nowMs = options.clock.monotonicMs();
    const step = nextStep({
      wish: this.wish,
      why: this.why,
      run: active && {
        wish: active.wish,
        records: active.take !== undefined,
        trouble: active.run.trouble() ?? (active.growth.stalled(nowMs) ? { kind: "stalled" } : undefined),
        betterSource: await this.betterSource(nowMs),
      },
    });
    if (step.kind === "goOn") {
      if (active && nowMs - active.startedMs > HEALTHY_MS) this.failures = 0;
      return this.closeFormer();
    }
    if (step.kind === "end") {
      if (step.deviceBack && active?.take)
        active.take.known = { cause: "deviceLost", detail: "plugged in again: the take ended for its sake" };
      await this.end(step.reason, step.trouble);
      if (step.failed) {
        this.failures++;
        // The first failure is answered at once.
        if (this.failures > 1) await this.pause(backoffMs(this.failures - 1, RESTART_BASE_MS, RESTART_CAP_MS));
      }
    }
    if (signal.aborted) return;
    await this.start();
    await this.closeFormer();
  }

  private async start(): Promise<void> {
    const { wish, session, identity, options } = this;
    const source = await this.capture.choose();
    const startedMs = options.clock.monotonicMs();
    if (!identity || !session) {
      const run = await this.capture.start({ kind: "preview", live: identity !== null }, source);
      this.active = { run, wish, take: undefined, growth: new Growth(startedMs), startedMs };
      return;
    }
    const { width, height, frameRate } = this.capture.quality.record;
    // An encoder that dies before its first frame, again and again, leaves one empty folder behind and not thousands.
    const spare = await this.spareTake(session.id, identity.box);
    const take = await Take.create(this.recordings, {
      v: 1,
      box: identity.box,
      point: identity.point,
      session: session.id,
      take: (this.unused = spare?.id ?? this.unused ?? makeId("take", randomId())),
      agentVersion: options.agentVersion,
      source: source.words,
      video: { codec: "h264", width, height, frameRate },
      audio: { codec: "aac", sampleRate: SOUND_RATE, channels: 1 },
      sessionStartedAt: session.startedAt,
      plannedAt: readClocks(options),
    });
    this.unused = undefined;
    const { directory } = take;
    const goal = { kind: "record", session: session.id, take: take.id, directory } as const;
    this.stored.add(take);
    const run = await this.capture.start(goal, source);
    this.active = { run, wish, take, growth: new Growth(startedMs), startedMs };
  }

  /** A take of this session that came to nothing. */
  private async spareTake(session: SessionId, box: BoxId): Promise<Take | undefined> {
    for (const take of this.stored.unfinished(box, undefined)) {
      if (take.intent.session !== session || take.records > 0 || (await take.openBytes()) > 0) continue;
      await take.release();
      this.stored.forget(take);
      this.closing = this.closing.filter((closing) => closing.take !== take);
      return take;
    }
    return undefined;
  }

  /** Makes the records that the encoder's files call for. */
  private async follow(active: Active, take: Take): Promise<void> {
    const openBytes = await take.openBytes();
    const closedBytes = take.segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
    active.growth.note(take.segments.length, openBytes + closedBytes, this.options.clock.monotonicMs());
    const first = active.run.firstFrame();
    if (take.records === 0) {
      if (!first || openBytes === 0) return;
      await this.closeFormer();
      await this.begin(take, first);
    }
    // The list grows all day: it is read when the encoder has gone on to the next file.
    if ((await fileSize(take.path(take.segments.length + 1))) === undefined) return;
    const listed = await this.listed(take);
    const signing = this.signing(take);
    if (!signing) return;
    for (let next = listed.get(take.segments.length); next; next = listed.get(take.segments.length))
      if (!(await take.close(next, signing))) break;
  }

  /** The first records of a take. */
  private async begin(take: Take, first: { monotonicMs: number } | undefined): Promise<void> {
    const signing = this.signing(take);
    if (!signing) return;
    const { session, sessionStartedAt, box } = take.intent;
    const firstFrameAt = first ? readClocks(this.options, first.monotonicMs) : await take.bornAt();
    const former = this.stored.ofSession(session).at(-1)?.end();
    const gap = gapBefore(momentOf(firstFrameAt), former, Date.parse(sessionStartedAt));
    await take.start(firstFrameAt, gap, this.stored.lastHash(box), signing);
    this.options.log.info("recording.takeStarted", { take: take.id, session, gap: gap?.cause, gapMs: gap?.durationMs });
  }

  private async end(reason: TakeEndRecord["reason"], trouble: RunTrouble | undefined): Promise<void> {
    const { active, options } = this;
    if (!active) return;
    const { run, take } = active;
    if (trouble) {
      const device = trouble.kind === "deviceLost" ? trouble.device : undefined;
      const words = await run.lastWords();
      options.log.warn("capture.trouble", { kind: trouble.kind, device, words });
      this.capture.noteFailure(run, words);
      if (trouble.kind === "deviceLost") {
        if (take) take.known = { cause: "deviceLost", detail: `unplugged: ${trouble.device}` };
        await run.finish();
      } else await run.kill();
    } else if (take) {
      const how = await run.finish();
      options.log.info("capture.ended", { how, reason });
    } else await run.kill();
    this.active = undefined;
    if (take) this.closing.push({ take, reason, first: run.firstFrame(), counts: run.counts() });
  }

  /** Ends the takes whose encoder is gone: those of this life, and before them those that an earlier life left. */
  private async closeFormer(): Promise<void> {
    const { identity, active } = this;
    if (!identity) return;
    for (const take of this.stored.unfinished(identity.box, active?.take)) {
      const counts = { framesCaptured: null, framesEncoded: null };
      const closing = this.closing.find((c) => c.take === take) ?? {
        take,
        reason: "recovered" as const,
        first: undefined,
        counts,
      };
      await this.close(closing);
      this.closing = this.closing.filter((other) => other !== closing);
    }
    // The chain is the running take's once that has begun.
    const running = active?.take && active.take.records > 0 ? active.take : undefined;
    if (!running) await this.stateEnds(identity);
    await this.stateDamage(identity, running);
  }

  /** @param running the take that the chain is at; damage of another session waits for its end */
  private async stateDamage({ box }: RecorderIdentity, running: Take | undefined): Promise<void> {
    for (const found of [...this.damaged]) {
      const { name, sha256 } = found;
      const take = this.stored.get(name.take);
      const segment = take?.segments[name.seq];
      if (!take || !segment || take.intent.box !== box) continue;
      if (running && running.intent.session !== name.session) continue;
      const fromUtcMs = Date.parse(segment.startedAt.utc);
      const durationMs = segment.streamEndMs - segment.streamStartMs;
      const gap: Gap = {
        ...{ cause: "segmentDamaged", fromUtcMs, toUtcMs: fromUtcMs + durationMs, durationMs },
        detail: `the file's SHA-256 is now ${sha256}`,
      };
      const { take: id, seq } = name;
      if (!running) await this.stateAlone(take, gap, { take: id, seq });
      else {
        const signing = this.signing(running);
        if (!signing) return;
        await running.state(gap, signing, { take: id, seq });
      }
      this.damaged = this.damaged.filter((other) => other !== found);
    }
  }

  /** Makes a take without media that states a gap of a session whose recordings have all ended. */
  private async stateAlone(of: Take, gap: Gap, segment?: DamagedSegment): Promise<void> {
    const { box, point, session, sessionStartedAt } = of.intent;
    const { agentVersion } = this.options;
    const take = await Take.create(this.recordings, {
      ...{ v: 1, box, point, session, take: makeId("take", randomId()), agentVersion, sessionStartedAt },
      ...{ source: "", video: null, audio: null },
      plannedAt: readClocks(this.options),
    });
    this.stored.add(take);
    const signing = this.signing(take);
    if (!signing) return;
    await take.start(undefined, undefined, this.stored.lastHash(box), signing);
    await take.state(gap, signing, segment);
    await take.finish("sessionEnded", { framesCaptured: null, framesEncoded: null }, signing);
  }

  /** States what the recordings of ended sessions do not reach: nothing will be recorded there any more. */
  private async stateEnds({ box }: RecorderIdentity): Promise<void> {
    const { options, stored, ended } = this;
    for (const { id, endedAt } of ended) {
      const endedUtcMs = Date.parse(endedAt);
      const last = stored.ofSession(id).at(-1);
      if (last?.intent.box !== box || stored.endStated(id, endedUtcMs)) continue;
      const former = last.end();
      if (!former) return;
      const gap = gapToEnd(former, endedUtcMs, momentOf(readClocks(options)));
      if (!gap) continue;
      await this.stateAlone(last, gap);
      options.log.warn("recording.endMissing", { session: id, cause: gap.cause, gapMs: gap.durationMs });
    }
    // Another schedule may have come meanwhile.
    if (this.ended === ended) this.ended = [];
  }

  private async close({ take, reason, first, counts }: Closing): Promise<void> {
    const signing = this.signing(take);
    if (!signing) return;
    const { log } = this.options;
    if (take.records === 0) {
      if ((await take.openBytes()) === 0) {
        log.warn("recording.emptyTake", { take: take.id, session: take.intent.session });
        await take.release();
        return this.stored.forget(take);
      }
      await this.begin(take, first);
    }
    const listed = await this.listed(take);
    while (await take.close(listed.get(take.segments.length), signing));
    await take.finish(reason, counts, signing);
    log.info("recording.takeEnded", {
      take: take.id,
      reason,
      segments: take.segments.length,
      frames: take.frames,
      ...counts,
    });
  }

  private async listed(take: Take): Promise<Map<number, ListedSegment>> {
    const text = await readFile(join(take.directory, SEGMENT_LIST), "utf8").catch(() => "");
    return new Map(parseSegmentList(text.split("\n").slice(0, -1)).map((segment) => [segment.seq, segment]));
  }

  private signing(take: Take): Signing | undefined {
    const { identity } = this;
    if (identity?.box !== take.intent.box) return undefined;
    const wrote = (written: Take) => this.listeners.forEach((listener) => listener(written.id));
    return { sign: identity.signer, readings: this.options, wrote };
  }

  /** A camera or microphone that is missing is looked for every now and then. */
  private async betterSource(nowMs: number): Promise<boolean> {
    if (!this.active || nowMs - this.betterLookMs < BETTER_SOURCE_MS) return false;
    this.betterLookMs = nowMs;
    return this.capture.better(this.active.run);
  }

  /**
   * What has been written survives a power cut a moment later. The file behind the open one too: it may have been begun
   * since the last look, and by then the open one, synced first, is whole.
   */
  private async keepSynced(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const take = this.active?.take;
      const seq = take?.segments.length ?? 0;
      if (take && (await syncFile(take.path(seq))) !== undefined) await syncFile(take.path(seq + 1));
      await this.options.clock.sleep(SYNC_MS, signal);
    }
  }

  /** Until the time is up, the wish changes or the encoder ends, whichever is first. */
  private async pause(ms: number): Promise<void> {
    const enough = new AbortController();
    const slept = this.options.clock.sleep(ms, enough.signal).catch(() => {});
    await Promise.race([slept, this.wake.promise, ...(this.active ? [this.active.run.exited] : [])]);
    enough.abort();
    this.wake = Promise.withResolvers<void>();
  }
}
