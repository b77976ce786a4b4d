import type { RawData, WebSocket } from "ws";
import {
  type Alarm,
  BoxMessage,
  CONTROL_PING_MS,
  CONTROL_SILENCE_MS,
  type BoxHello,
  type BoxId,
  type BoxRecords,
  type BoxResetAnswer,
  type BoxRoomSessions,
  type BoxUpdate,
  type DiskKey,
  type Health,
  type HubAdopted,
  type HubAlarmsKept,
  type HubAssignment,
  type HubHave,
  type HubMessage,
  type SessionId,
  type SignedRecord,
  type TakeId,
} from "../../protocol/protocol.ts";
import { causeOf, type Clock, type Log } from "../../platform/platform.ts";

/** What a box must know of its sessions, and what it says of those that were begun in its room (reception). */
export interface AssignmentsPort {
  forBox(box: BoxId): Promise<HubAssignment>;
  adopt(box: BoxId, message: BoxRoomSessions): Promise<HubAdopted>;
}

/** Evidence records and receipts (archive). */
export interface RecordsPort {
  accept(box: BoxId, message: BoxRecords): Promise<HubHave>;
  have(box: BoxId, takes: readonly { session: SessionId; take: TakeId; records: number }[]): Promise<HubHave[]>;
  /** Receipts that the box may not have yet; of the named takes, those of which the province has signed too. */
  receipts(box: BoxId, awaitingProvince: readonly TakeId[]): Promise<SignedRecord[]>;
}

/** What boxes raise alarms for (alarms). */
export interface AlarmsPort {
  accept(box: BoxId, items: readonly Alarm[]): Promise<HubAlarmsKept["items"]>;
}

/** The conversation of running sessions (stage). */
export interface StagePort {
  /** A new channel stands: the box knows of no stage yet. */
  connected(box: BoxId): void;
  hand(box: BoxId, session: SessionId, raised: boolean): void;
  level(box: BoxId, level: { lufs: number | null; speech: boolean }): void;
}

/** What boxes run and should run (releases). */
export interface ReleasesPort {
  /** A new channel stands: the box knows of no release yet. */
  connected(box: BoxId): void;
  note(box: BoxId, update: BoxUpdate): Promise<void>;
}

export type ControlEnd =
  | "replaced"
  | "silent"
  | "malformed"
  | "closed"
  | "failed"
  | "revoked"
  | "hubStopping"
  | "overrun";

export interface ControlOptions {
  ws: WebSocket;
  box: BoxId;
  clock: Clock;
  log: Log;
  assignments: AssignmentsPort;
  records: RecordsPort;
  alarms: AlarmsPort;
  stage: StagePort;
  /** A new certificate for this box's own key, where its present one is near its end. */
  renew(csrPem: string): Promise<string | undefined>;
  onResetAnswer(answer: BoxResetAnswer): void;
  keepDiskKey(disk: DiskKey): Promise<void>;
  releases: ReleasesPort;
  onHello(hello: BoxHello): void;
  onHealth(health: Health): void;
  onAlive(): void;
  onEnd(end: ControlEnd): void;
}

export interface ControlChannel {
  /** Writes the message if the channel is open; a box that is away asks again when it is back. */
  send(message: HubMessage): boolean;
  /** Asks reception anew and sends the answer. */
  sendAssignment(): void;
  end(end: ControlEnd): void;
}

/** Messages of a box that wait for the archive; then the socket is no longer read. */
const MAX_WAITING_MESSAGES = 16;
/** A peer that takes nothing is dead before this much waits for it. */
const MAX_UNSENT_BYTES = 8 << 20;
const MAX_ITEMS = 500;
const CLOSE_CODES: Record<ControlEnd, number> = {
  replaced: 4001,
  silent: 4002,
  malformed: 1007,
  revoked: 4003,
  closed: 1000,
  failed: 1011,
  hubStopping: 1012,
  overrun: 1013,
};

type Read = { kind: "message"; message: BoxMessage } | { kind: "unknown" } | { kind: "malformed"; detail: string };

const KNOWN_TYPES: ReadonlySet<string> = new Set([
  "hello",
  "records",
  "health",
  "clock",
  "roomSessions",
  "alarms",
  "hand",
  "levels",
  "resetAnswer",
  "renew",
  "update",
  "diskKey",
] satisfies BoxMessage["type"][]);

/** Boxes of a later version may say more than this hub knows: unknown types are no fault, broken known ones are. */
export function readBoxMessage(text: string): Read {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { kind: "malformed", detail: "not JSON" };
  }
  const type = typeof json === "object" && json !== null && "type" in json ? json.type : undefined;
  if (typeof type !== "string") return { kind: "malformed", detail: "no type" };
  if (!KNOWN_TYPES.has(type)) return { kind: "unknown" };
  const parsed = BoxMessage.safeParse(json);
  if (parsed.success) return { kind: "message", message: parsed.data };
  const issue = parsed.error.issues[0];
  return { kind: "malformed", detail: `${type}.${issue?.path.join(".")}: ${issue?.message}` };
}

/**
 * The hub's end of one box's control WebSocket.
 *
 * INVARIANTS
 * - Records are handed to the archive in the order they came, one message at a time.
 * - Clock questions are answered when they are read, never behind a slow archive: their delay is the error of the
 *   box's clock.
 * - onEnd is called once, and nothing else after it.
 */
