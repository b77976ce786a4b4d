import { readFileSync, statSync, truncateSync } from "node:fs";
import { open, readFile, readdir } from "node:fs/promises";
import { z } from "zod";
import { adoptProcess, type AdoptedProcess, type Clock } from "../../platform/platform.ts";
import { SessionId, TakeId, type Health } from "../../protocol/protocol.ts";
import { Tail } from "../tail.ts";
import { lostDevice } from "../devices/devices.ts";
import { Measurements } from "./measure.ts";
import { runPaths, SEGMENT_LIST, type Source } from "./plan.ts";
import { needsRoom, usedDevices } from "./source.ts";
import { VirtualRoomStatus } from "./virtual-room.ts";

export const RunGoal = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("preview"), live: z.boolean() }),
  z.object({ kind: z.literal("record"), session: SessionId, take: TakeId, directory: z.string() }),
]);
export type RunGoal = z.infer<typeof RunGoal>;

/** What a restarted agent must know to take over a run; written before its processes start. */
export const RunMemory = z.object({
  token: z.string().regex(/^[a-z2-7]{8}$/),
  goal: RunGoal,
  source: z.custom<Source>((value) => typeof value === "object" && value !== null),
  plannedWallMs: z.number(),
  ffmpeg: z.string(),
  /** Render node that encodes its record. */
  renderNode: z.string().nullish(),
});
export type RunMemory = z.infer<typeof RunMemory>;

export interface RunCounts {
  /** Frames that a virtual room made; null for other sources. */
  framesCaptured: number | null;
  /** Frames that FFmpeg encoded by its own count at its end; null if it had none in good order. */
  framesEncoded: number | null;
}

export type RunTrouble = { kind: "exited" } | { kind: "stalled" } | { kind: "deviceLost"; device: string };

/** What is lost where the screen shows nothing any more that is to be recorded. */
const SCREEN_PAGE = "the page on the screen";
const FIRST_FRAME_LIMIT_MS = 12_000;
const STALL_LIMIT_MS = 3_000;
const SOUND_LIMIT_MS = 5_000;
const SELDOM_LOOK_MS = 1_000;
/** A virtual room may be 5 s ahead of a machine that does not keep up; all of it is still written. */
const FINISH_LIMIT_MS = 12_000;
const FINISH_LOOK_MS = 100;
/** Between two segments the list is complete for a moment, too. */
const FINISHED_LOOKS = 10;
/** FFmpeg writes its progress twice a second, and it is looked at five times. */
const PROGRESS_OLDEST_MS = 2_000;
const LOG_LIMIT_BYTES = 512 * 1024;
/** After this, a lamp is lit even if one of the measuring branches has not spoken yet. */
const MEASURE_LIMIT_MS = 5_000;

/**
 * One run of the encoder and, for a virtual room, of the room's process. INVARIANTS: the processes need nothing of
 * this object, which only looks at their files; it may come late (adoption) and be lost without a trace.
 */
export class EncoderRun {
  readonly memory: RunMemory;
  private readonly directory: string;
  private readonly clock: Clock;
  private readonly ffmpeg: AdoptedProcess;
  private readonly room: AdoptedProcess | undefined;
  private readonly unplugged: () => { camera: boolean; microphone: boolean };
  private readonly tails: { progress: Tail; picture: Tail; sound: Tail };
  private readonly measured = new Measurements();
  private readonly beganMs: number;
  private hasExited = false;
  private roomHasExited = false;
  private lastFrame = 0;
  private lastFrameMs: number;
  private lastSoundMs: number;
  private seldomLookMs = -Infinity;
  private lostDevice: string | undefined;
  private missed: string | undefined;
  private roomStatus: VirtualRoomStatus | undefined;
  private first: { monotonicMs: number } | undefined;

  constructor(options: {
    memory: RunMemory;
    directory: string;
    clock: Clock;
    ffmpeg: AdoptedProcess;
    room: AdoptedProcess | undefined;
    adopted: boolean;
    unplugged: () => { camera: boolean; microphone: boolean };
  }) {
    this.memory = options.memory;
    this.directory = options.directory;
    this.clock = options.clock;
    this.ffmpeg = options.ffmpeg;
    this.room = options.room;
    this.unplugged = options.unplugged;
    const paths = runPaths(options.directory);
    this.tails = {
      progress: new Tail(paths.progress, options.adopted),
      picture: new Tail(paths.picture, options.adopted),
      sound: new Tail(paths.sound, options.adopted),
    };
    this.beganMs = this.clock.monotonicMs();
    this.lastFrameMs = this.beganMs;
    this.lastSoundMs = this.beganMs;
    void this.ffmpeg.exited.then(() => (this.hasExited = true));
    void this.room?.exited.then(() => (this.roomHasExited = true));
  }

  get exited(): Promise<void> {
    return this.ffmpeg.exited;
  }

