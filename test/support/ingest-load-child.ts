import { once } from "node:events";
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { systemClock } from "../../src/platform/platform.ts";
import { openTo } from "./load-connection.ts";
import { play, Replayer } from "./rtmp-replay.ts";

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

const plan = JSON.parse(process.argv[2]!) as LoadPlan;

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}

const open = (port: number): Promise<Socket> =>
  openTo({ port }, (why) => fail(`the server closed a connection: ${why}`));

const replayer = new Replayer(systemClock);
const received = { bytes: 0 };
for (const [n, { port, name, clip }] of plan.publishes.entries())
  // Boxes are not in step: starts are spread over one frame of video.
  replayer.add(await open(port), name, clip, { delayMs: (n * 7) % 40 });
for (const { port, name } of plan.rtmpViewers) {
  const socket = await open(port);
  socket.on("data", (data: Buffer) => (received.bytes += data.length));
  play(socket, name);
}
for (const url of plan.webViewers) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on("message", (data: Buffer) => (received.bytes += data.length));
  socket.on("close", () => fail("the server closed a viewer"));
  await once(socket, "open");
}
replayer.start();
setInterval(() => {
  const { sentBytes, worstLagMs } = replayer;
  console.log(JSON.stringify({ sentBytes, receivedBytes: received.bytes, worstLagMs } satisfies LoadReport));
  replayer.worstLagMs = 0;
}, 1_000);
