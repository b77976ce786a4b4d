import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { WebSocket } from "ws";
import { FLV_SCRIPT, FLV_VIDEO, readFlvTags, type FlvTag } from "../../src/media/media.ts";
import { systemClock } from "../../src/platform/platform.ts";
import { amf0, COMMAND, connectCommand, handshake, header, message, publishCommand } from "./rtmp-client.ts";

/** What one load process does; its only argument, as JSON. */
export interface LoadPlan {
  /** FLV file to replay over and over, for each publish. */
  publishes: { port: number; name: string; clip: string }[];
  rtmpViewers: { port: number; name: string }[];
  webViewers: string[];
}

/** Printed once a second after everything is connected. */
export interface LoadReport {
  sentBytes: number;
  receivedBytes: number;
  /** How far behind its time the latest tag was sent, at worst. */
  worstLagMs: number;
}

const CHUNK_BYTES = 65_536;
const TICK_MS = 2;
const SET_CHUNK_SIZE = 1;

interface Replay {
  socket: Socket;
  tags: FlvTag[];
  durationMs: number;
  startMs: number;
  next: number;
  loop: number;
}

const plan = JSON.parse(process.argv[2]!) as LoadPlan;
const total: LoadReport = { sentBytes: 0, receivedBytes: 0, worstLagMs: 0 };

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  socket.on("error", (error) => fail(error.message));
  socket.on("close", () => fail("the server closed a connection"));
  return socket;
}

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}

const chunkSize = (): Buffer => {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(CHUNK_BYTES);
  return message(SET_CHUNK_SIZE, body, 2);
};

function sendTag(replay: Replay, tag: FlvTag): void {
  const timestampMs = tag.timestampMs + replay.loop * replay.durationMs;
  const chunkStream = tag.type === FLV_VIDEO ? 6 : 4;
  replay.socket.cork();
  replay.socket.write(header(tag.type, tag.body.length, chunkStream, timestampMs));
  for (let at = 0; at < tag.body.length; at += CHUNK_BYTES) {
    if (at > 0) replay.socket.write(Buffer.of(0xc0 | chunkStream));
    replay.socket.write(tag.body.subarray(at, at + CHUNK_BYTES));
  }
  replay.socket.uncork();
  total.sentBytes += tag.body.length;
}

const clips = new Map<string, FlvTag[]>();
const replays: Replay[] = [];
for (const [n, { port, name, clip }] of plan.publishes.entries()) {
  const tags = clips.get(clip) ?? readFlvTags(readFileSync(clip)).filter(({ type }) => type !== FLV_SCRIPT);
  clips.set(clip, tags);
  const socket = await open(port);
  socket.resume();
  socket.write(
    Buffer.concat([
      handshake(),
      connectCommand(),
      message(COMMAND, amf0("createStream", 2, null)),
      publishCommand(name),
      chunkSize(),
    ]),
  );
  const media = tags.filter(({ body }) => body[1] !== 0);
  // The last tag's length is that of the one before.
  const durationMs = 2 * media.at(-1)!.timestampMs - media.at(-2)!.timestampMs;
  const replay: Replay = { socket, tags: media, durationMs, startMs: 0, next: 0, loop: 0 };
  for (const tag of tags.filter(({ body }) => body[1] === 0)) sendTag(replay, tag);
  // Boxes are not in step: starts are spread over one frame of video.
  replay.startMs = systemClock.monotonicMs() + ((n * 7) % 40);
  replays.push(replay);
}
for (const { port, name } of plan.rtmpViewers) {
  const socket = await open(port);
  socket.on("data", (data: Buffer) => (total.receivedBytes += data.length));
  const play = message(COMMAND, amf0("play", 3, null, name), 8);
  socket.write(Buffer.concat([handshake(), connectCommand(), message(COMMAND, amf0("createStream", 2, null)), play]));
}
for (const url of plan.webViewers) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on("message", (data: Buffer) => (total.receivedBytes += data.length));
  socket.on("close", () => fail("the server closed a viewer"));
  await once(socket, "open");
}

// Connecting took a while: all begin now, at the same place as before relative to one another.
const shiftMs = systemClock.monotonicMs() - replays[0]!.startMs;
for (const replay of replays) replay.startMs += shiftMs;
setInterval(() => {
  const nowMs = systemClock.monotonicMs();
  for (const replay of replays)
    for (;;) {
      const tag = replay.tags[replay.next]!;
      const lagMs = nowMs - replay.startMs - tag.timestampMs - replay.loop * replay.durationMs;
      if (lagMs < 0) break;
      total.worstLagMs = Math.max(total.worstLagMs, lagMs);
      sendTag(replay, tag);
      replay.next++;
      if (replay.next === replay.tags.length) {
        replay.next = 0;
        replay.loop++;
      }
    }
}, TICK_MS);
setInterval(() => {
  console.log(JSON.stringify(total));
  total.worstLagMs = 0;
}, 1_000);
