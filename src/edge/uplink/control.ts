import { WebSocket } from "ws";
import { causeOf, runForever, type Clock, type Log } from "../../platform/platform.ts";
import {
  CONTROL_PATH,
  CONTROL_PING_MS,
  CONTROL_SILENCE_MS,
  HUB_TLS_NAME,
  HubMessage,
  type BoxMessage,
} from "../../protocol/protocol.ts";
import type { HubOffsets } from "./clock-offset.ts";
import { DialError, type Dial } from "./dial.ts";

export interface ControlEvents {
  /** A new connection stands: say hello. */
  onOpen: () => void;
  onMessage: (message: Exclude<HubMessage, { type: "clock" }>) => void;
  /** The connection is gone. `silent`: the line is dead, whatever else goes over it is dead too. */
  onLost: (reason: "silent" | "closed") => void;
  /** The hub is reached and does not take this box, since `forMs` and without exception. */
  onRefused: (forMs: number) => void;
}

export interface Control {
  connected(): boolean;
  /** False: not connected, or too much is waiting already; what matters is sent again after the next `onOpen`. */
  send(message: BoxMessage): boolean;
  roundTripMs(): number | null;
  /** Keeps a connection up until aborted. */
  run(dial: Dial, signal: AbortSignal): Promise<void>;
}

