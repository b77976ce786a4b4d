import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { startProcess, type Child } from "../../platform/platform.ts";
import type { Judge } from "./judge.ts";

/** Sound is measured in pieces of 400 ms: the window of momentary loudness (EBU Tech 3341), at 48 kHz. */
const PIECE_SAMPLES = 19_200;
/** What waits for the program in its pipe; beyond it the program is too slow to be of use. */
const WAITING_LIMIT_BYTES = 8 << 20;
const STOP_MS = 1_000;

const print = (fd: number, kind: "metadata" | "ametadata") => `${kind}=mode=print:file=pipe\\\\:${fd}:direct=1`;
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
  ...["-map", "0:v:0", "-filter:v", `scale=160:90:flags=fast_bilinear,signalstats,${print(1, "metadata")}`],
  ...["-fps_mode", "passthrough", "-f", "null", "-"],
  ...["-filter_complex_threads", "1", "-filter_threads", "1", "-filter_complex"],
  `[0:a:0]asplit=3[all][voice][mains];` +
    `[all]ebur128=metadata=1:framelog=verbose,${piece},${level("Peak_level")},${print(3, "ametadata")}[a];` +
    `[voice]highpass=f=300,lowpass=f=3400,${piece},${level("RMS_level")},${print(4, "ametadata")}[b];` +
    `[mains]bandpass=f=50:width_type=h:w=10,${piece},${level("RMS_level")},${print(5, "ametadata")}[c]`,
  ...["-map", "[a]", "-f", "null", "-", "-map", "[b]", "-f", "null", "-", "-map", "[c]", "-f", "null", "-"],
];

/** One FFmpeg that measures what it is fed, at a low priority, and tells the judge. It ends when its input ends. */
export class Analyser implements AsyncDisposable {
  private readonly child: Child;
  private ended = false;

  private constructor(child: Child, judge: Judge) {
    this.child = child;
    void child.exited.then(() => (this.ended = true));
    child.stdin!.on("error", () => (this.ended = true));
    const value = (values: ReadonlyMap<string, number>, key: string) => values.get(key) ?? Number.NEGATIVE_INFINITY;
    readValues(child.stdout!, "lavfi.signalstats.SATMAX", (mediaMs, values) =>
      judge.notePicture({
        mediaMs,
        mean: value(values, "lavfi.signalstats.YAVG"),
        high: value(values, "lavfi.signalstats.YHIGH"),
        max: value(values, "lavfi.signalstats.YMAX"),
      }),
    );
    const rms = "lavfi.astats.Overall.RMS_level";
    const peak = "lavfi.astats.Overall.Peak_level";
    readValues(child.extra[3]!, peak, (mediaMs, values) =>
      judge.noteSound({
        mediaMs,
        peakDb: value(values, peak),
        momentaryLufs: value(values, "lavfi.r128.M"),
        integratedLufs: value(values, "lavfi.r128.I"),
      }),
    );
    readValues(child.extra[4]!, rms, (mediaMs, values) => judge.noteSpeechBand(mediaMs, value(values, rms)));
    readValues(child.extra[5]!, rms, (mediaMs, values) => judge.noteHumBand(mediaMs, value(values, rms)));
  }

  static async start(ffmpeg: string, judge: Judge): Promise<Analyser> {
    const stdio = ["pipe", "pipe", "ignore", "pipe", "pipe", "pipe"] as const;
    return new Analyser(await startProcess(analyserArgv(ffmpeg), { stdio: [...stdio] }), judge);
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
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.stdin!.destroy();
    await this.child.stop(STOP_MS);
  }
}

/** Lines `frame:1 pts:90000 pts_time:1` followed by `key=value`; told at `last`, which every frame has. */
function readValues(
  stream: Readable,
  last: string,
  tell: (mediaMs: number, values: ReadonlyMap<string, number>) => void,
): void {
  let mediaMs = 0;
  const values = new Map<string, number>();
  const lines = createInterface({ input: stream });
  lines.on("error", () => {});
  lines.on("line", (line) => {
    const time = /pts_time:([\d.]+)/.exec(line);
    if (time) {
      mediaMs = Number(time[1]) * 1_000;
      values.clear();
    }
    const at = line.indexOf("=");
    if (at < 0) return;
    const key = line.slice(0, at);
    const text = line.slice(at + 1);
    values.set(key, text === "-inf" || text === "nan" ? Number.NEGATIVE_INFINITY : Number.parseFloat(text));
    if (key === last) tell(mediaMs, values);
  });
}
