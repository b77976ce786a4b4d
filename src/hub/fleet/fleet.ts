import type { X509Certificate } from "node:crypto";
import type { WebSocket } from "ws";
import { CONTROL_VERSION, type BoxId, type Health, type HubMessage, type PointId } from "../../protocol/protocol.ts";
import { causeOf, isoUtc, type Clock, type Log } from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";
import type { PointView, RoomView } from "../http/views.ts";
import type { Authority } from "./authority.ts";
import {
  openControl,
  type AlarmsPort,
  type AssignmentsPort,
  type ControlChannel,
  type ControlEnd,
  type RecordsPort,
} from "./control.ts";
import { createPairing, type Pairing } from "./pairing.ts";
import { Registry, type Verdict } from "./registry.ts";

export { openAuthority, type Authority, type TlsIdentity } from "./authority.ts";
export type { AlarmsPort, AssignmentsPort, RecordsPort } from "./control.ts";
export type { Pairing } from "./pairing.ts";
export type { Verdict } from "./registry.ts";

/** The part of a RoomView that the fleet knows. */
export type RoomLink = Pick<RoomView, "point" | "box" | "connected" | "seenAt" | "health">;
export type LinkChange = "roomLost" | "roomBack";

export interface FleetOptions {
  db: HubDatabase;
  clock: Clock;
  log: Log;
  authority: Authority;
  assignments: AssignmentsPort;
  records: RecordsPort;
  alarms: AlarmsPort;
}

/** Boxes and points: who may come in, and what is said over their control channels. */
export interface Fleet {
  readonly pairing: Pairing;
  /** For certificates whose chain TLS has checked; asked for every connection, resumed ones too. */
  authorize(certificate: X509Certificate): Verdict;
  /** @returns false where no such box is in force */
  revoke(box: BoxId, actor: string): Promise<boolean>;
  /** Called in the same turn in which the box stops being authorised: cut its sockets here. */
  onRevoked(listener: (box: BoxId) => void): () => void;
  points(): Promise<PointView[]>;
  rooms(): Promise<RoomLink[]>;
  /** Certificate (PEM) of a box, replaced and revoked ones too. */
  boxKey(box: BoxId): Promise<string | undefined>;
  pointOf(box: BoxId): PointId | undefined;
  /** A new control channel; it replaces the box's old one. */
  attach(ws: WebSocket, box: BoxId): void;
  /** @returns false where the box is away */
  send(box: BoxId, message: HubMessage): boolean;
  broadcastAssignments(): void;
  /** Something shown of this point has changed: pairing, link or health. */
  onChange(listener: (point: PointId) => void): () => void;
  onLink(listener: (point: PointId, change: LinkChange) => void): () => void;
  /** Ends every channel (boxes come back by themselves) and writes when each was last seen. */
  close(): Promise<void>;
}

/** How much of "last seen" a killed hub may lose. */
const SEEN_WRITE_MS = 60_000;

interface BoxState {
  channel: ControlChannel | undefined;
  health: Health | null;
  seenAtMs: number | undefined;
  seenWrittenMs: number | undefined;
  lost: boolean;
}

/**
 * INVARIANTS
 * - A box has at most one channel; the newest wins, and the end of an older one changes nothing.
 * - roomLost and roomBack alternate for each point, beginning with roomLost; a stopping hub tells no loss.
 */
class HubFleet implements Fleet {
  readonly pairing: Pairing;
  readonly #options: FleetOptions;
  readonly #registry: Registry;
  readonly #boxes = new Map<BoxId, BoxState>();
  readonly #onChange = new Set<(point: PointId) => void>();
  readonly #onLink = new Set<(point: PointId, change: LinkChange) => void>();
  readonly #writes = new Set<Promise<void>>();
  #closing = false;

  constructor(options: FleetOptions, registry: Registry) {
    this.#options = options;
    this.#registry = registry;
    this.pairing = createPairing({
      ...options,
      registry,
      onPaired: ({ point }) => this.#changed(point.id),
    });
    registry.onRevoked((box) => {
      this.#boxes.get(box)?.channel?.end("revoked");
      this.#changed(registry.find(box)!.point);
    });
  }

  authorize(certificate: X509Certificate): Verdict {
    return this.#registry.authorize(certificate);
  }

  async revoke(box: BoxId, actor: string): Promise<boolean> {
    const revoked = await this.#registry.revoke(box, actor);
    if (revoked) this.#options.log.info("fleet.revoked", { box, actor });
    return revoked;
  }

  onRevoked(listener: (box: BoxId) => void): () => void {
    return this.#registry.onRevoked(listener);
  }

  async points(): Promise<PointView[]> {
    const rows = await this.#pointRows();
    return rows.map(({ id, name, box }) => ({ id, name, box }));
  }

  async rooms(): Promise<RoomLink[]> {
    const rows = await this.#pointRows();
    return rows.map(({ id, name, box, seenAt }) => {
      const state = box === null ? undefined : this.#boxes.get(box);
      return {
        point: { id, name },
        box,
        connected: state?.channel !== undefined,
        seenAt: state?.seenAtMs === undefined ? seenAt : isoUtc(state.seenAtMs),
        health: state?.health ?? null,
      };
    });
  }

