import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { causeOf, type Log } from "../../platform/platform.ts";

export interface Place {
  host: string;
  port: number;
}

/** A loopback port behind which the hub is, where the room's network lets nobody out but through an HTTP proxy. */
export interface ProxyDoor extends AsyncDisposable {
  readonly port: number;
}

const CONNECT_WITHIN_MS = 5_000;
const MAX_HEAD_BYTES = 8 * 1024;

/** `host:port`, `[v6]:port`, with or without `http://`, as a stick has it. */
export function placeOfProxy(text: string): Place {
  const { hostname, port } = new URL(text.startsWith("http://") ? text : `http://${text}`);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) };
}

const authority = ({ host, port }: Place): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;

/**
 * Opens a tunnel (CONNECT, RFC 9110, 9.3.6) through the proxy for each connection; the TLS inside is the box's and the hub's
 * own, so the proxy sees two addresses and no word.
 *
 * INVARIANTS
 * - A pair ends as a whole; a reset on one side is a reset on the other.
 * - Nothing is buffered beyond the sockets' own high-water marks.
 */
export async function openProxyDoor(log: Log, proxy: Place, hub: () => Place | undefined): Promise<ProxyDoor> {
  const pairs = new Set<Socket>();
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (near) => {
    const target = hub();
    near.on("error", () => {});
    if (!target) {
      near.destroy();
      return;
    }
    const far = connect({ ...proxy, noDelay: true });
    pairs.add(near).add(far);
    const end = (side: Socket, other: Socket) => {
      pairs.delete(side);
      if (side.readableEnded) other.end();
      else if (!other.destroyed) other.resetAndDestroy();
    };
    near.once("close", () => end(near, far));
    far.once("close", () => end(far, near));
    far.on("error", (error) => log.warn("proxy.failed", { proxy: authority(proxy), cause: causeOf(error) }));
    far.setTimeout(CONNECT_WITHIN_MS, () => far.destroy(new Error("the proxy did not answer in time")));
    far.once("connect", () => far.write(`CONNECT ${authority(target)} HTTP/1.1\r\nHost: ${authority(target)}\r\n\r\n`));
    let head = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      const at = head.indexOf("\r\n\r\n");
      if (at < 0 && head.length <= MAX_HEAD_BYTES) return;
      far.off("data", onData);
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(head.toString("latin1", 0, 64))?.[1];
      if (at < 0 || status?.startsWith("2") !== true) {
        far.destroy(new Error(`the proxy refuses: ${status ?? "no HTTP"}`));
        return;
      }
      far.setTimeout(0);
      far.pause();
      if (head.length > at + 4) far.unshift(head.subarray(at + 4));
      near.pipe(far);
      far.pipe(near);
    };
    far.on("data", onData);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of pairs) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
