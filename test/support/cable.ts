import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { systemClock } from "../../src/platform/platform.ts";

/**
 * The line between one room and the hub, as TCP sees it. While it is cut nothing is forwarded and nothing is closed:
 * a pulled plug sends no FIN. What was on its way arrives after mending, as TCP's retransmissions would bring it.
 */
export interface Cable extends AsyncDisposable {
  readonly port: number;
  cut(): void;
  mend(): void;
  /** Changes one byte of what next goes to the target, as a bad device does whose checksums still fit. */
  corruptNext(): void;
  /** Joins the near end to another target: what stands is destroyed, what comes goes there. */
  lead(target: Target): void;
}

export interface Target {
  host: string;
  port: number;
}

export interface CableOptions {
  /** Where the near end listens; loopback unless given. */
  host?: string;
  /** Shared by cables that run over one line. */
  line?: Line;
}

/** What all connections over one line share. */
export interface Line {
  /** Thousand bits a second, in each direction. */
  kbps: number;
  /** In each direction. */
  delayMs: number;
}

/** One connection: from whom it came, and to the target once the line has carried that far. */
interface Pair {
  near: Socket;
  far: Socket | undefined;
}

/** A late timer does not cost the line its rate. */
const CREDIT_MS = 20;

/** One direction of a line: says when so many bytes have passed it. */
class Pace {
  private freeMs = 0;
  private readonly line: Line;

  constructor(line: Line) {
    this.line = line;
  }

  /** @returns ms until they have left, and the moment (monotonic) when they arrive */
  pass(bytes: number): { leftMs: number; arriveMs: number } {
    const nowMs = systemClock.monotonicMs();
    this.freeMs = Math.max(this.freeMs, nowMs - CREDIT_MS) + (bytes * 8) / this.line.kbps;
    return { leftMs: Math.max(0, this.freeMs - nowMs), arriveMs: this.freeMs + this.line.delayMs };
  }
}

const paces = new WeakMap<Line, { there: Pace; back: Pace }>();

const pacesOf = (line: Line) => {
  let both = paces.get(line);
  if (!both) paces.set(line, (both = { there: new Pace(line), back: new Pace(line) }));
  return both;
};

export async function layCable(target: Target, options: CableOptions = {}): Promise<Cable> {
  let isCut = false;
  let corrupts = false;
  let goal = target;
  const pace = options.line && pacesOf(options.line);
  const pairs = new Set<Pair>();
  const join = (pair: Pair) => {
    const far = connect({ ...goal, noDelay: true });
    pair.far = far;
    const { near } = pair;
    const forward = (from: Socket, to: Socket, way: Pace | undefined) => {
      // In their order: timers of different lengths do not keep one.
      const underWay: { chunk: Buffer; arriveMs: number }[] = [];
      const write = (chunk: Buffer) => {
        if (!to.destroyed && !to.write(chunk)) from.pause();
      };
      const letOut = () => {
        while (underWay[0] && underWay[0].arriveMs <= systemClock.monotonicMs() + 1) write(underWay.shift()!.chunk);
        if (underWay[0]) setTimeout(letOut, Math.max(1, underWay[0].arriveMs - systemClock.monotonicMs()));
        else if (from.destroyed && !isCut) to.destroySoon();
      };
      from.on("data", (chunk: Buffer) => {
        if (corrupts && to === far) {
          corrupts = false;
          chunk[chunk.length >> 1]! ^= 0xff;
        }
        if (!way) return write(chunk);
        const { leftMs, arriveMs } = way.pass(chunk.length);
        if (underWay.push({ chunk, arriveMs }) === 1)
          setTimeout(letOut, Math.max(1, arriveMs - systemClock.monotonicMs()));
        from.pause();
        setTimeout(() => {
          if (!isCut && !to.writableNeedDrain) from.resume();
        }, leftMs);
      });
      to.on("drain", () => {
        if (!isCut) from.resume();
      });
      // An end that happens while the plug is out is not heard on the other side before it is back in.
      from.on("close", () => {
        if (isCut) pendingEnds.push(() => to.destroy());
        else if (underWay.length === 0) to.destroySoon();
        forget(pair);
      });
      from.on("error", () => {});
    };
    forward(near, far, pace?.there);
    forward(far, near, pace?.back);
  };
  const pendingEnds: (() => void)[] = [];
  /** Not before both ends are closed: who takes the cable away must find the other one. */
  const forget = (pair: Pair) => {
    if (pair.near.destroyed && pair.far?.destroyed !== false) pairs.delete(pair);
  };
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (near) => {
    const pair: Pair = { near, far: undefined };
    pairs.add(pair);
    near.on("error", () => {});
    near.on("close", () => forget(pair));
    if (isCut) return;
    join(pair);
    near.resume();
  });
  const destroyAll = () => {
    for (const { near, far } of pairs) {
      near.destroy();
      far?.destroy();
    }
  };
  await new Promise<void>((resolve) => server.listen(0, options.host ?? "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true;
      for (const { near, far } of pairs) {
        near.pause();
        far?.pause();
      }
    },
    mend() {
      isCut = false;
      for (const end of pendingEnds.splice(0)) end();
      for (const pair of pairs) {
        if (pair.near.destroyed) continue;
        if (!pair.far) join(pair);
        pair.near.resume();
        pair.far?.resume();
      }
    },
    corruptNext() {
      corrupts = true;
    },
    lead(next) {
      goal = next;
      destroyAll();
    },
    async [Symbol.asyncDispose]() {
      destroyAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
