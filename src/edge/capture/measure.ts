import type { Health, RoomLevel } from "../../protocol/protocol.ts";

/** What FFmpeg's -progress says last. */
export interface Progress {
  frame: number;
  fps: number;
  droppedFrames: number;
  duplicatedFrames: number;
  /**
   * Media seconds per second over the last SPEED_SECONDS; 0 until that long has been seen. FFmpeg's own figure counts
   * from its start and would call a machine slow for minutes because of the first second.
   */
  speed: number;
  /** Media time that has left the encoder. */
  outTimeMs: number;
  /** The encoder has finished all outputs in good order. */
  ended: boolean;
}

const SPEED_SECONDS = 8;
/** Loudness of one channel from the level of its K-weighted sound (ITU-R BS.1770). */
const LUFS_OF_RMS = -0.691;
/** Values of sound in a second. */
const SOUNDS_PER_S = 5;
const BLACK_LUMA_MAX = 48;
const BLACK_LUMA_MEAN = 24;
const FROZEN_SECONDS = 8;
const SILENT_LUFS = -60;
const SILENT_SECONDS = 8;
const CLIPPING_DB = -0.1;
/** Values within the last ten seconds that make a warning of clipping. */
const CLIPPING_COUNT = 4;
const SPEECH_SECONDS = 30;
const SPEECH_LUFS = -42;
const SPEECH_COUNT = 6;
/** Between words and pauses; a fan or hum is even. */
const SPEECH_SPREAD_LU = 8;

/** Reads the encoder's growing text files line by line and keeps only what the last half minute says. */
export class Measurements {
  progress: Progress | undefined;
  private open: Record<string, string> = {};
  private advances: { atMs: number; outTimeMs: number }[] = [];
  private pictureNow: Record<string, number> = {};
  /** A live sensor's noise moves the means of a whole picture in their last digit; equal in all four is a still. */
  private pictures: { atMs: number; black: boolean; still: boolean; likeness: string }[] = [];
  private peakDb = Number.NEGATIVE_INFINITY;
  private lastPower: number | undefined;
  private heard = 0;
  private sounds: { atMs: number; lufs: number; peakDb: number }[] = [];

  /** @param nowMs monotonic */
  addProgress(lines: readonly string[], nowMs: number): void {
    for (const line of lines) {
      const [key, value] = split(line);
      this.open[key] = value;
      if (key !== "progress") continue;
      const n = (name: string) => Number.parseFloat(this.open[name] ?? "") || 0;
      this.progress = {
        frame: n("frame"),
        fps: n("fps"),
        droppedFrames: n("drop_frames"),
        duplicatedFrames: n("dup_frames"),
        speed: this.speed(nowMs, n("out_time_us") / 1_000),
        outTimeMs: n("out_time_us") / 1_000,
        ended: value === "end",
      };
      this.open = {};
    }
  }

  private speed(nowMs: number, outTimeMs: number): number {
    this.advances.push({ atMs: nowMs, outTimeMs });
    const from = this.advances.findLast(({ atMs }) => nowMs - atMs >= SPEED_SECONDS * 1_000);
    if (!from) return 0;
    this.advances = this.advances.slice(this.advances.indexOf(from));
    return (outTimeMs - from.outTimeMs) / (nowMs - from.atMs);
  }

  /** @param nowMs monotonic */
  addPicture(lines: readonly string[], nowMs: number): void {
    for (const line of lines) {
      const [key, value] = split(line);
      if (!key.startsWith("lavfi.signalstats.")) continue;
      const name = key.slice("lavfi.signalstats.".length);
      this.pictureNow[name] = number(value);
      // The last of the values that are used here.
      if (name !== "SATAVG") continue;
      const { YMAX = 255, YAVG = 255, UAVG = 0, VAVG = 0, SATAVG = 0 } = this.pictureNow;
      const likeness = [YAVG, UAVG, VAVG, SATAVG].join();
      const black = YMAX < BLACK_LUMA_MAX && YAVG < BLACK_LUMA_MEAN;
      this.pictures.push({ atMs: nowMs, black, still: this.pictures.at(-1)?.likeness === likeness, likeness });
      this.pictureNow = {};
    }
    this.pictures = this.pictures.filter(({ atMs }) => nowMs - atMs < (FROZEN_SECONDS + 2) * 1_000);
  }

  /** @param nowMs monotonic */
  addSound(lines: readonly string[], nowMs: number): void {
    for (const line of lines) {
      const [key, value] = split(line);
      if (key === "lavfi.astats.Overall.Peak_level") this.peakDb = number(value);
      if (key !== "lavfi.astats.Overall.RMS_level") continue;
      const power = 10 ** (number(value) / 10);
      const lufs = 10 * Math.log10((power + (this.lastPower ?? power)) / 2) + LUFS_OF_RMS;
      this.lastPower = power;
      this.heard++;
      this.sounds.push({ atMs: nowMs, lufs, peakDb: this.peakDb });
    }
    this.sounds = this.sounds.filter(({ atMs }) => nowMs - atMs < SPEECH_SECONDS * 1_000);
  }

  /** Both branches have spoken. */
  complete(): boolean {
    return this.pictures.length > 0 && this.sounds.length > 0;
  }

  picture(): Exclude<Health["picture"], "none"> {
    const last = this.pictures.at(-1);
    if (last?.black) return "black";
    const recent = this.pictures.slice(-FROZEN_SECONDS);
    return recent.length >= FROZEN_SECONDS && recent.every(({ still }) => still) ? "frozen" : "ok";
  }

  /** The last measurement; `count` tells one from the next. Undefined before the first. */
  level(): (RoomLevel & { count: number }) | undefined {
    const last = this.sounds.at(-1);
    if (!last) return undefined;
    const floor = Math.min(...this.sounds.map(({ lufs }) => lufs));
    const speech = last.lufs > SPEECH_LUFS && last.lufs - floor >= SPEECH_SPREAD_LU;
    return { lufs: Number.isFinite(last.lufs) ? last.lufs : null, speech, count: this.heard };
  }

  sound(): { state: "ok" | "silent" | "clipping"; levelLufs: number | null; speech: boolean } {
    const last = this.sounds.at(-1);
    const recent = this.sounds.slice(-SILENT_SECONDS * SOUNDS_PER_S);
    const silent = recent.length >= SILENT_SECONDS * SOUNDS_PER_S && recent.every(({ lufs }) => lufs < SILENT_LUFS);
    const clipping =
      this.sounds.slice(-10 * SOUNDS_PER_S).filter(({ peakDb }) => peakDb >= CLIPPING_DB).length >= CLIPPING_COUNT;
    const loud = this.sounds.filter(({ lufs }) => lufs > SPEECH_LUFS);
    const floor = Math.min(...this.sounds.map(({ lufs }) => lufs));
    const ceiling = Math.max(...this.sounds.map(({ lufs }) => lufs));
    return {
      state: silent ? "silent" : clipping ? "clipping" : "ok",
      levelLufs: last && Number.isFinite(last.lufs) ? last.lufs : null,
      speech: loud.length >= SPEECH_COUNT && ceiling - floor >= SPEECH_SPREAD_LU,
    };
  }
}

function split(line: string): [string, string] {
  const at = line.indexOf("=");
  return at < 0 ? [line.trim(), ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}

const number = (text: string): number =>
  text === "-inf" || text === "nan" ? Number.NEGATIVE_INFINITY : Number.parseFloat(text);
