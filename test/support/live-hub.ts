import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import { extname, join, normalize } from "node:path";
import { WebSocketServer, type WebSocket } from "ws";
import { createIngest, type IngestSink } from "../../src/hub/ingest/ingest.ts";
import { createLive, type Live } from "../../src/hub/live/live.ts";
import { createLog, systemClock } from "../../src/platform/platform.ts";
import { BoxId, liveStreamName, makeId, RTMP_APP, type LiveKind } from "../../src/protocol/protocol.ts";

/** The hub's live half on loopback, without doors: ingest, fan-out, HLS, and a folder of pages. */
export interface LiveHub extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly live: Live;
  /** Viewers connected now. */
  viewers(kind: LiveKind): number;
  /** A new box without ingest: `serve` speaks to each of its viewers itself. */
  addActor(serve: (socket: WebSocket, kind: LiveKind) => void): { box: BoxId };
  /** A new box; `rtmp` gives an address to publish to, another one for each run. */
  addBox(): Promise<LiveBox>;
}

export interface LiveBox {
  box: BoxId;
  rtmp(kind: LiveKind, run?: string, hub?: string): string;
  /** Time in the stream → wall clock at which that picture was at the hub. */
  readonly arrivals: ReadonlyMap<number, number>;
}

/** The desk's policy in short: scripts and sockets of this origin only, media from buffers. */
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; media-src 'self' blob:";
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/** @param host where it listens: loopback, or all addresses for rooms and viewers in namespaces */
export async function startLiveHub(pages: string, host = "127.0.0.1"): Promise<LiveHub> {
  const log = createLog(systemClock, undefined, "error");
  const live = createLive({ log, clock: systemClock });
  const arrivals = new Map<BoxId, Map<number, number>>();
  const sink: IngestSink = {
    open(name) {
      const publish = live.sink.open(name);
      const ofBox = arrivals.get(name.box);
      if (name.kind !== "video" || !ofBox) return publish;
      return {
        tag(timestampMs, tag, message) {
          ofBox.set(timestampMs, performance.timeOrigin + performance.now());
          publish.tag(timestampMs, tag, message);
        },
        close: () => publish.close(),
      };
    },
  };
  const ingest = createIngest({ log, clock: systemClock, sink });
  const sockets = new Set<Socket>();
  const actors = new Map<BoxId, (socket: WebSocket, kind: LiveKind) => void>();
  const viewers = { video: 0, small: 0, audio: 0 };
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { pathname } = new URL(request.url!, "http://hub");
    const hls = /^\/hls\/([^/]+)\/([^/]+)$/.exec(pathname);
    if (hls) {
      const file = await live.hlsFile(BoxId.parse(hls[1]), hls[2]!);
      response.writeHead(file ? 200 : 404, { "content-type": file?.contentType ?? "text/plain" });
      response.end(file?.body);
      return;
    }
    const path = join(pages, normalize(pathname === "/" ? "/index.html" : pathname));
    const body = await readFile(path).catch(() => undefined);
    const type = TYPES[extname(path)] ?? "application/octet-stream";
    response.writeHead(body ? 200 : 404, {
      "content-type": type,
      "content-security-policy": CONTENT_SECURITY_POLICY,
    });
    response.end(body);
  };
  const web = createServer({ noDelay: true }, (request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });
  web.on("connection", track);
  const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  web.on("upgrade", (request, socket, head) => {
    const match = /^\/live\/([^/]+)\/(video|small|audio)$/.exec(request.url!);
    if (!match) {
      socket.destroy();
      return;
    }
    upgrades.handleUpgrade(request, socket, head, (ws) => {
      const kind = match[2] as LiveKind;
      viewers[kind]++;
      ws.on("close", () => viewers[kind]--);
      const box = BoxId.parse(match[1]);
      const serve = actors.get(box);
      if (serve) serve(ws, kind);
      else live.addViewer(ws, box, kind);
    });
  });
  const listen = async (server: Server): Promise<number> => {
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    return (server.address() as AddressInfo).port;
  };
  const doors: Server[] = [web];
  const port = await listen(web);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    live,
    viewers: (kind) => viewers[kind],
    addActor(serve) {
      const box = makeId("box", randomBytes(10));
      actors.set(box, serve);
      return { box };
    },
    async addBox() {
      const box = makeId("box", randomBytes(10));
      const door = createTcpServer({ noDelay: true }, (socket) => {
        track(socket);
        ingest.accept(socket, box);
      });
      doors.push(door);
      const port = await listen(door);
      const newRun = () => makeId("box", randomBytes(10)).slice(4, 12);
      const arrived = new Map<number, number>();
      arrivals.set(box, arrived);
      return {
        box,
        arrivals: arrived,
        rtmp: (kind, run = newRun(), hub = "127.0.0.1") =>
          `rtmp://${hub}:${port}/${RTMP_APP}/${liveStreamName({ box, kind, run })}`,
      };
    },
    async [Symbol.asyncDispose]() {
      await live.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all(doors.map((door) => new Promise<void>((resolve) => door.close(() => resolve()))));
    },
  };
}
