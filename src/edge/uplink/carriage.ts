import { Socket, type SocketConstructorOpts } from "node:net";
import type { HubSocket } from "./dial.ts";

/**
 * FFmpeg writes the head of each RTMP message (at most 16 bytes) by itself, a hundred times a second, and 0.3 to 1.3 ms later
 * what it heads. By itself each would cost the line 82 bytes of TLS and TCP, 64 kbit/s in all, and the agent as much as
 * the messages do. A head without its message is no use to the hub; the time is for what only looks like one.
 */
const HEAD_BYTES = 16;
const HEAD_WAIT_MS = 1_000;
/**
 * On a narrow line: four messages of sound in one packet and not in four, 40 kbit/s less of what 118 were. More than
 * this many bytes gain nothing by waiting.
 */
const GATHER = { waitMs: 40, bytes: 4_096 };
const READ_BYTES = 64 * 1024;

/**
 * What a program publishes, on its way to the hub: as `from.pipe(to)`, with the head of a message and what it heads in one
 * write; on a narrow line with what comes after, too.
 *
 * INVARIANTS
 * - What is held back is held in front of everything that comes later, and its end is not told before it.
 * - A hub that does not take what it is given is not read for.
 */
export class Carriage {
  /** Instead of the socket that was accepted, which is nobody's any more. */
  readonly from: Socket;
  /** Read, and not given to the hub's socket yet. */
  heldBytes = 0;
  private readonly isThrifty: () => boolean;
  private held: Buffer[] = [];
  private to: HubSocket | undefined;
  private headTimer: NodeJS.Timeout | undefined;
  private gatherTimer: NodeJS.Timeout | undefined;

  /** @param accepted paused, and nothing has been read of it */
  constructor(accepted: Socket, isThrifty: () => boolean) {
    this.isThrifty = isThrifty;
    this.from = withOneBuffer(accepted, (bytes) => this.take(bytes));
  }

  /** Begins; nothing is read before. */
  join(to: HubSocket): void {
    const { from } = this;
    this.to = to;
    to.on("drain", () => from.resume());
    from.once("end", () => {
      this.release();
      to.end();
    });
    from.once("close", () => {
      clearTimeout(this.headTimer);
      clearTimeout(this.gatherTimer);
    });
    from.resume();
  }

  /** @returns false: nothing more is to be read until the hub's socket has drained */
  private take(bytes: Uint8Array): boolean {
    const gathers = this.isThrifty();
    this.held.push(Buffer.from(bytes));
    this.heldBytes += bytes.length;
    if (gathers ? this.heldBytes >= GATHER.bytes : bytes.length > HEAD_BYTES) return this.release();
    if (gathers) this.gatherTimer ??= setTimeout(() => this.release(), GATHER.waitMs);
    // Neither cleared nor set anew for each head: that would wake the agent as often as the heads do.
    else
      this.headTimer ??= setTimeout(() => {
        this.headTimer = undefined;
        this.release();
      }, HEAD_WAIT_MS);
    return true;
  }

  private release(): boolean {
    const { held, heldBytes } = this;
    clearTimeout(this.gatherTimer);
    this.gatherTimer = undefined;
    if (heldBytes === 0) return true;
    this.held = [];
    this.heldBytes = 0;
    return this.to!.write(held.length === 1 ? held[0]! : Buffer.concat(held, heldBytes));
  }
}

/**
 * The same connection in a socket that reads into one buffer and past the machinery of streams: a third of what a message
 * costs the agent. Node.js documents this for sockets that connect (`onread`) and not for those that are accepted, so
 * where their handle is not what it was, they are read as any other.
 *
 * @param take its bytes are of one call only; false stops the reading until `resume`
 */
function withOneBuffer(accepted: Socket, take: (bytes: Uint8Array) => boolean): Socket {
  const inner = accepted as unknown as { _handle?: { readStart?: unknown; useUserBuffer?: unknown } | null };
  const handle = inner._handle;
  if (typeof handle?.readStart !== "function" || typeof handle.useUserBuffer !== "function") {
    accepted.on("data", (bytes: Buffer) => void (take(bytes) || accepted.pause()));
    return accepted.pause();
  }
  inner._handle = null;
  accepted.destroy();
  const callback = (length: number, buffer: Uint8Array) => take(buffer.subarray(0, length));
  const options = { handle, pauseOnCreate: true, onread: { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback } };
  return new Socket(options as unknown as SocketConstructorOpts);
}
