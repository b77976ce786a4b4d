import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { WebSocket } from "ws";
import { flvHeader, flvTag, readFlvTags, type FlvTag } from "../../src/media/media.ts";
import { runChecked, systemClock } from "../../src/platform/platform.ts";

/** One room's picture, made by ffmpeg: live as FLV tags, recorded as segments with their playlist, still as JPEG. */
export interface RoomMedia {
  live: FlvTag[];
  /** A camera with its lens covered. */
  black: FlvTag[];
  playlist: string;
  segments: Uint8Array[];
  still: Uint8Array;
}

export const MEDIA_SEGMENT_MS = 2_000;
const SEGMENTS = 5;

/** A plain room: wall, window, table, three people; something that moves, so that stepping shows. */
const SCENE = [
  "drawbox=x=0:y=260:w=640:h=100:color=0x6b5a48:t=fill",
  "drawbox=x=430:y=40:w=150:h=110:color=0xcfe3ea:t=fill,drawbox=x=502:y=40:w=6:h=110:color=0x9aa6a8:t=fill",
  "drawbox=x=110:y=130:w=46:h=52:color=0xd9b08c:t=fill,drawbox=x=86:y=182:w=94:h=90:color=0x27465a:t=fill",
  "drawbox=x=262:y=120:w=48:h=54:color=0xc99a75:t=fill,drawbox=x=236:y=174:w=100:h=98:color=0x37474f:t=fill",
  "drawbox=x=418:y=132:w=46:h=52:color=0xd6a985:t=fill,drawbox=x=394:y=184:w=94:h=88:color=0x5a3a34:t=fill",
  "drawbox=x=30:y=256:w=560:h=34:color=0x8a6a48:t=fill",
  "drawbox=x='mod(t*60,640)':y=340:w=24:h=10:color=0xf0c050:t=fill",
].join(",");

export async function makeRoomMedia(directory: string): Promise<RoomMedia> {
  const picture = ["-f", "lavfi", "-i", "color=c=0xb9c4c0:s=640x360:r=25"];
  const sound = ["-f", "lavfi", "-i", "sine=frequency=330:sample_rate=48000"];
  // prettier-ignore
  const video = ["-vf", `${SCENE},scale=640:360`, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "25"];
  const run = (argv: string[]) => runChecked(["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", ...argv]);
  const live = join(directory, "live.flv");
  await run([...picture, ...video, "-t", "8", "-f", "flv", live]);
  const black = join(directory, "black.flv");
  const covered = ["-f", "lavfi", "-i", "color=c=black:s=640x360:r=25"];
  await run([...covered, ...video.slice(2), "-t", "8", "-f", "flv", black]);
  const pattern = join(directory, "%03d.ts");
  // prettier-ignore
  await run([
    ...picture, ...sound, ...video, "-c:a", "aac", "-ac", "1", "-t", String((SEGMENTS * MEDIA_SEGMENT_MS) / 1_000),
    "-f", "segment", "-segment_time", String(MEDIA_SEGMENT_MS / 1_000), "-segment_format", "mpegts", pattern,
  ]);
  const still = join(directory, "still.jpg");
  await run([...picture, "-vf", SCENE, "-frames:v", "1", "-update", "1", still]);
  const names = Array.from({ length: SEGMENTS }, (_, i) => String(i).padStart(3, "0"));
  return {
    live: readFlvTags(await readFile(live)),
    black: readFlvTags(await readFile(black)),
    segments: await Promise.all(names.map((name) => readFile(join(directory, `${name}.ts`)))),
    playlist: [
      "#EXTM3U",
      "#EXT-X-VERSION:3",
      `#EXT-X-TARGETDURATION:${MEDIA_SEGMENT_MS / 1_000}`,
      "#EXT-X-PLAYLIST-TYPE:VOD",
      ...names.flatMap((name) => [`#EXTINF:${(MEDIA_SEGMENT_MS / 1_000).toFixed(3)},`, `segment/${name}`]),
      "#EXT-X-ENDLIST",
      "",
    ].join("\n"),
    still: await readFile(still),
  };
}

/** Speaks as the hub's live fan-out does: the header, then tags as time goes on, over and over. */
export async function sendLive(socket: WebSocket, tags: FlvTag[], signal: AbortSignal): Promise<void> {
  socket.send(flvHeader({ audio: false, video: true }));
  const lengthMs = (tags.at(-1)?.timestampMs ?? 0) + 40;
  const startMs = systemClock.monotonicMs();
  for (let round = 0; !signal.aborted; round += 1)
    for (const tag of tags) {
      const dueMs = round * lengthMs + tag.timestampMs;
      const waitMs = startMs + dueMs - systemClock.monotonicMs();
      if (waitMs > 0) await systemClock.sleep(waitMs, signal).catch(() => {});
      if (signal.aborted || socket.readyState !== socket.OPEN) return;
      socket.send(flvTag(tag.type, dueMs, tag.body));
    }
}
