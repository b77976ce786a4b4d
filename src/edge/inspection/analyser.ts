import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { startProcess, type Child } from "../../platform/platform.ts";
import { Tail } from "../tail.ts";
import type { Judge } from "./judge.ts";

/** Sound is measured in pieces of 400 ms: the window of momentary loudness (EBU Tech 3341), at 48 kHz. */
const PIECE_SAMPLES = 19_200;
/** What waits for the program in its pipe; beyond it the program is too slow to be of use. */
const WAITING_LIMIT_BYTES = 8 << 20;
const STOP_MS = 1_000;

/** What each branch prints, by the number of the descriptor that it prints to. */
const PRINTED = { picture: 1, sound: 3, speechBand: 4, humBand: 5 } as const;
const print = (what: keyof typeof PRINTED, kind: "metadata" | "ametadata") =>
  `${kind}=mode=print:file=pipe\\\\:${PRINTED[what]}:direct=1`;
const level = (what: string) => `astats=metadata=1:reset=1:measure_perchannel=none:measure_overall=${what}`;
const piece = `asetnsamples=n=${PIECE_SAMPLES}:p=0`;

/**
 * Of the picture only key frames are decoded, one a second; of the sound everything. FFmpeg 5.1 and 7.1 know it all. Nice
 * 10 and not 19: it needs a hundredth of a core, and at 19 an overloaded machine does not leave it even that
 * (docs/design/alarms.md).
 */
export const analyserArgv = (ffmpeg: string): string[] => [
  ...["nice", "-n", "10", ffmpeg, "-hide_banner", "-loglevel", "fatal", "-nostats"],
  ...["-f", "mpegts", "-probesize", "500000", "-analyzeduration", "1000000", "-fpsprobesize", "0"],
  ...["-copyts", "-threads", "1", "-skip_frame", "nokey", "-i", "pipe:0"],
  ...["-map", "0:v:0", "-filter:v", `scale=160:90:flags=fast_bilinear,signalstats,${print("picture", "metadata")}`],
  ...["-fps_mode", "passthrough", "-f", "null", "-"],
  ...["-filter_complex_threads", "1", "-filter_threads", "1", "-filter_complex"],
  `[0:a:0]asplit=3[all][voice][mains];` +
    `[all]ebur128=metadata=1:framelog=verbose,${piece},${level("Peak_level")},${print("sound", "ametadata")}[a];` +
    `[voice]highpass=f=300,lowpass=f=3400,${piece},${level("RMS_level")},${print("speechBand", "ametadata")}[b];` +
    `[mains]bandpass=f=50:width_type=h:w=10,${piece},${level("RMS_level")},${print("humBand", "ametadata")}[c]`,
  ...["-map", "[a]", "-f", "null", "-", "-map", "[b]", "-f", "null", "-", "-map", "[c]", "-f", "null", "-"],
];

/**
 * One FFmpeg that measures what it is fed, at a low priority, and tells the judge. It ends when its input ends. It writes
 * each line by itself, a hundred a second: into files, where they cost nothing until they are looked at.
 */
export class Analyser implements AsyncDisposable {
  private readonly child: Child;
  private readonly printed: Printed[];
  private ended = false;

  private constructor(child: Child, directory: string, judge: Judge) {
    this.child = child;
    void child.exited.then(() => (this.ended = true));
    child.stdin!.on("error", () => (this.ended = true));
    const rms = "lavfi.astats.Overall.RMS_level";
    const peak = "lavfi.astats.Overall.Peak_level";
    const at = (name: keyof typeof PRINTED) => join(directory, name);
    this.printed = [
      new Printed(at("picture"), "lavfi.signalstats.SATMAX", (mediaMs, value) =>
        judge.notePicture({
          mediaMs,
          mean: value("lavfi.signalstats.YAVG"),
          high: value("lavfi.signalstats.YHIGH"),
          max: value("lavfi.signalstats.YMAX"),
        }),
      ),
      new Printed(at("sound"), peak, (mediaMs, value) =>
        judge.noteSound({
          mediaMs,
          peakDb: value(peak),
          momentaryLufs: value("lavfi.r128.M"),
          integratedLufs: value("lavfi.r128.I"),
        }),
      ),
      new Printed(at("speechBand"), rms, (mediaMs, value) => judge.noteSpeechBand(mediaMs, value(rms))),
      new Printed(at("humBand"), rms, (mediaMs, value) => judge.noteHumBand(mediaMs, value(rms))),
    ];
  }

  /** @param directory of its own, in memory */
  static async start(ffmpeg: string, directory: string, judge: Judge): Promise<Analyser> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await using files = new AsyncDisposableStack();
    const file = async (name: keyof typeof PRINTED) => files.use(await open(join(directory, name), "w", 0o600)).fd;
    const [picture, sound, speech, hum] = [
      await file("picture"),
      await file("sound"),
      await file("speechBand"),
      await file("humBand"),
    ];
    const child = await startProcess(analyserArgv(ffmpeg), { stdio: ["pipe", picture, "ignore", sound, speech, hum] });
    return new Analyser(child, directory, judge);
  }

  /** Tells the judge what has been measured since the last look. */
  look(): void {
    for (const printed of this.printed) printed.look();
  }

  get pid(): number {
    return this.child.pid;
  }

  /** Gone, or so far behind that it must be replaced. */
  useless(): boolean {
    return this.ended || this.child.stdin!.writableLength > WAITING_LIMIT_BYTES;
  }

  feed(bytes: Uint8Array): void {
    if (!this.ended) this.child.stdin!.write(bytes);
  }

  /** Resolves when all that was fed has been measured. */
  async finish(): Promise<void> {
    this.child.stdin!.end();
    await this.child.exited;
    this.look();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.stdin!.destroy();
    await this.child.stop(STOP_MS);
  }
}

/** Lines `frame:1 pts:90000 pts_time:1` followed by `key=value`; told at `last`, which every frame has. */
class Printed {
  private readonly tail: Tail;
  private readonly last: string;
  private readonly tell: (mediaMs: number, value: (key: string) => number) => void;
  private readonly values = new Map<string, number>();
  private mediaMs = 0;

  constructor(path: string, last: string, tell: (mediaMs: number, value: (key: string) => number) => void) {
    this.tail = new Tail(path, false);
    this.last = last;
    this.tell = tell;
  }

  look(): void {
    for (const line of this.tail.read().lines) {
      const time = /pts_time:([\d.]+)/.exec(line);
      if (time) {
        this.mediaMs = Number(time[1]) * 1_000;
        this.values.clear();
      }
      const at = line.indexOf("=");
      if (at < 0) continue;
      const key = line.slice(0, at);
      const text = line.slice(at + 1);
      this.values.set(key, text === "-inf" || text === "nan" ? Number.NEGATIVE_INFINITY : Number.parseFloat(text));
      if (key === this.last) this.tell(this.mediaMs, (key) => this.values.get(key) ?? Number.NEGATIVE_INFINITY);
    }
  }
}
