import { join } from "node:path";
import { backoffMs, causeOf, randomId, runForever } from "../../platform/platform.ts";
import {
  makeId,
  type DeviceOrder,
  type Health,
  type SegmentName,
  type SessionId,
  type SignedRecord,
  type TakeEndRecord,
  type TakeId,
  type Track,
} from "../../protocol/protocol.ts";
import { Capture, SOUND_RATE, type EncoderRun, type ShareUrls } from "../capture/capture.ts";
import type { DeviceBook } from "../devices/devices.ts";
import { Chronicle, type EndedSession, type RecorderIdentity } from "./chronicle.ts";
import { Growth } from "./growth.ts";
import { nextStep, type Trouble, type Wish } from "./next-step.ts";
import type { Past } from "./past.ts";
import { Placement } from "./placement.ts";
import { readClocks } from "./readings.ts";
import { RecordedTakes, type RecordedSegment, type RecordedTake } from "./recorded-takes.ts";
import type { Recorder, RecorderFacts, RecorderOptions } from "./recording.ts";
import type { Take } from "./take.ts";
import type { Takes } from "./takes.ts";
import { Written } from "./written.ts";

interface Active {
  /** A better source waits for the end of the segment that was open when it was found. */
  betterAfterSeq?: number | undefined;
  run: EncoderRun;
  wish: Wish;
  take: Take | undefined;
  growth: Growth;
  startedMs: number;
  /** Its end is nothing new. */
  isEnding?: true;
}

const LOOK_MS = 200;
/** While there is nothing to record and nothing to preview; a new wish wakes at once. */
const IDLE_LOOK_MS = 1_000;
const BETTER_SOURCE_MS = 2_000;
/** Asking PipeWire is a process each time. */
const ECHO_LOOK_MS = 5_000;
const RESTART_BASE_MS = 200;
const RESTART_CAP_MS = 1_000;
/** A run this long was healthy: the next failure is answered at once again. */
const HEALTHY_MS = 10_000;
const FAILED_AFTER = 3;

/**
 * INVARIANTS
 * - One loop (`step`) starts and ends encoders and has records made; the setters only change the wish and wake it.
 * - An encoder that should record is started before anything else is done; closing the former take comes after.
 * - Nothing that was recorded is ever removed or changed here.
 * - A failure of this object leaves the encoder running; the next step, or the next life, goes on from the disk.
 */
export class BoxRecorder implements Recorder {
  private readonly options: RecorderOptions;
  private readonly track: Track;
  private readonly stored: Takes;
  private readonly capture: Capture;
  private readonly devices: DeviceBook;
  private readonly placement: Placement;
  private readonly recorded: RecordedTakes;
  private readonly chronicle: Chronicle;
  private session: { id: SessionId; startedAt: string } | null = null;
  private why: "sessionEnded" | "paused" = "sessionEnded";
  /** Replaced by each change that matters, so that a pause and a resume between two steps are still two changes. */
  private wish: Wish = { session: null, box: null };
  private wake = Promise.withResolvers<void>();
  private active: Active | undefined;
  /** Of a take that could not be created (a full disk): tried again by this name, so that folders do not pile up. */
  private unused: TakeId | undefined;
  private share: ShareUrls | null = null;
  private failures = 0;
  private turned: number;
  private betterLookMs = 0;
  private readonly written: Written;
  private echo: { run: EncoderRun; state: Health["echo"] } | undefined;

  /** @param place the data directory's recordings, and what is stored there of the track */
  constructor(
    options: RecorderOptions,
    place: { recordings: string; past: Past; track: Track; stored: Takes; devices: DeviceBook },
  ) {
    const { log, fallback, agentVersion } = options;
    const { recordings, past, track, stored, devices } = place;
    this.options = options;
    this.track = track;
    this.stored = stored;
    this.turned = options.clock.monotonicMs();
    this.devices = devices;
    const verdictFile = track === "room" ? join(options.dataDirectory, "encoder.json") : undefined;
    this.capture = new Capture({ ...options, devices, verdictFile, share: () => this.share });
    devices.onChange(() => {
      this.betterLookMs = -Infinity;
      this.wake.resolve();
    });
    const take = () => this.active?.take;
    this.written = new Written({ clock: options.clock, take, onRefused: () => this.wake.resolve() });
    const placement = (this.placement = new Placement(recordings, fallback, log));
    const recorded = (this.recorded = new RecordedTakes({ stored, past, placement, log }));
    const session = () => this.session;
    this.chronicle = new Chronicle({
      readings: options,
      log,
      track,
      agentVersion,
      stored,
      placement,
      recorded,
      session,
    });
  }

  setIdentity(identity: RecorderIdentity | null): void {
    const { identity: former } = this.chronicle;
    const same = former?.box === identity?.box && former?.point === identity?.point;
    this.chronicle.identity = identity;
    if (!same) this.rewish();
  }

  setSession(session: { id: SessionId; startedAt: string } | null, why: "sessionEnded" | "paused"): void {
    if (this.session?.id === session?.id) {
      this.session = session;
      return;
    }
    this.why = session === null ? why : this.session === null ? this.why : "sessionEnded";
    this.session = session;
    this.rewish();
  }