  /** When frame 0 was captured: exact for a virtual room, otherwise the earliest that any progress report allows. */
  firstFrame(): { monotonicMs: number } | undefined {
    return this.first;
  }

  /** Media time encoded so far. */
  outTimeMs(): number {
    return this.measured.progress?.outTimeMs ?? 0;
  }

  /** Reads what the processes have written since the last look. */
  async observe(): Promise<void> {
    const { tails } = this;
    // Until it says when it began.
    if (!this.first) this.observeRoom();
    const [progress, sound] = [tails.progress.read(), tails.sound.read()];
    const nowMs = this.clock.monotonicMs();
    this.measured.addProgress(progress.lines, nowMs);
    // Of a recording, the encoder measures no picture.
    if (this.memory.goal.kind === "preview") this.measured.addPicture(tails.picture.read().lines, nowMs);
    this.measured.addSound(sound.lines, nowMs);
    if (sound.lines.length > 0) this.lastSoundMs = nowMs;
    const now = this.measured.progress;
    if (now && now.frame > this.lastFrame) {
      if (!this.isExact() && progress.lines.length > 0) this.noteFirstFrame(progress.writtenWallMs, now.outTimeMs);
      this.lastFrame = now.frame;
      this.lastFrameMs = nowMs;
    }
    if (nowMs - this.seldomLookMs > SELDOM_LOOK_MS) {
      this.seldomLookMs = nowMs;
      this.observeRoom();
      this.boundLog();
      // Before the first frame FFmpeg says itself which device it cannot open.
      if (this.lastFrame > 0) this.lostDevice = await this.lost();
    }
  }

  /** The sound server has it no more. */
  missMicrophone(name: string): void {
    this.missed = name;
  }

  trouble(): RunTrouble | undefined {
    if (this.missed !== undefined) return { kind: "deviceLost", device: this.missed };
    if (this.lostDevice !== undefined) return { kind: "deviceLost", device: this.lostDevice };
    // FFmpeg would wait for ever to open the FIFO of a room that never began; later on it is told by end of file.
    if (this.hasExited || (this.roomHasExited && this.lastFrame === 0)) return { kind: "exited" };
    const nowMs = this.clock.monotonicMs();
    const limitMs = this.lastFrame === 0 ? FIRST_FRAME_LIMIT_MS : STALL_LIMIT_MS;
    if (nowMs - this.lastFrameMs > limitMs) return { kind: "stalled" };
    const { sound } = this.memory.source;
    // FFmpeg goes on without a microphone that was pulled out; a picture without sound is what nobody notices in time.
    if (this.lastFrame > 0 && nowMs - this.lastSoundMs > SOUND_LIMIT_MS)
      return "name" in sound ? { kind: "deviceLost", device: sound.name } : { kind: "stalled" };
    return undefined;
  }

  counts(): RunCounts {
    return {
      framesCaptured: this.isWhole() ? (this.roomStatus?.framesCaptured ?? null) : null,
      framesEncoded: this.measured.progress?.ended ? this.measured.progress.frame : null,
    };
  }

  /** What the microphone hears now, measured before any recording; undefined without one. */
  level(): ReturnType<Measurements["level"]> {
    return this.memory.source.sound.kind === "silence" ? undefined : this.measured.level();
  }

  /** Of a recording, what the devices give is not told: what counts is in the file, and measured there. */
  facts(): Pick<Health, "encoder" | "picture" | "sound" | "source"> {
    const { source, goal } = this.memory;
    const now = this.measured.progress;
    const recording = goal.kind === "record";
    const measuring =
      !recording && this.clock.monotonicMs() - this.beganMs < MEASURE_LIMIT_MS && !this.measured.complete();
    const state = !now || now.frame === 0 || measuring ? "starting" : recording ? "recording" : "preview";
    return {
      encoder: {
        state,
        fps: now?.fps ?? 0,
        frames: now?.frame ?? 0,
        droppedFrames: (now?.droppedFrames ?? 0) + (this.roomStatus?.framesDropped ?? 0),
        duplicatedFrames: now?.duplicatedFrames ?? 0,
        speed: now?.speed ?? 0,
      },
      picture: source.picture.kind === "slate" ? "none" : recording ? "unknown" : this.measured.picture(),
      sound:
        source.sound.kind === "silence" || recording
          ? { state: recording && source.sound.kind !== "silence" ? "unknown" : "none", levelLufs: null, speech: false }
          : this.measured.sound(),
      source: source.words,
    };
  }

  /**
   * Ends the run so that every captured frame is written: a virtual room ends with end of file, devices are let go by
   * SIGTERM. What does not end in time is killed; the record has been finished first by then.
   */
  async finish(): Promise<"finished" | "killed"> {
    this.observeRoom();
    if (this.room && this.roomStatus?.startedWallMs == null) {
      // Nothing has been captured, and a FIFO without a writer never ends.
      await this.kill();
      return "killed";
    }
    this.room?.kill("SIGTERM");
    // Slate and silence have no end of their own.
    if (!this.room || !this.isWhole()) this.ffmpeg.kill("SIGTERM");
    const ended = Promise.all([this.ffmpeg.exited, this.room?.exited]).then(() => true);
    const killed = !(await Promise.race([ended, this.overdue(ended)]));
    if (killed) await this.kill();
    this.observeRoom();
    await this.observe();
    return killed ? "killed" : "finished";
  }

