import { createServer, type AddressInfo, type Socket } from "node:net";
import { WebSocket } from "ws";
import { readFlvTags } from "../../src/media/media.ts";
import { startProcess, systemClock } from "../../src/platform/platform.ts";
import {
  HUB_TLS_NAME,
  liveStreamName,
  RTMP_APP,
  roomLivePath,
  type BoxId,
  type LiveKind,
  type PointId,
  type RoomStage,
} from "../../src/protocol/protocol.ts";
import type { DeskCaller } from "./desk-caller.ts";
import {
  dial,
  fetchAnswer,
  fetchCa,
  newPairingBox,
  openControlPeer,
  type ControlPeer,
  type PairedPeer,
} from "./hub-door.ts";
import type { RunningHub } from "./hub-process.ts";
import { until } from "./until.ts";

/** Pairs a box with a running hub: the code is read from its screen and typed at the desk. */
export async function pairPeer(hub: RunningHub, desk: DeskCaller, pointName: string): Promise<PairedPeer> {
  const door = { port: hub.tlsPort };
  const box = await newPairingBox(await fetchCa(door));
  const ticket = await box.post(door);
  const typed = await desk.post("/api/pairing", { code: box.code, pointName });
  if (typed.status !== 200) throw new Error(typed.text);
  const { box: id, point } = JSON.parse(typed.text) as { box: BoxId; point: { id: PointId } };
  const verdict = box.judge(await fetchAnswer(door, ticket));
  if (!verdict.trusts) throw new Error(verdict.reason);
  const { keyPem, caPem } = box;
  return { box: id, point: point.id, keyPem, certificatePem: verdict.certificatePem, caPem };
}

/** What a room's control channel says of the stage. */
export async function openStagePeer(hub: RunningHub, peer: PairedPeer) {
  const control: ControlPeer = await openControlPeer({ port: hub.tlsPort }, peer);
  return {
    control,
    /** Undefined before the first word. */
    stage: (): RoomStage | null | undefined => control.received.findLast((said) => said.type === "stage")?.stage,
    watchedBy: (): string[] | undefined => control.received.findLast((said) => said.type === "watched")?.by,
  };
}

/** Publishes a tone as the box would: FFmpeg speaks plain RTMP to a loopback port, the hub sees mutual TLS. */
export async function publishTone(hub: RunningHub, peer: PairedPeer): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const relay = createServer((near) => {
    sockets.add(near);
    near.on("error", () => {});
    void dial({ port: hub.tlsPort }, peer, "rtmp").then((far) => {
      near.pipe(far).pipe(near);
      near.once("close", () => far.destroy());
      far.once("close", () => near.destroy());
    });
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const { port } = relay.address() as AddressInfo;
  const name = liveStreamName({ box: peer.box, kind: "audio", run: "aaaaaaaa" });
  // prettier-ignore
  const tone = await startProcess([
    "ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-re", "-f", "lavfi", "-i", "sine=frequency=330:sample_rate=48000",
    "-c:a", "aac", "-b:a", "64k", "-flush_packets", "1", "-f", "flv", "-flvflags", "no_duration_filesize",
    "-tcp_nodelay", "1", `rtmp://127.0.0.1:${port}/${RTMP_APP}/${name}`,
  ]);
  return {
    async [Symbol.asyncDispose]() {
      await tone.stop(2_000);
      for (const socket of sockets) socket.destroy();
      relay.close();
    },
  };
}

/** A viewer of live sound or pictures, which notes when something came. */
export interface StageViewer {
  readonly socket: WebSocket;
  /** Monotonic times at which media came: configuration and headers do not count. */
  readonly heardMs: number[];
  /** Monotonic times at which an empty message came. */
  readonly aliveMs: number[];
  readonly closed: Promise<number>;
  /** Waits until something comes from now on. */
  hears(): Promise<void>;
}

export function viewer(socket: WebSocket): StageViewer {
  const heardMs: number[] = [];
  const aliveMs: number[] = [];
  socket.on("error", () => {});
  socket.on("message", (data: Buffer) => {
    if (data.length === 0) aliveMs.push(systemClock.monotonicMs());
    // AAC frames, and AVC pictures: the second byte of the body is 1 (FLV 10.1, E.4.2.1 and E.4.3.1).
    if (readFlvTags(data).some(({ body }) => body[1] === 1)) heardMs.push(systemClock.monotonicMs());
  });
  return {
    socket,
    heardMs,
    aliveMs,
    closed: new Promise((resolve) => socket.once("close", resolve)),
    async hears() {
      const before = heardMs.length;
      await until("something is heard", () => heardMs.length > before, { everyMs: 5 });
    },
  };
}

/** A room that sees or hears another, straight at the hub. */
export async function watchFromRoom(hub: RunningHub, peer: PairedPeer, box: BoxId, kind: LiveKind) {
  const socket = await dial({ port: hub.tlsPort }, peer, "http");
  return viewer(new WebSocket(`ws://${HUB_TLS_NAME}${roomLivePath(box, kind)}`, { createConnection: () => socket }));
}

/** Somebody at the desk does. */
export const watchFromDesk = (desk: DeskCaller, box: BoxId, kind: LiveKind) =>
  viewer(
    new WebSocket(`${desk.base.replace("http", "ws")}${roomLivePath(box, kind)}`, {
      headers: { cookie: desk.cookie, origin: desk.base },
    }),
  );
