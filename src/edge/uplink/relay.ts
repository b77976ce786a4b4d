import { readFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import {
  causeOf,
  tcpQueueKey,
  writeDurable,
  type Clock,
  type Log,
  type TcpQueueTable,
} from "../../platform/platform.ts";
import type { EdgeProtocol } from "../../protocol/protocol.ts";
import { Carriage } from "./carriage.ts";
import { DialError, type Dial, type HubSocket } from "./dial.ts";
import type { Passage } from "./line.ts";

/** A program on this machine (ffmpeg, rsync) speaks plain TCP to it; the hub sees mutual TLS. Keys stay in the agent. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Undefined: unpaired, every connection is closed at once. Connections of the former identity are destroyed. */
  setDial(dial: Dial | undefined): void;
  /** Destroys every connection: their programs try again at once and do not wait out TCP's retransmissions. */
  dropAll(): void;
  /** Connections that stand at the hub and on which bytes moved within the last `withinMs`. */
  active(withinMs: number): number;
  /** Closed: connections end, what waits for the line is thrown away, and new ones are refused at once. */
  setOpen(open: boolean): void;
  /** On: what comes within 40 ms travels together. A small message by itself is half headers. */
  setThrift(on: boolean): void;
  /** A connection to the hub goes over IPv6. */
  overIpv6(): boolean;
  /** Bytes towards the hub, of connections that have ended too. */
  passage(queues: TcpQueueTable): Passage;
}

export interface RelayOptions {
  log: Log;
  clock: Clock;
  protocol: EdgeProtocol;
  /** The loopback port is kept here, so that a program which outlives the agent finds the next one at the same place. */
  portFile?: string;
}

/** ffmpeg needs one of each relay, rsync one; more are a fault that must not reach the hub. */
const MAX_CONNECTIONS = 8;

/**
 * INVARIANTS
 * - Nothing is buffered beyond the sockets' own high-water marks: reading stops where the other side lags.
 * - What is held back is the head of a message until what it heads comes; on a narrow line whatever comes, for 40 ms.
 * - A pair ends as a whole: whichever side closes takes the other along, after what was written has been flushed.
 */