  setEnded(sessions: readonly EndedSession[]): void {
    this.chronicle.ended = sessions;
  }

  setDeviceOrder(order: DeviceOrder | null): void {
    this.devices.setOrder(order);
  }

  setShare(share: ShareUrls | null): void {
    const same = this.share?.picture === share?.picture && this.share?.sound === share?.sound;
    this.share = share;
    if (!same && this.session === null) this.rewish();
  }

  onRecord(listener: (take: TakeId) => void): void {
    this.chronicle.onRecord(listener);
  }

  takes(): RecordedTake[] {
    return this.recorded.takes();
  }

  records(take: TakeId, fromN: number, limit: number): Promise<SignedRecord[]> {
    return this.recorded.records(take, fromN, limit);
  }

  segments(of?: (take: RecordedTake) => boolean): RecordedSegment[] {
    return this.recorded.segments(of);
  }

  sha256(take: TakeId, seq: number): Promise<string | undefined> {
    return this.recorded.sha256(take, seq);
  }

  sessionBytes(session: SessionId): number {
    return this.recorded.sessionBytes(session);
  }

  retire(done: ReadonlySet<TakeId>): Promise<number> {
    return this.recorded.retire(done);
  }

  past(): Promise<Set<TakeId>> {
    return this.recorded.past();
  }

  async examine(name: SegmentName): Promise<"whole" | "damaged"> {
    const found = await this.recorded.examine(name);
    if (found === "damaged") this.wake.resolve();
    return found;
  }

  openSegment(): { name: SegmentName; path: string } | null {
    const take = this.active?.take;
    if (!take) return null;
    const seq = take.closed;
    return { name: { session: take.intent.session, take: take.id, seq }, path: take.path(seq) };
  }

  ownPicture(): string {
    return this.capture.ownPicture;
  }

  level() {
    return this.active?.run.level();
  }

  microphone(): string | undefined {
    const sound = this.active?.run.memory.source.sound;
    return sound?.kind === "pulse" ? sound.address : undefined;
  }

  writing() {
    const take = this.active?.take;
    if (!take?.intent.video) return null;
    const { frameRate } = take.intent.video;
    return { take: take.id, directory: take.directory, openSeq: take.closed, frameRate };
  }

  ffmpeg(): Promise<string> {
    return this.capture.ffmpeg();
  }

  turnedMs(): number {
    return this.turned;
  }

  unreadable(): ReadonlySet<string> {
    return this.stored.unreadable;
  }

  facts(): RecorderFacts {
    const { active, session } = this;
    const { identity } = this.chronicle;
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
      encoder: { ...seen.encoder, by: this.capture.videoEncoder() },
      ...(this.echo?.run === active?.run && { echo: this.echo?.state }),
      devices: this.capture.deviceFacts(),
      recording: { session: wanted, take: take?.id ?? null, seconds: (doneMs + nowMs) / 1_000, growing },
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options;
    signal.addEventListener("abort", () => this.wake.resolve(), { once: true });
    const settled = new AbortController();
    const retry = { clock, log, baseMs: RESTART_BASE_MS, capMs: RESTART_CAP_MS };
    let summarising: Promise<void> | undefined;
    const syncing = runForever({ ...retry, name: "recording.sync" }, settled.signal, (s) => this.written.keep(s));
    const watching = this.capture.deviceFacts() ? this.devices.run(settled.signal) : undefined;
    const tending = runForever({ ...retry, name: "recording.echo" }, settled.signal, (s) => this.keepTended(s));
    try {
      await this.takeOver();
      summarising = this.stored.summarise(settled.signal);
      await runForever({ ...retry, name: "recording" }, signal, async () => {
        while (!signal.aborted) {
          this.turned = clock.monotonicMs();
          await this.step(signal).catch((error: unknown) => {
            this.failures++;
            throw error;
          });
          await this.pause(this.active || this.wish.session !== null ? LOOK_MS : IDLE_LOOK_MS);
        }
      });
    } finally {
      if (this.active) await this.end("agentStopped", undefined);
      await this.closeFormer().catch((error: unknown) => log.error("recording.closing", { cause: causeOf(error) }));
      settled.abort();
      await Promise.all([syncing, tending, summarising, watching]);
    }
  }

