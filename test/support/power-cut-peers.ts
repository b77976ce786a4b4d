import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { FLV_VIDEO, flvHeader, flvTag, readFlvTags } from "../../src/media/media.ts";
import { runChecked, startProcess, systemClock } from "../../src/platform/platform.ts";
import { countFrames } from "./count.ts";
import { FRAME_RATE, type CutResult } from "./power-cut.ts";
import { makeVolatileDisk, mountImage, type Survival, type VolatileDisk } from "./volatile-disk.ts";

const CLIP_FRAMES = 10 * FRAME_RATE;
const SEQUENCE_HEADER = 0;
const END_WITHIN_MS = 5_000;
const NANOSECONDS = 1e9;
const SEGMENT_SECONDS = 10;

/**
 * Recorders that people build of what there is, with 10 s segments like ours. They are given coded pictures and only
 * have to write them down, so that no encoder's delay counts against them.
 */
const FFMPEG = ["ffmpeg", "-v", "error", "-analyzeduration", "0", "-f", "flv", "-i", "pipe:0", "-c", "copy"];
const FFMPEG_SEGMENTS = [...FFMPEG, "-f", "segment", "-segment_time", `${SEGMENT_SECONDS}`];
export const PEERS: Record<string, (folder: string) => string[]> = {
  "ffmpeg -f segment, mp4": (folder) => [...FFMPEG_SEGMENTS, "-segment_format", "mp4", `${folder}/%06d.mp4`],
  "ffmpeg -f segment, mpegts": (folder) => [...FFMPEG_SEGMENTS, "-segment_format", "mpegts", `${folder}/%06d.ts`],
  "gstreamer splitmuxsink": (folder) => [
    ...["gst-launch-1.0", "-q", "fdsrc", "fd=0", "!", "flvdemux", "!", "h264parse", "!", "splitmuxsink"],
    ...[`location=${folder}/%06d.mp4`, `max-size-time=${SEGMENT_SECONDS * NANOSECONDS}`],
  ],
};

export interface RecordingPeer extends AsyncDisposable {
  readonly disk: VolatileDisk;
  write(bytes: Uint8Array): void;
  /** Lets it end in good order, notes what it recorded, and switches its disk off. */
  stop(): Promise<void>;
  recover(atMs: number, survival: Survival, framesGiven: number): Promise<CutResult>;
}

export async function startPeer(home: string, argv: (folder: string) => string[]): Promise<RecordingPeer> {
  await using starting = new AsyncDisposableStack();
  const disk = starting.use(await makeVolatileDisk(home));
  const recorder = await startProcess(argv(disk.directory), { stdio: ["pipe", "ignore", "inherit"] });
  starting.defer(async () => void (await recorder.stop(10_000)));
  recorder.stdin!.on("error", () => {});
  const running = starting.move();
  /** Frames in each file of the whole recording. */
  let files: number[] = [];
  return {
    disk,
    write: (bytes) => void recorder.stdin!.write(bytes),
    async stop() {
      recorder.stdin!.end();
      // GStreamer was seen to wait for ever after the end of its input.
      const late = new AbortController();
      await Promise.race([recorder.exited, systemClock.sleep(END_WITHIN_MS, late.signal).catch(() => {})]);
      late.abort();
      await recorder.stop(1_000);
      files = await countAll(disk.directory);
      await disk.stop();
    },
    async recover(atMs, survival, framesGiven) {
      const place = await mkdtemp(join(home, "cut-"));
      await using stack = new AsyncDisposableStack();
      stack.defer(() => rm(place, { recursive: true }));
      const image = join(place, "disk.img");
      await disk.cut(atMs, survival, Math.random, image);
      const mounted = join(place, "mounted");
      stack.use(await mountImage(image, mounted));
      const left = await countAll(mounted);
      const played = left.reduce((sum, frames) => sum + frames, 0);
      let end = 0;
      const closedSegmentsLost = files.filter((frames, n) => {
        end += frames;
        return end + FRAME_RATE <= framesGiven && (left[n] ?? 0) < frames;
      }).length;
      return { framesLost: framesGiven - played, opens: played > 0, closedSegmentsLost };
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Frames that can be read from each file, 0 where it does not open. */
async function countAll(folder: string): Promise<number[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{6}\./.test(name)).sort();
  return Promise.all(names.map((name) => countFrames(join(folder, name)).catch(() => 0)));
}

export interface FrameFeed {
  /** Moments, CLOCK_MONOTONIC, at which frame 0, 1, 2… was handed to the peers. */
  readonly sentMs: readonly number[];
  stop(): Promise<void>;
}

/** Gives all peers the same frames at the same moments: 720p25, a key frame a second, about what our box records. */
export async function feedFrames(directory: string, peers: readonly RecordingPeer[]): Promise<FrameFeed> {
  const clip = join(directory, "clip.flv");
  await runChecked([
    ...["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", `testsrc2=size=1280x720:rate=${FRAME_RATE}`],
    ...["-frames:v", `${CLIP_FRAMES}`, "-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-bf", "0"],
    ...["-g", `${FRAME_RATE}`, "-b:v", "1500k", "-maxrate", "3000k", "-bufsize", "6000k", clip],
  ]);
  const tags = readFlvTags(await readFile(clip)).filter(({ type }) => type === FLV_VIDEO);
  const header = tags.find(({ body }) => body[1] === SEQUENCE_HEADER)!;
  const frames = tags.filter(({ body }) => body[1] === 1);
  if (frames.length !== CLIP_FRAMES) throw new Error(`the clip has ${frames.length} frames`);
  const give = (bytes: Uint8Array) => peers.forEach((peer) => peer.write(bytes));
  give(flvHeader({ audio: false, video: true }));
  give(flvTag(FLV_VIDEO, 0, header.body));

  const sentMs: number[] = [];
  const ending = new AbortController();
  const startMs = systemClock.monotonicMs();
  const feeding = (async () => {
    for (let n = 0; !ending.signal.aborted; n++) {
      const dueMs = (n * 1_000) / FRAME_RATE;
      const waitMs = startMs + dueMs - systemClock.monotonicMs();
      if (waitMs > 0) await systemClock.sleep(waitMs, ending.signal).catch(() => {});
      if (ending.signal.aborted) return;
      give(flvTag(FLV_VIDEO, dueMs, frames[n % frames.length]!.body));
      sentMs.push(systemClock.monotonicMs());
    }
  })();
  return {
    sentMs,
    async stop() {
      ending.abort();
      await feeding;
    },
  };
}
