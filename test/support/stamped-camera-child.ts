import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { planEncoder, runPaths } from "../../src/edge/capture/plan.ts";
import { wavBytes, wavHead } from "../../src/edge/capture/virtual-scene.ts";
import { stampHeight, writeStamp } from "../../src/media/media.ts";
import { startProcess } from "../../src/platform/platform.ts";
import { markedSample } from "./marks.ts";

/**
 * A camera whose frames carry the moment they were taken, and a microphone whose sound does (marks.ts), with a live
 * encoder behind them: 25 frames a second, zero latency, one key frame a second, picture and sound published apart. Runs
 * until it is told to end or its encoder ends. The encoder costs as little as it can, so that several of them do not take
 * from a viewer what they would not in rooms of their own; with --small it is the box's own command line.
 * Options: --ffmpeg, --url (rtmp), --width, --height, --bitrate (kbit/s), --sound (rtmp; none: a camera alone),
 * --small (rtmp; with a sound), --log (a file that gets a line for each frame written: its number and its wall clock).
 */
const { values } = parseArgs({
  options: {
    ffmpeg: { type: "string", default: "ffmpeg" },
    url: { type: "string" },
    width: { type: "string", default: "640" },
    height: { type: "string", default: "360" },
    bitrate: { type: "string", default: "400" },
    sound: { type: "string" },
    small: { type: "string" },
    log: { type: "string" },
  },
});
const width = Number(values.width);
const height = Number(values.height);
const bitrate = Number(values.bitrate);
const FRAME_RATE = 25;
const SOUND_RATE = 48_000;
/** What a sound card hands over at a time. */
const PERIOD_MS = 10;
/** In 32-bit samples. */
const PERIOD_BYTES = (SOUND_RATE / 1_000) * PERIOD_MS * 4;

const live = ["-flush_packets", "1", "-f", "flv", "-flvflags", "no_duration_filesize", "-tcp_nodelay", "1"];
// prettier-ignore
const pictureIn = [
  "-probesize", "32", "-analyzeduration", "0",
  "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", `${width}x${height}`, "-framerate", `${FRAME_RATE}`,
  "-i", "pipe:0",
];
// prettier-ignore
const pictureOut = [
  "-map", "0:v", "-fps_mode", "passthrough",
  "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline", "-bf", "0",
  "-g", `${FRAME_RATE}`, "-keyint_min", `${FRAME_RATE}`, "-sc_threshold", "0", "-threads", "1",
  "-b:v", `${bitrate}k`, "-maxrate", `${bitrate}k`, "-bufsize", `${Math.round(bitrate / 5)}k`,
  "-output_ts_offset", "1", ...live, values.url!,
];
// prettier-ignore
const soundIn = [
  "-probesize", "32", "-analyzeduration", "0", "-thread_queue_size", "256",
  // As the box takes a virtual room's.
  "-f", "wav", "-ignore_length", "1", "-max_size", `${PERIOD_BYTES}`, "-i", "pipe:3",
];
// prettier-ignore
const soundOut = [
  "-map", "1:a", "-c:a", "aac", "-ar", "96000", "-b:a", "56k", "-cutoff", "10000",
  "-output_ts_offset", "1", ...live, values.sound!,
];
/** Where the box's encoder keeps what it says of itself. */
const folder = await mkdtemp(join(tmpdir(), "camera-"));
const lean = [values.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostats"];
const argv = values.small
  ? planEncoder({
      ffmpeg: values.ffmpeg,
      source: { picture: { kind: "virtual" }, sound: { kind: "virtual" }, words: "" },
      quality: {
        record: { width, height, frameRate: FRAME_RATE, maxBitrateKbps: 3_000 },
        live: { width, height, bitrateKbps: bitrate },
        small: { width: 320, height: 180, bitrateKbps: 120 },
      },
      paths: { ...runPaths(folder), videoFifo: "pipe:0", audioFifo: "pipe:3" },
      recordTo: null,
      liveUrl: { video: values.url!, small: values.small, audio: values.sound! },
      ownPicture: null,
      share: null,
    })
  : [...lean, ...pictureIn, ...(values.sound ? [...soundIn, ...pictureOut, ...soundOut] : pictureOut)];
const ffmpeg = await startProcess(argv, { cwd: folder, stdio: ["pipe", "ignore", "inherit", "pipe"] });
const film = ffmpeg.stdin!;
const voice = ffmpeg.extra[3]!;
for (const pipe of [film, voice]) pipe.on("error", () => {});
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => ffmpeg.kill("SIGKILL"));
const log = values.log === undefined ? undefined : createWriteStream(values.log);

/** Blurred noise that wanders, so that each frame costs what a room's picture costs. */
const texture = new Uint8Array(width * (height + FRAME_RATE * 4)).map(
  (_, i) => 96 + 48 * Math.sin((i % width) / 23) * Math.cos(i / width / 17) + ((i * 2654435761) >>> 29),
);
const frames = Array.from({ length: 3 }, () => new Uint8Array((width * height * 3) / 2).fill(128));
const startMs = performance.now();
let written = 0;
const shoot = (n: number) => {
  const frame = frames[n % frames.length]!;
  const shift = width * (n % (FRAME_RATE * 4));
  frame.set(texture.subarray(shift + stampHeight(width) * width, shift + width * height), stampHeight(width) * width);
  const wallMs = performance.timeOrigin + performance.now();
  writeStamp(frame, width, height, wallMs);
  // A reader that does not keep pace loses frames, as a camera's driver does. Not beside a sound: its time line would
  // part from a picture's that counts frames.
  if (values.sound || film.writableLength < frame.length * 2) {
    film.write(values.sound ? frame.slice() : frame);
    log?.write(`${written++} ${wallMs}\n`);
  }
  setTimeout(() => shoot(n + 1), Math.max(0, startMs + ((n + 1) * 1000) / FRAME_RATE - performance.now()));
};
const originWallMs = performance.timeOrigin + startMs;
if (values.sound) voice.write(wavHead());
let spoken = 0;
const speak = () => {
  const due = Math.floor(((performance.now() - startMs) / 1000) * SOUND_RATE);
  const piece = new Int16Array(due - spoken);
  for (let i = 0; i < piece.length; i++)
    piece[i] = markedSample(originWallMs + ((spoken + i) / SOUND_RATE) * 1000) * 32_767;
  spoken = due;
  voice.write(wavBytes(piece));
  setTimeout(speak, Math.max(0, PERIOD_MS - ((performance.now() - startMs) % PERIOD_MS)));
};
shoot(0);
if (values.sound) speak();
await ffmpeg.exited;
await rm(folder, { recursive: true, force: true });
process.exit(0);