export function openControl(options: ControlOptions): ControlChannel {
  const { ws, box, clock, assignments, records } = options;
  const log = options.log.with({ box });
  const ended = new AbortController();
  let heardMs = clock.monotonicMs();
  let waiting = 0;
  let tail: Promise<void> = Promise.resolve();

  function end(why: ControlEnd): void {
    if (ended.signal.aborted) return;
    ended.abort();
    // The close frame is a courtesy; a dead peer must not hold the socket.
    if (ws.readyState === ws.OPEN && why !== "silent" && why !== "overrun") {
      ws.close(CLOSE_CODES[why], why);
      void clock.sleep(CONTROL_PING_MS).then(() => ws.terminate());
    } else ws.terminate();
    options.onEnd(why);
  }

  function send(message: HubMessage): boolean {
    if (ended.signal.aborted || ws.readyState !== ws.OPEN) return false;
    ws.send(JSON.stringify(message));
    if (ws.bufferedAmount > MAX_UNSENT_BYTES) {
      log.warn("control.overrun", { unsentBytes: ws.bufferedAmount });
      end("overrun");
      return false;
    }
    return true;
  }

  /** In order, one at a time; a failure of ours ends the channel, and the box comes back and says what it has. */
  function inOrder(what: string, work: () => Promise<void>): void {
    waiting++;
    if (waiting > MAX_WAITING_MESSAGES) ws.pause();
    tail = tail
      .then(() => (ended.signal.aborted ? undefined : work()))
      .catch((error: unknown) => {
        log.error("control.failed", { what, cause: causeOf(error) });
        end("failed");
      })
      .then(() => {
        waiting--;
        if (waiting <= MAX_WAITING_MESSAGES && ws.isPaused) {
          heardMs = clock.monotonicMs();
          ws.resume();
        }
      });
  }

  async function greet({ takes, awaitingProvince }: BoxHello): Promise<void> {
    for (const have of await records.have(box, takes)) send(have);
    const receipts = await records.receipts(box, awaitingProvince ?? []);
    for (let i = 0; i < receipts.length; i += MAX_ITEMS)
      send({ type: "receipts", items: receipts.slice(i, i + MAX_ITEMS) });
  }

  function receive(text: string): void {
    const atMs = clock.wallMs();
    const read = readBoxMessage(text);
    if (read.kind === "unknown") return;
    if (read.kind === "malformed") {
      log.warn("control.malformed", { detail: read.detail });
      end("malformed");
      return;
    }
    const { message } = read;
    switch (message.type) {
      case "clock":
        send({ type: "clock", t0: message.t0, t1: atMs, t2: clock.wallMs() });
        return;
      case "health":
        options.onHealth(message.health);
        return;
      case "levels":
        options.stage.level(box, { lufs: message.lufs, speech: message.speech });
        return;
      case "update":
        // Not in line with the records: nothing of a recording hangs on it.
        options.releases
          .note(box, message)
          .catch((error: unknown) => log.error("control.failed", { what: "update", cause: causeOf(error) }));
        return;
      case "diskKey":
        // Nor does it here; the box says it again on its next connection.
        options
          .keepDiskKey(message.disk)
          .catch((error: unknown) => log.error("control.failed", { what: "diskKey", cause: causeOf(error) }));
        return;
      case "hand":
        options.stage.hand(box, message.session, message.raised);
        return;
      case "resetAnswer":
        options.onResetAnswer(message);
        return;
      case "renew":
        inOrder("renew", async () => {
          const certificatePem = await options.renew(message.csrPem);
          if (certificatePem !== undefined) send({ type: "renewed", certificatePem });
        });
        return;
      case "alarms":
        // Behind the sessions that the room began: an alarm belongs to one.
        inOrder("alarms", async () => {
          send({ type: "alarmsKept", items: await options.alarms.accept(box, message.items) });
        });
        return;
      case "hello":
        log.info("control.hello", { agentVersion: message.agentVersion, takes: message.takes.length });
        options.onHello(message);
        inOrder("hello", () => greet(message));
        return;
      case "roomSessions":
        // In line with the records, which are of these sessions.
        inOrder("roomSessions", async () => {
          send(await assignments.adopt(box, message));
        });
        return;
      case "records":
        inOrder("records", async () => {
          send(await records.accept(box, message));
        });
    }
  }

  function sendAssignment(): void {
    // Not behind the archive: starting and ending a session must not wait for records.
    assignments.forBox(box).then(
      (assignment) => send(assignment),
      (error: unknown) => {
        log.error("control.failed", { what: "assignment", cause: causeOf(error) });
        end("failed");
      },
    );
  }

  async function watch(): Promise<void> {
    for (;;) {
      await clock.sleep(CONTROL_PING_MS, ended.signal);
      if (!ws.isPaused && clock.monotonicMs() - heardMs > CONTROL_SILENCE_MS) {
        log.warn("control.silent", { forMs: Math.round(clock.monotonicMs() - heardMs) });
        end("silent");
        return;
      }
      if (ws.readyState === ws.OPEN) ws.ping();
    }
  }

  const heard = () => {
    heardMs = clock.monotonicMs();
    if (!ended.signal.aborted) options.onAlive();
  };
  ws.on("ping", heard);
  ws.on("pong", heard);
  ws.on("message", (data: RawData, isBinary: boolean) => {
    if (ended.signal.aborted) return;
    heard();
    if (!isBinary) return receive(textOf(data));
    log.warn("control.malformed", { detail: "binary frame" });
    end("malformed");
  });
  ws.on("error", (error) => {
    log.warn("control.malformed", { detail: error.message });
    end("malformed");
  });
  ws.on("close", () => end("closed"));

  watch().catch(() => {});
  return { send, sendAssignment, end };
}

const textOf = (data: RawData): string =>
  (Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as ArrayBuffer)).toString("utf8");
