import { join } from "node:path";
import { createMpegTsCounter } from "../../media/media.ts";
import { causeOf, runForever, type Clock, type Log } from "../../platform/platform.ts";
import type { Health, TakeId } from "../../protocol/protocol.ts";
import { Analyser } from "./analyser.ts";
import { CHUNK_BYTES, Follower } from "./follower.ts";
import { Judge, type Findings } from "./judge.ts";

export type { Findings } from "./judge.ts";

/** The take that is being written now. */
export interface Writing {
  take: TakeId;
  directory: string;
  /** The segment that is open. */
  openSeq: number;
  frameRate: number;
}

export interface InspectionOptions {
  clock: Clock;
  log: Log;
  /** Of the recorder; null while nothing is recorded. */
  writing: () => Writing | null;
  ffmpeg: () => Promise<string>;
  /** In memory; the measuring program's words lie there. */
  runDirectory: string;
}

export interface Inspection {
  /** Null while nothing is recorded. A take that cannot be looked at is not checked, and nothing is found in it. */
  report(): InspectionReport | null;
  /** When the loop that looks turned last, in the clock's monotonic time. */
  turnedMs(): number;
  run(signal: AbortSignal): Promise<void>;
}

export interface InspectionReport {
  take: TakeId;
  file: NonNullable<Health["file"]>;
  picture: Health["picture"];
  sound: Health["sound"];
  findings: Findings;
}

const LOOK_MS = 500;
/** Key frames come each second, and the program may be half a second behind. */
const BEHIND_LIMIT_MS = 4_000;
const DEAF_LIMIT_MS = 15_000;
const RETRY = { baseMs: 1_000, capMs: 10_000 };

export const createInspection = (options: InspectionOptions): Inspection => new FileInspection(options);

/**
 * INVARIANTS
 * - The recording is only read: nothing of it waits for this, is written by this, or ends with this.
 * - What is reported was measured in the file of the take that is being written; of anything else it says "unknown".
 * - A program that died, hangs or fell behind is replaced, beginning with the segment that is then open.
 */
class FileInspection implements Inspection {
  private readonly options: InspectionOptions;
  private now: { take: TakeId; judge: Judge } | undefined;
  private turned: number;

  constructor(options: InspectionOptions) {
    this.options = options;
    this.turned = options.clock.monotonicMs();
  }

  turnedMs(): number {
    return this.turned;
  }

  report(): InspectionReport | null {
    const writing = this.options.writing();
    if (!writing) return null;
    const now = this.now?.take === writing.take ? this.now : undefined;
    if (!now || now.judge.behindMs() > BEHIND_LIMIT_MS)
      return {
        take: writing.take,
        file: { checked: false, speech: false, loudnessLufs: null, avOffsetMs: null, frameRate: null },
        picture: "unknown",
        sound: { state: "unknown", levelLufs: null, speech: false },
        findings: {},
      };
    const { judge } = now;
    const findings = judge.findings();
    const { momentaryLufs, integratedLufs } = judge.loudness();
    const speech = judge.speech();
    const is = (cause: keyof Findings) => findings[cause]?.present === true;
    return {
      take: writing.take,
      file: {
        checked: true,
        speech: speech.ever,
        loudnessLufs: integratedLufs,
        avOffsetMs: judge.avOffsetMs(),
        frameRate: judge.frameRateNow(),
      },
      picture: is("pictureBlack") ? "black" : is("pictureDark") ? "dark" : is("pictureFrozen") ? "frozen" : "ok",
      sound: {
        state: is("soundSilent") ? "silent" : is("soundClipping") ? "clipping" : is("soundHum") ? "hum" : "ok",
        levelLufs: momentaryLufs,
        speech: speech.lately,
      },
      findings,
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options;
    await runForever({ name: "inspection", clock, log, ...RETRY }, signal, async (signal) => {
      while (!signal.aborted) {
        this.turned = clock.monotonicMs();
        const writing = this.options.writing();
        if (writing) await this.inspect(writing, signal);
        await clock.sleep(LOOK_MS, signal).catch(() => {});
      }
    });
    this.now = undefined;
  }

  /** Until the take ends; throws where the program is of no use any more. */
  private async inspect({ take, directory, openSeq, frameRate }: Writing, signal: AbortSignal): Promise<void> {
    const { clock, log, writing } = this.options;
    const judge = new Judge(frameRate);
    let largest: number | undefined;
    const counter = createMpegTsCounter(({ key, bytes }) => {
      if (!key) largest = Math.max(largest ?? 0, bytes);
    });
    await using follower = new Follower(directory, openSeq);
    const measured = join(this.options.runDirectory, "inspection");
    await using analyser = await Analyser.start(await this.options.ffmpeg(), measured, judge);
    log.info("inspection.started", { take, fromSeq: openSeq, pid: analyser.pid });
    this.now = { take, judge };
    let upToDateMs = clock.monotonicMs();
    while (!signal.aborted && writing()?.take === take) {
      this.turned = clock.monotonicMs();
      for (let more = true; more;) {
        const bytes = await follower.read();
        if (bytes) counter.push(bytes);
        if (bytes) analyser.feed(bytes);
        more = bytes?.length === CHUNK_BYTES;
      }
      analyser.look();
      const { videoFrames, lastVideoMs, lastAudioMs } = counter.count();
      const nowMs = clock.monotonicMs();
      judge.noteFile({ nowMs, frames: videoFrames, lastVideoMs, lastAudioMs, largestDependentBytes: largest });
      largest = undefined;
      if (lastVideoMs === undefined || judge.behindMs() < BEHIND_LIMIT_MS) upToDateMs = nowMs;
      if (analyser.useless()) throw new Error("the measuring program ended by itself or is too slow");
      if (nowMs - upToDateMs > DEAF_LIMIT_MS) throw new Error("the measuring program has fallen behind");
      await clock.sleep(LOOK_MS, signal).catch(() => {});
    }
    log.info("inspection.ended", { take, cause: signal.aborted ? causeOf(signal.reason) : undefined });
  }
}
