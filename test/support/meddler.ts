import { readFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { connect, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { WebSocket, WebSocketServer } from "ws";
import { createLog, systemClock } from "../../src/platform/platform.ts";
import { ALPN, CONTROL_PATH, HUB_TLS_NAME } from "../../src/protocol/protocol.ts";
import { loadIdentity } from "../../src/edge/identity/identity.ts";

/**
 * Somebody in the middle who holds the keys of both ends: control messages pass through it twice, late and in another
 * order; everything else passes as it is. Nobody without the keys can do that, but a fault of either end can.
 */
export interface Meddler extends AsyncDisposable {
  readonly port: number;
  /** How many messages it has sent twice, and how many it has held back behind later ones. */
  readonly done: { repeated: number; heldBack: number };
}

const HOLD_MS = 400;

/**
 * @param options.authority the hub's folder of keys
 * @param options.identity the box's folder of keys
 */
export async function startMeddler(options: {
  hub: { host: string; port: number };
  authority: string;
  identity: string;
  random: () => number;
}): Promise<Meddler> {
  const { hub, random } = options;
  const [key, cert, ca] = await Promise.all(
    ["hub.key", "hub.pem", "ca.pem"].map((name) => readFile(join(options.authority, name), "utf8")),
  );
  const box = await loadIdentity(
    options.identity,
    createLog(systemClock, () => {}),
    systemClock,
  );
  if (!box) throw new Error(`no identity in ${options.identity}`);
  const done = { repeated: 0, heldBack: 0 };
  const sockets = new Set<Socket>();
  const hold = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  };
  const dial = (protocol: string): TLSSocket => {
    const { keyPem, certificatePem, caPem } = box;
    const identity = { key: keyPem, cert: certificatePem, ca: caPem, servername: HUB_TLS_NAME };
    const far = connect({ ...hub, ...identity, ALPNProtocols: [protocol] });
    hold(far);
    return far;
  };

  const pass = (from: WebSocket, to: WebSocket) => {
    let held: string | undefined;
    const send = (text: string) => {
      if (to.readyState === WebSocket.OPEN) to.send(text);
    };
    const release = () => {
      if (held === undefined) return;
      const text = held;
      held = undefined;
      send(text);
    };
    from.on("message", (data: Buffer) => {
      const text = data.toString("utf8");
      const lot = random();
      if (lot < 0.3 && held === undefined) {
        done.heldBack++;
        held = text;
        setTimeout(release, HOLD_MS);
        return;
      }
      send(text);
      if (lot > 0.6) {
        done.repeated++;
        send(text);
      }
      release();
    });
    from.on("close", () => to.terminate());
    from.on("error", () => {});
  };

  const doors = new WebSocketServer({ noServer: true });
  const http = createHttpServer();
  http.on("upgrade", (request, socket, head) => {
    const far = dial(ALPN.http);
    const there = new WebSocket(`ws://${HUB_TLS_NAME}${CONTROL_PATH}`, {
      createConnection: () => far,
      perMessageDeflate: false,
    });
    there.on("error", () => socket.destroy());
    // Before the hub's first words can arrive.
    doors.handleUpgrade(request, socket, head, (near) => {
      const early: Buffer[] = [];
      const keep = (data: Buffer) => void early.push(data);
      near.on("message", keep);
      pass(there, near);
      there.once("open", () => {
        near.off("message", keep);
        pass(near, there);
        for (const data of early) near.emit("message", data);
      });
      near.once("close", () => there.terminate());
    });
  });
  const tls = createTlsServer({
    ...{ key: key!, cert: cert!, ca: ca!, minVersion: "TLSv1.3", requestCert: true, rejectUnauthorized: true },
    ALPNProtocols: Object.values(ALPN),
  });
  tls.on("secureConnection", (near) => {
    hold(near);
    if (near.alpnProtocol === ALPN.http) {
      http.emit("connection", near);
      return;
    }
    const far = dial(String(near.alpnProtocol));
    near.pipe(far);
    far.pipe(near);
    near.once("close", () => far.destroySoon());
    far.once("close", () => near.destroySoon());
  });
  tls.on("tlsClientError", () => {});
  const server = createServer((socket) => {
    hold(socket);
    tls.emit("connection", socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    done,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
