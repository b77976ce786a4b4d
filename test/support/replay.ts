import { readFile } from "node:fs/promises";
import type { WebSocket } from "ws";
import { runChecked } from "../../src/platform/platform.ts";
import { flvHeader, flvTag, FLV_VIDEO, readFlvTags } from "../../src/media/media.ts";

/** A short film as a hub would send it, to be sent over and over at any speed: hours within seconds. */
export interface Film {
  config: Uint8Array;
  frames: { atMs: number; body: Uint8Array }[];
  lengthMs: number;
}

const SECONDS = 4;

/** 160×90, 25 frames a second, a key frame each second. */
export async function makeFilm(file: string): Promise<Film> {
  // prettier-ignore
  await runChecked([
    "ffmpeg", "-hide_banner", "-loglevel", "error", "-y",
    "-f", "lavfi", "-i", `testsrc2=size=160x90:rate=25:duration=${SECONDS}`,
    "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-pix_fmt", "yuv420p",
    "-f", "flv", "-flvflags", "no_duration_filesize", file,
  ]);
  const tags = readFlvTags(await readFile(file)).filter(({ type }) => type === FLV_VIDEO);
  const config = tags.find(({ body }) => body[1] === 0)!.body;
  const frames = tags.filter(({ body }) => body[1] === 1).map(({ timestampMs, body }) => ({ atMs: timestampMs, body }));
  return { config, frames, lengthMs: SECONDS * 1000 };
}

/** Sends it `speed` times as fast as it was taken until the socket closes. */
export function replay(socket: WebSocket, film: Film, speed: number): void {
  socket.send(flvHeader({ audio: false, video: true }));
  socket.send(flvTag(FLV_VIDEO, 0, film.config));
  const startMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const filmMs = (performance.now() - startMs) * speed;
    for (;;) {
      const round = Math.floor(sent / film.frames.length);
      const frame = film.frames[sent % film.frames.length]!;
      const atMs = round * film.lengthMs + frame.atMs;
      if (atMs > filmMs || socket.bufferedAmount > 1 << 20) return;
      socket.send(flvTag(FLV_VIDEO, atMs, frame.body));
      sent++;
    }
  }, 10);
  socket.on("close", () => clearInterval(timer));
}