  /**
   * Resolves (with false) when there is nothing left to wait for: the time is up, or the record is finished and only a
   * frozen live line holds FFmpeg up.
   */
  private async overdue(ended: Promise<boolean>): Promise<false> {
    const { goal } = this.memory;
    const untilMs = this.clock.monotonicMs() + FINISH_LIMIT_MS;
    const over = new AbortController();
    void ended.then(() => over.abort());
    for (let finishedLooks = 0; !over.signal.aborted && this.clock.monotonicMs() < untilMs;) {
      const finished = goal.kind === "record" && (await recordFinished(goal.directory));
      finishedLooks = finished ? finishedLooks + 1 : 0;
      if (finishedLooks > FINISHED_LOOKS) return false;
      await this.clock.sleep(FINISH_LOOK_MS, over.signal).catch(() => {});
    }
    return false;
  }

  /** SIGKILL; for a run that does not go on, and for a preview, of which nothing is kept. */
  async kill(): Promise<void> {
    this.ffmpeg.kill("SIGKILL");
    this.room?.kill("SIGKILL");
    await Promise.all([this.ffmpeg.exited, this.room?.exited]);
  }

  /** Ended before its first frame; what FFmpeg said then names the device that it could not open. */
  stillborn(): boolean {
    return this.lastFrame === 0;
  }

  /** The last lines that FFmpeg wrote, for the log. */
  async lastWords(): Promise<string> {
    const text = await readFile(`${this.directory}/log`, "utf8").catch(() => "");
    const lines = text.trim().split("\n");
    return lines
      .filter((line) => !/rtmp|tcp|fifo|swscaler/.test(line))
      .slice(-5)
      .join(" | ")
      .slice(-1_000);
  }

  private noteFirstFrame(writtenWallMs: number, outTimeMs: number): void {
    const ageMs = this.clock.wallMs() - writtenWallMs;
    // A file that seems older or younger was written on the other side of a jump of the wall clock.
    const knownMs = ageMs >= 0 && ageMs < PROGRESS_OLDEST_MS ? ageMs : 0;
    const monotonicMs = this.clock.monotonicMs() - knownMs - outTimeMs;
    if (!this.first || monotonicMs < this.first.monotonicMs) this.first = { monotonicMs };
  }

  private async lost(): Promise<string | undefined> {
    const { source } = this.memory;
    const isScreen = source.picture.kind === "screen";
    const out = needsRoom(source) || isScreen ? this.unplugged() : undefined;
    if (out?.camera && isScreen) return SCREEN_PAGE;
    if (out?.camera && source.picture.kind === "virtual") return "virtual camera";
    if (out?.microphone && source.sound.kind === "virtual") return "virtual microphone";
    return lostDevice(usedDevices(source));
  }

  /** All of it comes from the room, and ends with the room. */
  private isWhole(): boolean {
    const { picture, sound } = this.memory.source;
    return picture.kind === "virtual" && sound.kind === "virtual";
  }

  /** The room says itself when it made which frame. */
  private isExact(): boolean {
    return this.memory.source.picture.kind === "virtual";
  }

  /** Synchronous as {@link Tail} is. */
  private observeRoom(): void {
    if (!needsRoom(this.memory.source)) return;
    try {
      this.roomStatus = VirtualRoomStatus.parse(JSON.parse(readFileSync(`${this.directory}/room.json`, "utf8")));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    const startedMs = this.roomStatus?.startedMonotonicMs ?? null;
    if (startedMs !== null && this.isExact()) this.first = { monotonicMs: startedMs };
  }

  private boundLog(): void {
    const path = `${this.directory}/log`;
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_LIMIT_BYTES) truncateSync(path, 0);
  }
}

/** An open descriptor for a program's complaints; appended to, so that cutting the file frees it. */
export const openLog = (directory: string) => open(`${directory}/log`, "a", 0o600);

export function adoptPid(
  pid: number,
  identity: (pid: number) => string | undefined,
  told?: Promise<unknown>,
): AdoptedProcess | undefined {
  const known = identity(pid);
  return known === undefined ? undefined : adoptProcess(known, told);
}

/** FFmpeg has listed every segment file that there is. */
async function recordFinished(directory: string): Promise<boolean> {
  const files = (await readdir(directory)).filter((name) => name.endsWith(".ts"));
  const list = await readFile(`${directory}/${SEGMENT_LIST}`, "utf8").catch(() => "");
  return files.length > 0 && files.every((name) => list.includes(`${name},`));
}
