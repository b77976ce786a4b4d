import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from "node:tls";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import type { X509Certificate } from "node:crypto";
import {
  ALPN,
  CONTROL_PATH,
  parseReleaseFilePath,
  parseRoomLivePath,
  type BoxId,
  type LiveKind,
} from "../../protocol/protocol.ts";
import type { Clock, Log } from "../../platform/platform.ts";
import type { TlsIdentity, Verdict } from "../fleet/fleet.ts";
import { peekClientHello } from "./peek.ts";
import { openRsync, type Admission, type RsyncServer } from "./rsync-session.ts";

/** What handles a box's connections once the gateway knows whose they are. */
export interface EdgeHandlers {
  rtmp(socket: Duplex, box: BoxId): void;
  control(ws: WebSocket, box: BoxId): void;
  /** The room of `box` wants to see or hear `target`. */
  live(ws: WebSocket, box: BoxId, target: BoxId, kind: LiveKind): void;
  /** The box fetches a file of a release. */
  release(request: IncomingMessage, response: ServerResponse, box: BoxId, file: { id: string; name: string }): void;
  /** While the box sends: files may have come whole. */
  rsyncArriving(box: BoxId): void;
  /** After each rsync connection of the box. */
  rsyncDone(box: BoxId): void;
  /** Whether the box may send files now; asked at the start of each rsync connection and while it lasts. */
  admitFiles(box: BoxId): Promise<Admission>;
}

export interface GatewayOptions {
  log: Log;
  clock: Clock;
  caPem: string;
  /** The identity that boxes verify. */
  identity: TlsIdentity;
  authorize(certificate: X509Certificate): Verdict;
  handlers: EdgeHandlers;
  /** TLS server of the browsers' side; it never listens and gets its connections from here. */
  webListener: TlsServer;
  /** For generated configuration. */
  directory: string;
  inboxDirectory: string;
}

export interface Gateway {
  listen(host: string, port: number): Promise<AddressInfo>;
  /** Destroys every live connection of the box, at once. */
  dropBox(box: BoxId): void;
  /** New connections see the new certificate; live ones are left alone. */
  setIdentity(identity: TlsIdentity): void;
  close(): Promise<void>;
}

export type GatewayRefusal =
  | "notTls"
  | "malformedHello"
  | "helloTooLong"
  | "helloTimeout"
  | "tooManyUnidentified"
  | "unknownProtocol"
  | "handshakeFailed"
  | "noCertificate"
  | "foreignCertificate"
  | "expired"
  | "unknownBox"
  | "revoked"
  | "notControl";

const HANDSHAKE_TIMEOUT_MS = 10_000;
/** From the end of the handshake to the upgrade of a control connection. */
const UPGRADE_TIMEOUT_MS = 10_000;
/** A box may take its time with what it is sent: downloads yield to everything else. */
const SLOW_READER_MS = 120_000;
/** Connections that have not said what they are; each may stay so for seconds. */
const MAX_UNIDENTIFIED = 512;
const KEEP_ALIVE_MS = 10_000;
/** 500 evidence records of up to 8 kB. */
const MAX_CONTROL_MESSAGE_BYTES = 4 << 20;
const EDGE_PROTOCOLS: ReadonlySet<string> = new Set(Object.values(ALPN));
const WEB_PROTOCOLS: ReadonlySet<string> = new Set(["h2", "http/1.1"]);

/**
 * The hub's one port. The first bytes of a connection tell its application protocol; with it the socket goes to the
 * TLS server for boxes (mutual TLS 1.3) or to the one for browsers (no client certificates).
 *
 * INVARIANTS
 * - No byte of a box's connection reaches a handler before its certificate was found in the registry in the same turn.
 * - Every socket of a box is in #boxes from that turn until it closes, so that dropBox misses none.
 * - Whatever a peer sends ends at most its own connection; each refusal is one `gateway.refused` with its reason.
 */
