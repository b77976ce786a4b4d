import type { X509Certificate } from "node:crypto";
import type { WebSocket } from "ws";
import {
  CONTROL_VERSION,
  type Alarm,
  type BoxId,
  type BoxResetAnswer,
  type DeviceOrder,
  type DiskKey,
  type Health,
  type HubAlarmCause,
  type HubMessage,
  type PointId,
} from "../../protocol/protocol.ts";
import { causeOf, isoUtc, randomId, type Clock, type Log } from "../../platform/platform.ts";
import { readMemory, type HubDatabase } from "../database/database.ts";
import type { DiskView, PointView, RoomView } from "../http/views.ts";
import type { Authority } from "./authority.ts";
import {
  openControl,
  type AlarmsPort,
  type AssignmentsPort,
  type ControlChannel,
  type ControlEnd,
  type RecordsPort,
  type ReleasesPort,
  type StagePort,
} from "./control.ts";
import { changeDeviceOrder, readDeviceOrder } from "./device-order.ts";
import { diskKeyOf, disksOf, keepDiskKey } from "./disk-keys.ts";
import { createPairing, type Pairing } from "./pairing.ts";
import { Registry, type Verdict } from "./registry.ts";
import { renewBox } from "./renewal.ts";
import { Lives } from "./twins.ts";

export { openAuthority, type Authority, type TlsIdentity } from "./authority.ts";
export type { AlarmsPort, AssignmentsPort, RecordsPort, ReleasesPort } from "./control.ts";
export type { Pairing } from "./pairing.ts";
export type { Verdict } from "./registry.ts";

/** The part of a RoomView that the fleet knows. */
export type RoomLink = Pick<
  RoomView,
  "point" | "box" | "connected" | "seenAt" | "health" | "alarms" | "identityDamaged"
>;
export type LinkChange = "roomLost" | "roomBack";

export interface FleetOptions {
  db: HubDatabase;
  clock: Clock;
  log: Log;
  authority: Authority;
  assignments: AssignmentsPort;
  records: RecordsPort;
  alarms: AlarmsPort;
  stage: StagePort;
  releases: ReleasesPort;
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
  /**
   * Which of a room's cameras, or microphones, are preferred; an empty list: as its box thinks best.
   * @returns false where there is no such point
   */
  setDeviceOrder(point: PointId, change: Partial<DeviceOrder>, actor: string): Promise<boolean>;
  points(): Promise<PointView[]>;
  /** Encrypted disks of a point's boxes, former ones too, that the hub can open; the one in use first. */
  disks(point: PointId): Promise<DiskView[]>;
  /** What opens a box's disk without its TPM. */
  diskKey(box: BoxId): Promise<(DiskKey & { pointName: string }) | undefined>;
  rooms(): Promise<RoomLink[]>;
  /** Certificate (PEM) of a box, replaced and revoked ones too. */
  boxKey(box: BoxId): Promise<string | undefined>;
  pointOf(box: BoxId): PointId | undefined;
  /** Boxes that are let in. */
  inForce(): ReadonlySet<BoxId>;
  /** A new control channel; it replaces the box's old one. */
  attach(ws: WebSocket, box: BoxId): void;
  /** @returns false where the box is away */
  send(box: BoxId, message: HubMessage): boolean;
  onResetAnswer(listener: (box: BoxId, answer: BoxResetAnswer) => void): () => void;
  broadcastAssignments(): void;
  /** Something shown of this point has changed: pairing, link or health. */
  onChange(listener: (point: PointId) => void): () => void;
  onLink(listener: (point: PointId, change: LinkChange) => void): () => void;
  /** Ends every channel (boxes come back by themselves) and writes when each was last seen. */
  close(): Promise<void>;
}

const IDENTITY_TWIN: HubAlarmCause = "identityTwin";
/** How much of "last seen" a killed hub may lose. */
const SEEN_WRITE_MS = 60_000;