  private rewish(): void {
    const { session } = this;
    const { identity } = this.chronicle;
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
    this.attend({ run, take, wish: fits ? wish : { ...wish }, growth: new Growth(startedMs), startedMs });
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
        trouble:
          active.run.trouble() ?? (active.growth.stalled() ? { kind: "stalled" } : await this.mediumTrouble(active)),
        betterSource: await this.betterSource(nowMs),
      },
    });
    if (step.kind === "goOn") {
      if (active && nowMs - active.startedMs > HEALTHY_MS) this.failures = 0;
      return this.closeFormer();
    }
    if (step.kind === "end") {
      if (step.deviceBack && active?.take)
        active.take.known =
          active.betterAfterSeq === undefined
            ? { cause: "deviceLost", detail: "plugged in again: the take ended for its sake" }
            : { cause: "deviceChanged", detail: `instead of ${active.run.memory.source.words}, which worked` };
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
    const { wish, session, options } = this;
    const { identity } = this.chronicle;
    if (this.track === "screen" && (!identity || !session)) return;
    const source = await this.capture.choose(session !== null);
    if (!source) return;
    const startedMs = options.clock.monotonicMs();
    if (!identity || !session) {
      const run = await this.capture.start({ kind: "preview", live: identity !== null }, source);
      this.capture.tryHardware();
      this.attend({ run, wish, take: undefined, growth: new Growth(startedMs), startedMs });
      return;
    }
    this.capture.stopTrial();
    const { width, height, frameRate } = this.capture.quality.record;
    // An encoder that dies before its first frame, again and again, leaves one empty folder behind and not thousands.
    const spare = await this.chronicle.spare(session.id);
    const take = await this.placement.create({
      v: 1,
      box: identity.box,
      point: identity.point,
      session: session.id,
      track: this.track,
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
    this.attend({ run, wish, take, growth: new Growth(startedMs), startedMs });
  }

  /** Told once of the encoder's end: to ask in each pause would leave something behind in its promise each time. */
  private attend(active: Active): void {
    this.active = active;
    void active.run.exited.then(() => active.isEnding || this.wake.resolve());
  }

  /** The encoder may notice nothing: its writes end in memory. */
  private async mediumTrouble({ take }: Active): Promise<Trouble | undefined> {
    const error = this.written.unsynced;
    if (!take || error === undefined || !(await this.placement.leave(take, error))) return undefined;
    return { kind: "mediumFailed" };
  }

  /** Has the records made that the encoder's files call for. */
  private async follow(active: Active, take: Take): Promise<void> {
    const nowMs = this.options.clock.monotonicMs();
    if (take.records > 0 && !active.growth.isDue(nowMs)) return;
    const nextSeq = take.closed + 1;
    const [openBytes, nextBytes] = await Promise.all([take.openBytes(), take.bytesOf(nextSeq)]);
    active.growth.note(take.closed, openBytes + take.closedBytes, nowMs);
    const first = active.run.firstFrame();
    if (take.records === 0) {
      if (!first || openBytes === 0) return;
      await this.closeFormer();
      await this.chronicle.begin(take, first);
    }
    // The list grows all day: it is read when the encoder has gone on to the next file.
    if (nextBytes === undefined) return;
    this.written.begun = take.path(nextSeq);
    await this.chronicle.follow(take);
  }

  private closeFormer(): Promise<void> {
    return this.chronicle.closeFormer(this.active?.take);
  }

  private async end(reason: TakeEndRecord["reason"], trouble: Trouble | undefined): Promise<void> {
    const { active, options } = this;
    if (!active) return;
    const { run, take } = active;
    active.isEnding = true;
    if (trouble) {
      const device = trouble.kind === "deviceLost" ? trouble.device : undefined;
      const words = await run.lastWords();
      options.log.warn("capture.trouble", { kind: trouble.kind, device, words });
      if (trouble.kind !== "mediumFailed") this.capture.noteTrouble(run, trouble, words);
      if (trouble.kind === "deviceLost") {
        if (take) take.known = { cause: "deviceLost", detail: `unplugged: ${trouble.device}` };
        await run.finish();
      } else await run.kill();
    } else if (take) {
      const how = await run.finish();
      options.log.info("capture.ended", { how, reason });
    } else await run.kill();
    this.active = undefined;
    if (take) this.chronicle.leave({ take, reason, first: run.firstFrame(), counts: run.counts() });
  }

  /**
   * A camera or microphone that is missing is looked for every now and then; one that is better than the one in use
   * waits until a segment ends.
   */
  private async betterSource(nowMs: number): Promise<boolean> {
    const { active } = this;
    if (!active) return false;
    const seq = active.take?.closed ?? 0;
    if (active.betterAfterSeq !== undefined && seq > active.betterAfterSeq) return true;
    if (nowMs - this.betterLookMs < BETTER_SOURCE_MS) return false;
    this.betterLookMs = nowMs;
    const better = await this.capture.better(active.run);
    if (better !== "atBorder") active.betterAfterSeq = undefined;
    else active.betterAfterSeq ??= active.take ? seq : seq - 1;
    return better === "now" || (better === "atBorder" && !active.take);
  }

  /** The live sound's canceller is looked after beside the recording, which never waits for it. */
  private async keepTended(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const run = this.active?.run;
      if (run) {
        const state = await this.capture.tend(run);
        if (state !== this.echo?.state) this.options.log.info("capture.echo", { state });
        this.echo = { run, state };
      }
      await this.options.clock.sleep(ECHO_LOOK_MS, signal);
    }
  }

  /** Until the time is up, the wish changes or the encoder ends, whichever is first. */
  private async pause(ms: number): Promise<void> {
    const enough = new AbortController();
    let isOver = false;
    const slept = this.options.clock.sleep(ms, enough.signal).then(
      () => (isOver = true),
      () => {},
    );
    await Promise.race([slept, this.wake.promise]);
    if (!isOver) enough.abort();
    this.wake = Promise.withResolvers<void>();
  }
}
