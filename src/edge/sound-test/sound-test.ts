import { join } from "node:path";
import { z } from "zod";
import {
  causeOf,
  readIfExists,
  runChecked,
  startProcess,
  writeDurable,
  type Child,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import { SoundTest, type RoomSoundTest, type SoundTestPhase, type SoundTestRefusal } from "../../protocol/protocol.ts";
import { liveSound } from "../capture/capture.ts";
import { judgeEcho, judgeVoice, levelled, TEST_RATE, type Heard } from "./judge.ts";

export interface SoundTesterOptions {
  log: Log;
  clock: Clock;
  /** The hub's time, ISO 8601. */
  nowUtc: () => string;
  /** In tmpfs; survives the agent, not the boot. */
  runDirectory: string;
  ffmpeg: () => Promise<string>;
  /** The sound server's address of the microphone that is in use; undefined where none is, or it is reached past it. */
  microphone: () => string | undefined;
  /** Whether a session is held in this room, or anything is recorded. */
  inSession: () => boolean;
  onChange: () => void;
}

/** Spoken by espeak-ng: four phrases with pauses of 0.8 s after each, -20 LUFS; docs/design/sound.md. */
const PHRASE = join(import.meta.dirname, "phrase.opus");
const KEPT = "sound-test.json";
const SPEAK_MS = 4_000;
/** The room's own noise, before the phrase. */
const QUIET_MS = 1_500;
/** What was played has died away in the room. */
const SETTLE_MS = 700;
const LOOK_MS = 100;
/** Programs of the sound server start within this. */
const OPEN_MS = 3_000;
const STOP_MS = 500;
const BYTES_PER_S = 2 * TEST_RATE;
/** What is played is heard with this delay at most. */
const LATE_MS = 400;
const NAME = "--client-name=diem-cau-sound-test";
const RAW = ["--raw", "--format=s16le", `--rate=${TEST_RATE}`, "--channels=1"];

const Kept = z.object({ microphone: z.string(), result: SoundTest });
type Kept = z.infer<typeof Kept>;

export class SoundTestError extends Error {
  override readonly name = "SoundTestError";
  readonly code: "inSession" | "deaf" | "stopped";
  constructor(code: SoundTestError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Tries loudspeaker, microphone and echo canceller of a room that is in no session: somebody speaks and hears it again as
 * others would, then a phrase is played, and what of it leaves the room is measured.
 *
 * INVARIANTS
 * - It listens beside the encoder, which sees nothing of it, and ends within {@link LOOK_MS} of a session's beginning.
 * - At most one test runs; when it has ended, none of its programs is left.
 * - A result stands for the microphone with which it was made, and for no other.
 */
export class SoundTester implements AsyncDisposable {
  private readonly options: SoundTesterOptions;
  private kept: Kept | undefined;
  private broken: RoomSoundTest["broken"] = null;
  private running: { phase: SoundTestPhase; untilMs: number; stop: AbortController; ended: Promise<void> } | undefined;

  private constructor(options: SoundTesterOptions, kept: Kept | undefined) {
    this.options = options;
    this.kept = kept;
  }

  static async open(options: SoundTesterOptions): Promise<SoundTester> {
    const text = await readIfExists(join(options.runDirectory, KEPT));
    const kept = text && Kept.safeParse(parsed(text));
    return new SoundTester(options, kept?.data);
  }

  result(): SoundTest | undefined {
    return this.kept?.microphone === this.options.microphone() ? this.kept?.result : undefined;
  }

  state(): RoomSoundTest {
    const { running } = this;
    const leftMs = running ? Math.max(0, running.untilMs - this.options.clock.monotonicMs()) : 0;
    return {
      refused: this.refusal(),
      running: running ? { phase: running.phase, leftS: Math.ceil(leftMs / 1_000) } : null,
      result: this.result() ?? null,
      broken: this.broken,
    };
  }

  start(): "started" | SoundTestRefusal {
    const refused = this.refusal();
    const microphone = this.options.microphone();
    if (refused) return refused;
    if (microphone === undefined) return "noMicrophone";
    const stop = new AbortController();
    this.broken = null;
    this.running = { phase: "speak", untilMs: this.inMs(SPEAK_MS), stop, ended: Promise.resolve() };
    this.running.ended = this.runOnce(microphone, stop);
    this.options.onChange();
    return "started";
  }

  stop(): void {
    this.running?.stop.abort(new SoundTestError("stopped", "somebody stopped the test"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.running?.ended;
  }

  private refusal(): SoundTestRefusal | null {
    if (this.running) return "running";
    if (this.options.inSession()) return "inSession";
    return this.options.microphone() === undefined ? "noMicrophone" : null;
  }

  private async runOnce(microphone: string, stop: AbortController): Promise<void> {
    const { log, clock, onChange, inSession, runDirectory } = this.options;
    const { signal } = stop;
    const guarded = (async () => {
      while (!signal.aborted) {
        if (inSession()) stop.abort(new SoundTestError("inSession", "a session has begun"));
        await clock.sleep(LOOK_MS, signal).catch(() => {});
      }
    })();
    try {
      const result = await this.perform(microphone, signal);
      this.kept = { microphone, result };
      const { voice, echo, returnLossDb } = result;
      log.info("soundTest.done", { voice, echo, returnLossDb });
      await writeDurable(join(runDirectory, KEPT), JSON.stringify(this.kept), 0o600);
    } catch (error) {
      const cause: unknown = signal.aborted ? signal.reason : error;
      const code = cause instanceof SoundTestError ? cause.code : "failed";
      this.broken = code === "stopped" ? null : code === "inSession" ? "session" : "failed";
      log.info("soundTest.broken", { code, cause: causeOf(cause) });
    } finally {
      stop.abort();
      await guarded;
      this.running = undefined;
      onChange();
    }
  }

  private async perform(microphone: string, signal: AbortSignal): Promise<SoundTest> {
    const { clock, nowUtc } = this.options;
    const phrase = await this.phrase();
    const { address, cancelling } = await liveSound();
    await using ears = await Ears.open(clock, microphone, cancelling ? address : undefined, signal);
    await using mouth = await Mouth.open(clock);
    const during = async (phase: SoundTestPhase, ms: number, work: () => Promise<void>): Promise<Heard> => {
      this.enter(phase, ms);
      const from = ears.mark();
      await work();
      ears.check();
      return ears.since(from);
    };
    const wait = (ms: number) => clock.sleep(ms, signal);
    const play = (samples: Int16Array) => mouth.say(samples, signal);

    const spoken = await during("speak", SPEAK_MS, () => wait(SPEAK_MS));
    const voice = judgeVoice(spoken);
    if (voice !== "silent") {
      const again = levelled(voice === "lost" ? spoken.microphone : (spoken.live ?? spoken.microphone));
      await during("playBack", lengthMs(again), () => play(again));
    }
    const phraseMs = lengthMs(phrase);
    await during("listen", SETTLE_MS + QUIET_MS + phraseMs, () => wait(SETTLE_MS));
    const quiet = await during("listen", QUIET_MS + phraseMs, () => wait(QUIET_MS));
    const heard = await during("listen", phraseMs, () => play(phrase));
    return { at: nowUtc(), voice, ...judgeEcho(quiet, heard, phrase) };
  }

  private enter(phase: SoundTestPhase, ms: number): void {
    const { running, options } = this;
    if (!running) return;
    running.phase = phase;
    running.untilMs = this.inMs(ms);
    options.onChange();
  }

  private inMs(ms: number): number {
    return this.options.clock.monotonicMs() + ms;
  }

  private async phrase(): Promise<Int16Array> {
    const file = join(this.options.runDirectory, "phrase.s16");
    const to = ["-f", "s16le", "-ar", `${TEST_RATE}`, "-ac", "1", file];
    await runChecked([await this.options.ffmpeg(), "-v", "error", "-nostdin", "-y", "-i", PHRASE, ...to]);
    return samplesOf((await readIfExists(file)) ?? Buffer.alloc(0));
  }
}

/**
 * Plays where the screen plays. One stream for the whole test, which is silent in between: each new one moves the canceller's
 * reference (PipeWire 0.3: 40 dB were left of 60 with the second stream, and 4 with the third).
 */
class Mouth implements AsyncDisposable {
  private readonly child: Child;
  private readonly clock: Clock;
  private ended = false;

  private constructor(child: Child, clock: Clock) {
    this.child = child;
    this.clock = clock;
    void child.exited.then(() => (this.ended = true));
    child.stdin!.on("error", () => (this.ended = true));
    child.stdin!.write(new Uint8Array((LATE_MS / 1_000) * BYTES_PER_S));
  }

  static async open(clock: Clock): Promise<Mouth> {
    const argv = ["pacat", "--playback", ...RAW, `--latency-msec=${LATE_MS / 2}`, NAME];
    return new Mouth(await startProcess(argv, { stdio: ["pipe", "ignore", "ignore"] }), clock);
  }

  /** Resolves when all of it has been heard. */
  async say(samples: Int16Array, signal: AbortSignal): Promise<void> {
    this.child.stdin!.write(bytesOf(samples));
    await this.clock.sleep(lengthMs(samples) + LATE_MS, signal);
    if (this.ended) throw new SoundTestError("deaf", "the loudspeaker takes nothing");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stop(STOP_MS);
  }
}

/** Two recordings at once, from the microphone and of what leaves the room. */
class Ears implements AsyncDisposable {
  private readonly ears: Ear[];

  private constructor(ears: Ear[]) {
    this.ears = ears;
  }

  static async open(clock: Clock, microphone: string, live: string | undefined, signal: AbortSignal): Promise<Ears> {
    await using opened = new AsyncDisposableStack();
    const ears: Ear[] = [];
    for (const address of [microphone, ...(live === undefined ? [] : [live])])
      ears.push(opened.use(await Ear.open(address)));
    for (const deadlineMs = clock.monotonicMs() + OPEN_MS; ears.some((ear) => ear.bytes === 0);) {
      if (clock.monotonicMs() > deadlineMs) throw new SoundTestError("deaf", "the sound server gives no sound");
      await clock.sleep(LOOK_MS, signal);
    }
    opened.move();
    return new Ears(ears);
  }

  mark(): number[] {
    return this.ears.map((ear) => ear.bytes);
  }

  since(marks: readonly number[]): Heard {
    const [microphone, live] = this.ears.map((ear, i) => ear.since(marks[i]!));
    return { microphone: microphone!, live: live ?? null };
  }

  /** @throws where one of them has gone deaf */
  check(): void {
    if (this.ears.some((ear) => ear.ended)) throw new SoundTestError("deaf", "the microphone has gone");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.ears.map((ear) => ear[Symbol.asyncDispose]()));
  }
}

class Ear implements AsyncDisposable {
  private readonly child: Child;
  private readonly pieces: Buffer[] = [];
  bytes = 0;
  ended = false;

  private constructor(child: Child) {
    this.child = child;
    void child.exited.then(() => (this.ended = true));
    child.stdout!.on("data", (piece: Buffer) => {
      this.pieces.push(piece);
      this.bytes += piece.length;
    });
  }

  static async open(address: string): Promise<Ear> {
    const argv = ["parec", "-d", address, ...RAW, "--latency-msec=40", NAME];
    return new Ear(await startProcess(argv, { stdio: ["ignore", "pipe", "ignore"] }));
  }

  since(mark: number): Int16Array {
    return samplesOf(Buffer.concat(this.pieces).subarray(mark + (mark % 2)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stop(STOP_MS);
  }
}

const lengthMs = (samples: Int16Array): number => (samples.byteLength / BYTES_PER_S) * 1_000;
const bytesOf = ({ buffer, byteOffset, byteLength }: Int16Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
/** A copy: a Buffer may begin at an odd address. */
const samplesOf = (bytes: Uint8Array): Int16Array =>
  new Int16Array(Uint8Array.from(bytes.subarray(0, bytes.length - (bytes.length % 2))).buffer);

function parsed(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString("utf8"));
  } catch {
    return undefined;
  }
}