  #pointRows() {
    return this.#options.db
      .selectFrom("bridgePoint")
      .leftJoin("box", (join) => join.onRef("box.pointId", "=", "bridgePoint.id").on("box.revokedAt", "is", null))
      .select(["bridgePoint.id", "bridgePoint.name", "box.id as box", "box.seenAt"])
      .orderBy("bridgePoint.name")
      .execute();
  }

  boxKey(box: BoxId): Promise<string | undefined> {
    return Promise.resolve(this.#registry.find(box)?.certificatePem);
  }

  pointOf(box: BoxId): PointId | undefined {
    return this.#registry.find(box)?.point;
  }

  attach(ws: WebSocket, box: BoxId): void {
    // Frames may come while the point's name is read; they wait in the socket.
    ws.pause();
    // Without a listener an early error of the socket would end the hub.
    ws.on("error", () => ws.terminate());
    void this.#attach(ws, box).catch((error: unknown) => {
      this.#options.log.error("control.failed", { box, what: "attach", cause: causeOf(error) });
      ws.terminate();
    });
  }

  async #attach(ws: WebSocket, box: BoxId): Promise<void> {
    const { db, clock, log, assignments, records, alarms } = this.#options;
    const row = await db
      .selectFrom("box")
      .innerJoin("bridgePoint", "bridgePoint.id", "box.pointId")
      .select(["bridgePoint.id", "bridgePoint.name"])
      .where("box.id", "=", box)
      .where("box.revokedAt", "is", null)
      .executeTakeFirst();
    if (this.#closing || !row || this.#registry.find(box)?.revoked !== false || ws.readyState !== ws.OPEN) {
      ws.terminate();
      return;
    }
    const state = this.#state(box);
    const previous = state.channel;
    const channel: ControlChannel = openControl({
      ws,
      box,
      clock,
      log,
      assignments,
      records,
      alarms,
      onHealth: (health) => {
        state.health = health;
        this.#changed(row.id);
      },
      onAlive: () => this.#alive(box, state),
      onEnd: (end) => this.#ended(box, row.id, state, channel, end),
    });
    state.channel = channel;
    previous?.end("replaced");
    this.#alive(box, state);
    log.info("control.connected", { box, point: row.id, replaced: previous !== undefined });
    if (state.lost) {
      state.lost = false;
      for (const listener of this.#onLink) listener(row.id, "roomBack");
    }
    this.#changed(row.id);
    channel.send({ type: "welcome", controlVersion: CONTROL_VERSION, box, point: row });
    channel.sendAssignment();
    ws.resume();
  }

  #ended(box: BoxId, point: PointId, state: BoxState, channel: ControlChannel, end: ControlEnd): void {
    this.#options.log.info("control.ended", { box, end });
    if (state.channel !== channel) return;
    state.channel = undefined;
    this.#writeSeen(box, state);
    this.#changed(point);
    if (this.#closing || this.#registry.find(box)?.revoked) return;
    state.lost = true;
    for (const listener of this.#onLink) listener(point, "roomLost");
  }

  send(box: BoxId, message: HubMessage): boolean {
    return this.#boxes.get(box)?.channel?.send(message) ?? false;
  }

  broadcastAssignments(): void {
    for (const { channel } of this.#boxes.values()) channel?.sendAssignment();
  }

  onChange(listener: (point: PointId) => void): () => void {
    this.#onChange.add(listener);
    return () => this.#onChange.delete(listener);
  }

  onLink(listener: (point: PointId, change: LinkChange) => void): () => void {
    this.#onLink.add(listener);
    return () => this.#onLink.delete(listener);
  }

  async close(): Promise<void> {
    this.#closing = true;
    for (const { channel } of this.#boxes.values()) channel?.end("hubStopping");
    await Promise.all(this.#writes);
  }

  #state(box: BoxId): BoxState {
    let state = this.#boxes.get(box);
    if (!state) {
      state = { channel: undefined, health: null, seenAtMs: undefined, seenWrittenMs: undefined, lost: false };
      this.#boxes.set(box, state);
    }
    return state;
  }

  #alive(box: BoxId, state: BoxState): void {
    const { clock } = this.#options;
    state.seenAtMs = clock.wallMs();
    if (state.seenWrittenMs === undefined || clock.monotonicMs() - state.seenWrittenMs >= SEEN_WRITE_MS)
      this.#writeSeen(box, state);
  }

  #writeSeen(box: BoxId, state: BoxState): void {
    const { db, clock, log } = this.#options;
    if (state.seenAtMs === undefined) return;
    state.seenWrittenMs = clock.monotonicMs();
    const write: Promise<void> = db
      .updateTable("box")
      .set({ seenAt: isoUtc(state.seenAtMs) })
      .where("id", "=", box)
      .execute()
      .then(
        () => {},
        (error: unknown) => log.error("fleet.seenNotWritten", { box, cause: causeOf(error) }),
      )
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }

  #changed(point: PointId): void {
    for (const listener of this.#onChange) listener(point);
  }
}

export async function createFleet(options: FleetOptions): Promise<Fleet> {
  const registry = new Registry(options.db, options.clock);
  await registry.load();
  return new HubFleet(options, registry);
}