export async function openRelay({ log, clock, protocol, portFile }: RelayOptions): Promise<Relay> {
  const pairs = new Set<Pair>();
  let dial: Dial | undefined;
  let isOpen = true;
  let isThrifty = false;
  const ended: Passage = { enteredBytes: 0, deliveredBytes: 0 };

  const server = createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
    if (!dial || !isOpen || pairs.size >= MAX_CONNECTIONS) {
      accepted.on("error", () => {});
      accepted.destroy();
      return;
    }
    const carriage = protocol === "rtmp" ? new Carriage(accepted, () => isThrifty) : undefined;
    const near = carriage?.from ?? accepted;
    near.on("error", () => {});
    const pair = new Pair(near, carriage, clock.monotonicMs());
    pairs.add(pair);
    near.once("close", () => {
      pair.waiting.abort(new Error("the program closed its connection"));
      pairs.delete(pair);
      const gone = pair.gotThrough();
      ended.enteredBytes += gone;
      ended.deliveredBytes += gone;
    });
    dial(protocol, pair.waiting.signal).then(
      (far) => pair.join(far),
      (error: unknown) => {
        if (!near.destroyed) log.warn("relay.refused", { protocol, cause: causeOf(error), code: codeOf(error) });
        near.destroy();
      },
    );
  });
  const port = await listen(server, log, portFile);

  const dropAll = () => {
    for (const pair of pairs) pair.reset();
  };
  return {
    port,
    setDial(next) {
      dial = next;
      dropAll();
    },
    dropAll,
    active(withinMs) {
      const now = clock.monotonicMs();
      return [...pairs].filter((pair) => pair.movedAtMs(now) > now - withinMs).length;
    },
    setOpen(open) {
      if (open === isOpen) return;
      isOpen = open;
      if (!open) dropAll();
    },
    setThrift(on) {
      isThrifty = on;
    },
    overIpv6: () => [...pairs].some((pair) => pair.overIpv6()),
    passage(queues) {
      const total = { ...ended };
      for (const pair of pairs) {
        const { enteredBytes, deliveredBytes } = pair.passage(queues);
        total.enteredBytes += enteredBytes;
        total.deliveredBytes += deliveredBytes;
      }
      return total;
    },
    async [Symbol.asyncDispose]() {
      dropAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const codeOf = (error: unknown) => (error instanceof DialError ? error.code : undefined);

class Pair {
  readonly waiting = new AbortController();
  private readonly near: Socket;
  private readonly carriage: Carriage | undefined;
  private far: HubSocket | undefined;
  private bytes = 0;
  private changedMs: number;
  private deliveredBytes = 0;
  private isReset = false;

  constructor(near: Socket, carriage: Carriage | undefined, nowMs: number) {
    this.near = near;
    this.carriage = carriage;
    this.changedMs = nowMs;
  }

  join(far: HubSocket): void {
    const { near } = this;
    if (near.destroyed) {
      far.destroy();
      return;
    }
    this.far = far;
    far.on("error", () => {});
    if (this.carriage) this.carriage.join(far);
    else near.pipe(far);
    far.pipe(near);
    near.once("close", () => far.destroySoon());
    far.once("close", () => near.destroySoon());
  }

  overIpv6(): boolean {
    return this.far?.remoteFamily === "IPv6";
  }

  /** Monotonic time at which bytes were last seen to have moved; -Infinity while the hub is not reached. */
  movedAtMs(nowMs: number): number {
    if (!this.far) return -Infinity;
    const bytes = this.far.bytesWritten + this.far.bytesRead;
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.changedMs = nowMs;
    }
    return this.changedMs;
  }

  /** A program's bytes wait in its own socket, in ours from it, in ours to the hub, and in the kernel behind that. */
  passage(queues: TcpQueueTable): Passage {
    const { near, far } = this;
    const unread =
      (queues.get(tcpQueueKey(near.localPort, near.remotePort))?.receiveBytes ?? 0) +
      (queues.get(tcpQueueKey(near.remotePort, near.localPort))?.sendBytes ?? 0);
    const unsent =
      near.readableLength +
      (this.carriage?.heldBytes ?? 0) +
      (far?.writableLength ?? 0) +
      (queues.get(tcpQueueKey(far?.localPort, far?.remotePort))?.sendBytes ?? 0);
    this.deliveredBytes = Math.max(this.deliveredBytes, near.bytesRead - unsent);
    return { enteredBytes: near.bytesRead + unread, deliveredBytes: this.deliveredBytes };
  }

  /** Of a connection that has ended: one that was reset threw away what waited. */
  gotThrough(): number {
    return this.isReset ? this.deliveredBytes : this.near.bytesRead;
  }

  reset(): void {
    this.isReset = true;
    this.waiting.abort(new Error("the line is not to be used"));
    this.far?.reset();
    this.near.destroy();
  }
}

async function listen(server: Server, log: Log, portFile: string | undefined): Promise<number> {
  const remembered = portFile === undefined ? undefined : await readPort(portFile);
  const tryPort = (port: number) =>
    new Promise<number>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
        server.off("error", reject);
        resolve((server.address() as AddressInfo).port);
      });
    });
  if (remembered !== undefined) {
    try {
      return await tryPort(remembered);
    } catch (error) {
      // An encoder that outlived the last agent publishes into the void until it is started anew; it still records.
      log.warn("relay.portTaken", { port: remembered, cause: causeOf(error) });
    }
  }
  const port = await tryPort(0);
  if (portFile !== undefined) await writeDurable(portFile, `${port}\n`);
  return port;
}

async function readPort(file: string): Promise<number | undefined> {
  try {
    const port = Number(await readFile(file, "utf8"));
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
  } catch {
    return undefined;
  }
}
