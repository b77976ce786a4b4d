import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { createIngest, type Ingest } from "../../src/hub/ingest/ingest.ts";
import { createLive, type Live } from "../../src/hub/live/live.ts";
import { createLog, startProcess, systemClock, type Child, type Clock } from "../../src/platform/platform.ts";
import { BoxId, liveStreamName, RTMP_APP, type LiveKind } from "../../src/protocol/protocol.ts";
import { FlvReader, type FlvTag } from "../../src/media/media.ts";

export const BOX = BoxId.parse("box-aaaaaaaaaaaaaaaa");
export const OTHER_BOX = BoxId.parse("box-bbbbbbbbbbbbbbbb");

export interface LoggedEvent {
  event: string;
  box?: string;
  reason?: string;
  detail?: string;
  kind?: string;
  why?: string;
}

/** Ingest and live behind loopback ports: RTMP as one box (its certificate is assumed), viewers by WebSocket. */
export interface IngestBed extends AsyncDisposable {
  readonly ingest: Ingest;
  readonly live: Live;
  readonly rtmpPort: number;
  readonly webPort: number;
  /** Every line that was logged. */
  readonly events: LoggedEvent[];
  /** Reasons of refusals so far. */
  refusals(): string[];
  readonly webSockets: WebSocketServer;
  /** Connections that are open at the RTMP port. */
  readonly sockets: ReadonlySet<Socket>;
}

export async function startIngestBed(options: { box?: BoxId; clock?: Clock } = {}): Promise<IngestBed> {
  const clock = options.clock ?? systemClock;
  const box = options.box ?? BOX;
  const events: LoggedEvent[] = [];
  let ticks = 0;
  // Each line an hour after the one before, so that repetitions are not folded into one.
  const logClock = { wallMs: () => 0, monotonicMs: () => (ticks += 3_600_000) };
  const log = createLog(logClock, (line) => events.push(JSON.parse(line) as LoggedEvent), "debug");
  const live = createLive({ log, clock });
  const ingest = createIngest({ log, clock, sink: live.sink });
  const sockets = new Set<Socket>();
  const rtmp = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    ingest.accept(socket, box);
  });
  const web = createHttpServer();
  const webSockets = new WebSocketServer({ server: web });
  webSockets.on("connection", (socket, request) => {
    const [, viewed, kind] = request.url!.split("/");
    live.addViewer(socket, BoxId.parse(viewed), kind as LiveKind);
  });
  rtmp.listen(0, "127.0.0.1");
  web.listen(0, "127.0.0.1");
  await Promise.all([once(rtmp, "listening"), once(web, "listening")]);
  return {
    ingest,
    live,
    rtmpPort: (rtmp.address() as AddressInfo).port,
    webPort: (web.address() as AddressInfo).port,
    events,
    refusals: () => events.filter(({ event }) => event === "ingest.refused").map(({ reason }) => reason!),
    webSockets,
    sockets,
    async [Symbol.asyncDispose]() {
      await live.close();
      for (const socket of sockets) socket.destroy();
      for (const socket of webSockets.clients) socket.terminate();
      webSockets.close();
      await Promise.all([rtmp, web].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

const INPUTS: Record<LiveKind, string[]> = {
  video: ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"],
  small: ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25"],
  audio: ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"],
};
const CODECS: Record<LiveKind, string[]> = {
  video: ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-b:v", "300k"],
  small: ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-b:v", "60k"],
  audio: ["-c:a", "aac", "-b:a", "64k", "-ac", "1"],
};

/** A real ffmpeg that publishes a test picture or tone, in real time, for so many seconds. */
export function publish(
  port: number,
  {
    box = BOX,
    kind = "video",
    run = "aaaaaaaa",
    seconds = 60,
    name = liveStreamName({ box, kind, run }),
    app = RTMP_APP,
  }: { box?: BoxId; kind?: LiveKind; run?: string; seconds?: number; name?: string; app?: string } = {},
): Promise<Child> {
  const url = `rtmp://127.0.0.1:${port}/${app}/${name}`;
  const argv = ["ffmpeg", "-v", "error", "-nostdin", "-re", ...INPUTS[kind], "-t", String(seconds), ...CODECS[kind]];
  return startProcess([...argv, "-f", "flv", "-flvflags", "no_duration_filesize", url], { stdio: "ignore" });
}

/** A real WebSocket viewer that keeps all it gets. */
export class TestViewer {
  readonly socket: WebSocket;
  readonly chunks: Buffer[] = [];
  readonly tags: FlvTag[] = [];
  closeCode: number | undefined;
  readonly closed: Promise<number>;
  readonly #reader = new FlvReader();

  constructor(port: number, kind: LiveKind, box: BoxId = BOX) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/${box}/${kind}`);
    this.socket.on("message", (data: Buffer) => {
      this.chunks.push(data);
      this.tags.push(...this.#reader.push(data));
    });
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) =>
      this.socket.once("close", (code) => {
        this.closeCode = code;
        resolve(code);
      }),
    );
  }

  async opened(): Promise<this> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, "open");
    return this;
  }
}
