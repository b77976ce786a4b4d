import { parseArgs } from "node:util";
import { stampHeight, writeStamp } from "../../src/media/media.ts";
import { startProcess } from "../../src/platform/platform.ts";

/**
 * A camera whose frames carry the moment they were taken, with the live encoder of a box behind it: 25 frames a
 * second, zero latency, one key frame a second. Runs until it is told to end or its encoder ends.
 * Options: --url (rtmp), --width, --height, --bitrate (kbit/s).
 */
const { values } = parseArgs({
  options: {
    url: { type: "string" },
    width: { type: "string", default: "640" },
    height: { type: "string", default: "360" },
    bitrate: { type: "string", default: "400" },
  },
});
const width = Number(values.width);
const height = Number(values.height);
const bitrate = Number(values.bitrate);
const FRAME_RATE = 25;

// prettier-ignore
const ffmpeg = await startProcess([
  "ffmpeg",
  "-hide_banner", "-loglevel", "error", "-nostats",
  "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", `${width}x${height}`, "-framerate", `${FRAME_RATE}`,
  "-i", "pipe:0",
  "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline", "-bf", "0",
  "-g", `${FRAME_RATE}`, "-keyint_min", `${FRAME_RATE}`, "-sc_threshold", "0", "-threads", "1",
  "-b:v", `${bitrate}k`, "-maxrate", `${bitrate}k`, "-bufsize", `${Math.round(bitrate / 5)}k`,
  "-flush_packets", "1", "-f", "flv", "-flvflags", "no_duration_filesize", "-tcp_nodelay", "1", values.url!,
], { stdio: ["pipe", "ignore", "inherit"] });
const film = ffmpeg.stdin!;
film.on("error", () => {});
void ffmpeg.exited.then(() => process.exit(0));
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => ffmpeg.kill("SIGKILL"));

/** Blurred noise that wanders, so that each frame costs what a room's picture costs. */
const texture = new Uint8Array(width * (height + FRAME_RATE * 4)).map(
  (_, i) => 96 + 48 * Math.sin((i % width) / 23) * Math.cos(i / width / 17) + ((i * 2654435761) >>> 29),
);
const frames = Array.from({ length: 3 }, () => new Uint8Array((width * height * 3) / 2).fill(128));
const startMs = performance.now();
const shoot = (n: number) => {
  const frame = frames[n % frames.length]!;
  const shift = width * (n % (FRAME_RATE * 4));
  frame.set(texture.subarray(shift + stampHeight(width) * width, shift + width * height), stampHeight(width) * width);
  writeStamp(frame, width, height, Date.now());
  // A reader that does not keep pace loses frames, as a camera's driver does.
  if (film.writableLength < frame.length * 2) film.write(frame);
  setTimeout(() => shoot(n + 1), Math.max(0, startMs + ((n + 1) * 1000) / FRAME_RATE - performance.now()));
};
shoot(0);