class TlsGateway implements Gateway {
  readonly #options: GatewayOptions;
  readonly #rsync: RsyncServer;
  readonly #port: Server;
  readonly #edge: TlsServer;
  readonly #boxApi: HttpServer;
  readonly #control: WebSocketServer;
  readonly #live: WebSocketServer;
  readonly #boxOf = new WeakMap<Duplex, BoxId>();
  readonly #boxes = new Map<BoxId, Set<TLSSocket>>();
  readonly #sockets = new Set<Socket>();
  readonly #unidentified = new Set<Socket>();
  readonly #onWebTlsError = (error: Error, socket: TLSSocket) => this.#refuse("handshakeFailed", socket, codeOf(error));

  constructor(options: GatewayOptions, rsync: RsyncServer) {
    this.#options = options;
    this.#rsync = rsync;
    this.#control = new WebSocketServer({
      noServer: true,
      maxPayload: MAX_CONTROL_MESSAGE_BYTES,
      perMessageDeflate: false,
    });
    // Viewers say nothing.
    this.#live = new WebSocketServer({ noServer: true, maxPayload: 1_024, perMessageDeflate: false });
    this.#boxApi = this.#makeBoxApi();
    this.#edge = createTlsServer(
      {
        ...tlsContext(options.identity),
        ca: options.caPem,
        minVersion: "TLSv1.3",
        ALPNProtocols: [...EDGE_PROTOCOLS],
        requestCert: true,
        // Refused in #identified instead of here: Node would close without saying why.
        rejectUnauthorized: false,
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      },
      (socket) => this.#identified(socket),
    );
    this.#edge.on("tlsClientError", (error, socket) => this.#refuse("handshakeFailed", socket, codeOf(error)));
    options.webListener.on("tlsClientError", this.#onWebTlsError);
    this.#port = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, (socket) =>
      this.#connected(socket),
    );
  }

  listen(host: string, port: number): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#port.once("error", reject);
      this.#port.listen(port, host, () => {
        this.#port.off("error", reject);
        const address = this.#port.address() as AddressInfo;
        this.#options.log.info("gateway.listening", { address: address.address, port: address.port });
        resolve(address);
      });
    });
  }

  dropBox(box: BoxId): void {
    const sockets = this.#boxes.get(box) ?? new Set();
    for (const socket of sockets) socket.destroy();
    if (sockets.size > 0) this.#options.log.info("gateway.dropped", { box, sockets: sockets.size });
  }

  setIdentity(identity: TlsIdentity): void {
    this.#edge.setSecureContext({ ...tlsContext(identity), ca: this.#options.caPem });
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#port.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    this.#options.webListener.off("tlsClientError", this.#onWebTlsError);
    await this.#rsync[Symbol.asyncDispose]();
    await closed;
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // A reset is no news; without a listener it would end the hub.
    socket.on("error", () => socket.destroy());
    const unidentified = this.#unidentified;
    unidentified.add(socket);
    if (unidentified.size > MAX_UNIDENTIFIED) {
      unidentified.delete(socket);
      this.#refuse("tooManyUnidentified", socket);
      return;
    }
    void peekClientHello(socket, this.#options.clock).then((peek) => {
      unidentified.delete(socket);
      if (peek.kind === "gone") return;
      if (peek.kind === "refused") return this.#refuse(peek.reason, socket, peek.detail);
      const { protocols } = peek;
      // No browser offers a box's protocol, and what offers none at all is a plain HTTPS client.
      if (protocols.some((name) => EDGE_PROTOCOLS.has(name))) this.#edge.emit("connection", socket);
      else if (protocols.length === 0 || protocols.some((name) => WEB_PROTOCOLS.has(name)))
        this.#options.webListener.emit("connection", socket);
      else this.#refuse("unknownProtocol", socket, protocols.join(",").slice(0, 100));
    });
  }

  #identified(socket: TLSSocket): void {
    socket.on("error", () => socket.destroy());
    // A resumed TLS 1.3 session counts as authorized even where no certificate was ever shown, so its presence
    // is asked for by itself, and the registry on every connection.
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) return this.#refuse("noCertificate", socket);
    if (!socket.authorized) {
      const cause = String(socket.authorizationError);
      return this.#refuse(cause === "CERT_HAS_EXPIRED" ? "expired" : "foreignCertificate", socket, cause);
    }
    const verdict = this.#options.authorize(certificate);
    if (!verdict.ok) return this.#refuse(verdict.reason, socket, certificate.subject);
    const { box } = verdict;
    this.#boxOf.set(socket, box);
    const sockets = this.#boxes.get(box) ?? new Set();
    this.#boxes.set(box, sockets.add(socket));
    socket.once("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0) this.#boxes.delete(box);
    });
    switch (socket.alpnProtocol) {
      case ALPN.http:
        // node:http enforces its timeouts on servers that listen; this one never does.
        socket.setTimeout(UPGRADE_TIMEOUT_MS, () => socket.destroy());
        this.#boxApi.emit("connection", socket);
        return;
      case ALPN.rtmp:
        this.#options.handlers.rtmp(socket, box);
        return;
      case ALPN.rsync:
        this.#rsync.serve(socket, box);
        return;
      default:
        this.#refuse("unknownProtocol", socket);
    }
  }

  /** The whole HTTP interface of boxes: files of releases, the control channel, and other rooms' pictures and sound. */
  #makeBoxApi(): HttpServer {
    const server = createHttpServer((request, response) => {
      const from = this.#boxOf.get(request.socket);
      const file = request.method === "GET" ? parseReleaseFilePath(request.url ?? "") : undefined;
      if (from && file) {
        request.socket.setTimeout(SLOW_READER_MS);
        this.#options.handlers.release(request, response, from, file);
        return;
      }
      this.#refuse("notControl", undefined, requestLine(request), this.#boxOf.get(request.socket));
      response.writeHead(404, { Connection: "close" }).end();
    });
    server.on("upgrade", (request, socket, head) => {
      const box = this.#boxOf.get(socket);
      const watched = parseRoomLivePath(request.url ?? "");
      if (!box || (request.url !== CONTROL_PATH && !watched)) {
        this.#refuse("notControl", socket as Socket, requestLine(request), box);
        return;
      }
      (socket as TLSSocket).setTimeout(0);
      const { handlers } = this.#options;
      if (watched)
        this.#live.handleUpgrade(request, socket, head, (ws) => handlers.live(ws, box, watched.box, watched.kind));
      else this.#control.handleUpgrade(request, socket, head, (ws) => handlers.control(ws, box));
    });
    server.on("clientError", (error, socket) =>
      this.#refuse("notControl", socket as Socket, codeOf(error), this.#boxOf.get(socket)),
    );
    return server;
  }

  #refuse(reason: GatewayRefusal, socket: Socket | undefined, detail?: string, box?: BoxId): void {
    this.#options.log.warn("gateway.refused", { reason, address: socket?.remoteAddress, box, detail });
    socket?.destroy();
  }
}

const tlsContext = ({ keyPem, certificatePem }: TlsIdentity) => ({ key: keyPem, cert: certificatePem });
const codeOf = (error: Error): string => (error as NodeJS.ErrnoException).code ?? error.message;
const requestLine = ({ method, url }: IncomingMessage): string => `${method} ${url}`.slice(0, 100);

export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const rsync = await openRsync({
    log: options.log,
    directory: options.directory,
    inboxDirectory: options.inboxDirectory,
    onArriving: (box) => options.handlers.rsyncArriving(box),
    onDone: (box) => options.handlers.rsyncDone(box),
    admit: (box) => options.handlers.admitFiles(box),
  });
  return new TlsGateway(options, rsync);
}