class ControlError extends Error {
  override readonly name = "ControlError";
  readonly code: "silent" | "closed" | "refused";
  constructor(code: ControlError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const OPEN_TIMEOUT_MS = 2_000;
const CLOSE_WITHIN_MS = 300;
/** With the handshake, a line that is back carries the channel within a second. */
const RECONNECT_MS = { baseMs: 250, capMs: 800 };
/** One text message from the hub: 500 receipts are 200 kB. */
const MAX_MESSAGE_BYTES = 4 << 20;
/** Beyond this, what can be said again later is not queued. */
const MAX_BUFFERED_BYTES = 1 << 20;
const CLOCK_FIRST = 4;
const CLOCK_EVERY_PINGS = 10;

/**
 * INVARIANTS
 * - At most one connection; events of a former one are never delivered after onLost.
 * - Every onOpen is followed by exactly one onLost.
 * - Any byte from the hub counts as a sign of life, so that a long message on a slow line is not taken for silence.
 */
export function createControl(options: {
  log: Log;
  clock: Clock;
  /** Is told of every exchange with the hub's clock. */
  offsets: HubOffsets;
  events: ControlEvents;
}): Control {
  const { log, clock, offsets, events } = options;
  let open: WebSocket | undefined;
  let roundTripMs: number | null = null;
  let refusedSinceMs: number | undefined;

  const send = (message: BoxMessage): boolean => {
    if (open?.readyState !== WebSocket.OPEN || open.bufferedAmount > MAX_BUFFERED_BYTES) return false;
    open.send(JSON.stringify(message));
    return true;
  };

  async function connectOnce(dial: Dial, signal: AbortSignal): Promise<void> {
    const socket = await dial("http", signal);
    const ws = new WebSocket(`ws://${HUB_TLS_NAME}${CONTROL_PATH}`, {
      createConnection: () => socket,
      handshakeTimeout: OPEN_TIMEOUT_MS,
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
    });
    const ended = Promise.withResolvers<void>();
    let failure: Error | undefined;
    let stop: (() => void) | undefined;
    const fail = (error: Error) => {
      failure ??= error;
      ws.terminate();
      socket.destroy();
    };
    const onAbort = () => {
      // An orderly end is told to the hub, and not waited for long.
      ws.close(1001);
      setTimeout(() => fail(new ControlError("closed", "stopped")), CLOSE_WITHIN_MS).unref();
    };
    // In the event itself, not after an await: the first messages may come in the same packet.
    ws.once("open", () => (stop = converse(ws, socket, fail)));
    ws.on("error", (error) => (failure ??= error));
    ws.once("close", (code) => {
      failure ??= new Error(`closed with ${code}`);
      ended.resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    await ended.promise;
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
    if (stop) {
      stop();
      const silent = failure instanceof ControlError && failure.code === "silent";
      events.onLost(silent ? "silent" : "closed");
      throw new ControlError(silent ? "silent" : "closed", "control channel lost", { cause: failure });
    }
    // TLS 1.3 tells a client only after its own handshake that its certificate is not wanted.
    const late = failure?.message.includes("timed out") === true;
    throw new ControlError(late ? "closed" : "refused", "no control channel", { cause: failure });
  }

  /** @returns what ends it */
  function converse(ws: WebSocket, socket: { bytesRead: number }, fail: (error: Error) => void): () => void {
    let heardMs = clock.monotonicMs();
    let bytesRead = socket.bytesRead;
    let pings = 0;
    /** The question that waits for its answer: what it said, and when by the monotonic clock. */
    let asked: { t0: number; askedMs: number } | undefined;
    ws.on("message", (data, isBinary) => {
      const readMs = clock.monotonicMs();
      if (isBinary || open !== ws) return;
      const message = parse(data as Buffer, log);
      if (message?.type !== "clock") {
        if (message) events.onMessage(message);
        return;
      }
      // An answer to no question of ours could set the clock's offset to anything.
      if (asked?.t0 !== message.t0) return;
      const { askedMs } = asked;
      asked = undefined;
      offsets.add({ askedMs, readMs, t1: message.t1, t2: message.t2 });
    });
    ws.on("pong", (data) => {
      const sentMs = Number(data.toString());
      if (Number.isFinite(sentMs)) roundTripMs = Math.max(0, clock.monotonicMs() - sentMs);
    });
    const ping = () => {
      const now = clock.monotonicMs();
      if (socket.bytesRead !== bytesRead) {
        bytesRead = socket.bytesRead;
        heardMs = now;
      }
      if (now - heardMs > CONTROL_SILENCE_MS) {
        fail(new ControlError("silent", `nothing heard for ${CONTROL_SILENCE_MS} ms`));
        return;
      }
      if (ws.readyState !== WebSocket.OPEN) return;
      ws.ping(String(now));
      if (pings++ < CLOCK_FIRST || pings % CLOCK_EVERY_PINGS === 0) {
        asked = { t0: clock.wallMs(), askedMs: now };
        send({ type: "clock", t0: asked.t0 });
      }
    };
    open = ws;
    refusedSinceMs = undefined;
    log.info("control.connected");
    events.onOpen();
    ping();
    const timer = setInterval(ping, CONTROL_PING_MS);
    return () => {
      clearInterval(timer);
      open = undefined;
      roundTripMs = null;
    };
  }

  function noteRefusal(error: unknown): void {
    const refused =
      (error instanceof ControlError && error.code === "refused") ||
      (error instanceof DialError && error.code === "notTrusted");
    if (!refused) {
      refusedSinceMs = undefined;
      return;
    }
    const now = clock.monotonicMs();
    refusedSinceMs ??= now;
    events.onRefused(now - refusedSinceMs);
  }

  return {
    connected: () => open !== undefined,
    send,
    roundTripMs: () => roundTripMs,
    run: (dial, signal) =>
      runForever({ name: "control", clock, log, ...RECONNECT_MS, healthyAfterMs: 5_000 }, signal, async (signal) => {
        try {
          await connectOnce(dial, signal);
        } catch (error) {
          if (!signal.aborted) noteRefusal(error);
          throw error;
        }
      }),
  };
}

function parse(data: Buffer, log: Log): HubMessage | undefined {
  let json: unknown;
  try {
    json = JSON.parse(data.toString("utf8"));
  } catch (error) {
    log.warn("control.notJson", { cause: causeOf(error) });
    return undefined;
  }
  const parsed = HubMessage.safeParse(json);
  if (parsed.success) return parsed.data;
  // A newer hub may say what this box does not know yet: that is not an error.
  const type = String((json as { type?: unknown } | null)?.type);
  log.info("control.notUnderstood", { type, cause: parsed.error.issues[0]?.message });
  return undefined;
}