interface BoxState {
  channel: ControlChannel | undefined;
  health: Health | null;
  seenAtMs: number | undefined;
  seenWrittenMs: number | undefined;
  lost: boolean;
  lives: Lives;
  /** Standing: two boxes speak with this one's identity. */
  twins: Alarm | undefined;
}

/**
 * INVARIANTS
 * - A box has at most one channel; the newest wins, and the end of an older one changes nothing.
 * - roomLost and roomBack alternate for each point, beginning with roomLost; a stopping hub tells no loss.
 * - Of the hub's own alarms at most one stands per box and cause; it stands over restarts of the hub.
 */
class HubFleet implements Fleet {
  readonly pairing: Pairing;
  readonly #options: FleetOptions;
  readonly #registry: Registry;
  readonly #boxes = new Map<BoxId, BoxState>();
  readonly #onChange = new Set<(point: PointId) => void>();
  readonly #onLink = new Set<(point: PointId, change: LinkChange) => void>();
  readonly #onResetAnswer = new Set<(box: BoxId, answer: BoxResetAnswer) => void>();
  readonly #writes = new Set<Promise<void>>();
  readonly #memory: number;
  #closing = false;

  constructor(options: FleetOptions, registry: Registry, memory: number) {
    this.#options = options;
    this.#memory = memory;
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

  async setDeviceOrder(point: PointId, change: Partial<DeviceOrder>, actor: string): Promise<boolean> {
    const { db, clock } = this.#options;
    const order = await changeDeviceOrder(db, clock, point, change, actor);
    if (order === undefined) return false;
    const { box } = (await this.points()).find(({ id }) => id === point)!;
    // One that is away is told when it comes back.
    if (box !== null) this.send(box, { type: "devices", order });
    return true;
  }

  async points(): Promise<PointView[]> {
    const rows = await this.#pointRows();
    return rows.map(({ id, name, box }) => ({ id, name, box }));
  }

  disks(point: PointId): Promise<DiskView[]> {
    return disksOf(this.#options.db, point);
  }

  diskKey(box: BoxId): Promise<(DiskKey & { pointName: string }) | undefined> {
    return diskKeyOf(this.#options.db, box);
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
        ...(box !== null && this.#registry.find(box)?.damaged && { identityDamaged: true }),
        alarms: state?.twins ? [{ cause: IDENTITY_TWIN, since: state.twins.raisedAt }] : [],
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
    const known = this.#registry.find(box);
    return Promise.resolve(known?.damaged ? undefined : known?.certificatePem);
  }

  pointOf(box: BoxId): PointId | undefined {
    return this.#registry.find(box)?.point;
  }

  inForce(): ReadonlySet<BoxId> {
    return this.#registry.inForce();
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
    const { db, clock, log, assignments, records, alarms, stage, releases } = this.#options;
    const row = await db
      .selectFrom("box")
      .innerJoin("bridgePoint", "bridgePoint.id", "box.pointId")
      .select(["bridgePoint.id", "bridgePoint.name", "bridgePoint.deviceOrder"])
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
      stage,
      renew: (csrPem) => renewBox({ ...this.#options, registry: this.#registry }, box, csrPem),
      onResetAnswer: (answer) => {
        for (const listener of this.#onResetAnswer) listener(box, answer);
      },
      keepDiskKey: (disk) => keepDiskKey(db, clock, box, disk),
      releases,
      onHello: ({ life, bootId }) => {
        state.lives.note(life ?? bootId, clock.monotonicMs());
        this.#lookForTwins(box, row.id, state);
      },
      onHealth: (health) => {
        state.health = health;
        this.#changed(row.id);
      },
      onAlive: () => {
        this.#alive(box, state);
        this.#lookForTwins(box, row.id, state);
      },
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
    const { id, name, deviceOrder } = row;
    const memory = this.#memory;
    channel.send({ type: "welcome", controlVersion: CONTROL_VERSION, box, point: { id, name }, memory });
    channel.sendAssignment();
    channel.send({ type: "devices", order: readDeviceOrder(deviceOrder) });
    stage.connected(box);
    releases.connected(box);
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

  onResetAnswer(listener: (box: BoxId, answer: BoxResetAnswer) => void): () => void {
    this.#onResetAnswer.add(listener);
    return () => this.#onResetAnswer.delete(listener);
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
      state = {
        ...{ channel: undefined, health: null, seenAtMs: undefined, seenWrittenMs: undefined, lost: false },
        ...{ lives: new Lives(), twins: undefined },
      };
      this.#boxes.set(box, state);
    }
    return state;
  }

  /** Raises the alarm, and clears it when only one has spoken for a while. */
  #lookForTwins(box: BoxId, point: PointId, state: BoxState): void {
    const { clock } = this.#options;
    const lives = state.lives.twins(clock.monotonicMs());
    if ((lives !== undefined) === (state.twins !== undefined)) return;
    const at = isoUtc(clock.wallMs());
    const alarm: Alarm = state.twins
      ? { ...state.twins, clearedAt: at }
      : {
          ...{ id: `hub-${Buffer.from(randomId()).toString("hex")}`, cause: IDENTITY_TWIN },
          ...{ session: null, raisedAt: at, clearedAt: null, facts: `by turns: ${lives!.join(", ")}` },
        };
    state.twins = alarm.clearedAt === null ? alarm : undefined;
    this.#changed(point);
    this.#afterwards("fleet.alarmNotKept", box, () => this.#keepAlarm(box, alarm));
  }

  /** Under the session that runs in its room, like the box's own. */
  async #keepAlarm(box: BoxId, alarm: Alarm): Promise<void> {
    const { alarms, assignments } = this.#options;
    if (alarm.clearedAt === null) {
      const { sessions } = await assignments.forBox(box);
      alarm.session = sessions.find(({ state }) => state === "live" || state === "paused")?.id ?? null;
    }
    await alarms.accept(box, [alarm]);
  }

  /** Alarms that an earlier life of the hub left standing. */
  async recall(): Promise<void> {
    const { db, clock } = this.#options;
    const rows = await db
      .selectFrom("alarm")
      .select(["boxId", "id", "sessionId as session", "cause", "raisedAt", "clearedAt", "facts"])
      .where("cause", "=", IDENTITY_TWIN)
      .where("clearedAt", "is", null)
      .execute();
    for (const { boxId, ...alarm } of rows) {
      const state = this.#state(boxId);
      state.twins = alarm;
      state.lives = new Lives(clock.monotonicMs());
    }
  }

  #alive(box: BoxId, state: BoxState): void {
    const { clock } = this.#options;
    state.seenAtMs = clock.wallMs();
    if (state.seenWrittenMs === undefined || clock.monotonicMs() - state.seenWrittenMs >= SEEN_WRITE_MS)
      this.#writeSeen(box, state);
  }

  #writeSeen(box: BoxId, state: BoxState): void {
    const { db, clock } = this.#options;
    const { seenAtMs } = state;
    if (seenAtMs === undefined) return;
    state.seenWrittenMs = clock.monotonicMs();
    const seenAt = isoUtc(seenAtMs);
    this.#afterwards("fleet.seenNotWritten", box, () =>
      db.updateTable("box").set({ seenAt }).where("id", "=", box).execute(),
    );
  }

  /** Nobody waits for it but the end of the hub. */
  #afterwards(failure: string, box: BoxId, work: () => Promise<unknown>): void {
    const write: Promise<void> = work()
      .then(
        () => {},
        (error: unknown) => this.#options.log.error(failure, { box, cause: causeOf(error) }),
      )
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }

  #changed(point: PointId): void {
    for (const listener of this.#onChange) listener(point);
  }
}

export async function createFleet(options: FleetOptions): Promise<Fleet> {
  const registry = new Registry(options.db, options.clock, options.log);
  await registry.load();
  const fleet = new HubFleet(options, registry, await readMemory(options.db));
  await fleet.recall();
  return fleet;
}
