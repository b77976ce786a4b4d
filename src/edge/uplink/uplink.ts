import { createPublicKey, type KeyObject } from "node:crypto";
import { causeOf, randomId, runForever, type Clock, type Log } from "../../platform/platform.ts";
import {
  liveStreamName,
  RTMP_APP,
  type Alarm,
  type DeviceOrder,
  type BoxId,
  type BoxMessage,
  type BoxUpdate,
  type Health,
  type HubAlarmsKept,
  type HubMessage,
  type HubRelease,
  type LiveKind,
  type RoomLevel,
  type RoomStage,
  type SessionId,
  type SignedRecord,
} from "../../protocol/protocol.ts";
import { addProvinceReceipt, addReceipt, removeReceipt } from "../ledger.ts";
import { readHubTime } from "../hub-time.ts";
import { keepOwn, rememberedSessions } from "../schedule.ts";
import type { Space } from "../space/space.ts";
import type { EdgeState } from "../state.ts";
import type { FetchFile } from "../update/update.ts";
import { openHubOffsets, type HubOffset, type HubOffsets } from "./clock-offset.ts";
import { createControl, type Control } from "./control.ts";
import { readDiskKey } from "./disk-key.ts";
import { createDial, createLookup, type Credentials, type Dial, type HubAddress } from "./dial.ts";
import { judgeReceipt, newReceipts, type KeptReceipt } from "../receipts.ts";
import { openLines, type Lines } from "./lines.ts";
import type { LiveRequest } from "./live-tunnels.ts";
import { Owed, type Recordings } from "./owed.ts";
import { RecordWindow } from "./record-window.ts";
import { createFileFetch } from "./release-files.ts";
import { createSync, type Sync } from "./sync.ts";

export { createHubPairing } from "./hub-pairing.ts";
export type { HubAddress } from "./dial.ts";
export type { LiveRequest } from "./live-tunnels.ts";
export type { Recordings } from "./owed.ts";

/** Who this box is to the hub. */
export interface UplinkIdentity extends Credentials {
  box: BoxId;
  /** SubjectPublicKeyInfo (PEM) of the key that signs the hub's receipts. */
  receiptKeyPem: string;
}

/** What the uplink needs of the alarms. */
export interface AlarmsToTell {
  unkept(): Alarm[];
  kept(items: HubAlarmsKept["items"]): void;
  onChange(listener: () => void): void;
}

export interface UplinkOptions {
  log: Log;
  clock: Clock;
  hub: HubAddress;
  runDirectory: string;
  agentVersion: string;
  state: EdgeState;
  /** Where receipts are kept and files are deleted, and which medium has a segment. */
  space: Pick<Space, "isDeleted" | "keepReceipts" | "sourceOf" | "suspect">;
  /** The most that rsync may take, KiB/s; it takes less where live needs the line. Undefined: no limit at all. */
  limitKibPerS: () => number | undefined;
  /** What the hub says to the box as such, and not to its recordings. */
  onOrder: (message: Extract<HubMessage, { type: "reset" | "renewed" }>) => void;
  /** Connection, schedule or receipts changed. */
  onChange: () => void;
  /** Where root's unit leaves what opens this box's disk, for the hub to keep. */
  diskKeyFile?: string;
  /** Which devices the hub prefers. */
  onDevices?: (order: DeviceOrder | null) => void;
}

export interface Uplink extends AsyncDisposable {
  /** Where ffmpeg publishes; the same after a restart of the agent. Throws while unpaired: nobody takes it then. */
  liveUrl(kind: LiveKind, run: string): string;
  /** Null: unpaired; every connection of the former identity is destroyed. */
  setIdentity(identity: UplinkIdentity | null): void;
  connected(): boolean;
  /** The hub has refused this identity for so long that no restart of the hub explains it. */
  refused(): boolean;
  link(): Health["link"];
  /** For this moment of the box's clocks. */
  hubOffset(wallMs: number, monotonicMs: number): HubOffset | null;
  unsynced(): { segments: number; bytes: number };
  /** As the hub stated it last on the connection that stands. */
  stage(): RoomStage | null;
  /** Names of the desk's users who see or hear this room. */
  watchedBy(): string[];
  /** Hands the page's wish for another room's picture or sound on to the hub. */
  openLive(request: LiveRequest): void;
  /** @returns false where this room is not on the stage of that session, or the hub is away */
  raiseHand(session: SessionId, raised: boolean): boolean;
  /** What the microphone hears; told to the hub in a session only. */
  tellLevel(level: RoomLevel): void;
  sendHealth(health: Health): void;
  /** @returns false where the hub is away */
  send(message: Extract<BoxMessage, { type: "resetAnswer" | "renew" }>): boolean;
  /** As the hub stated it last; undefined before it said anything. */
  release(): HubRelease | undefined;
  /** A file of a release, over a connection of its own. */
  readonly fetchFile: FetchFile;
  /** How far this box is with its update; said again on each connection. */
  tellUpdate(statement: BoxUpdate): void;
  /** The sessions begun in this room have changed. */
  tellOwn(): void;
  /** Takes whose records the disk does not give back. */
  unreadable(): ReadonlySet<string>;
  /** How much of a session's recording is closed, and how much of that the hub has signed for. */
  receipted(session: SessionId): { segments: number; verified: number };
  /** A session has ended, or the limit changed: send what is there. */
  syncNow(): void;
  run(recordings: Recordings, alarms: AlarmsToTell, signal: AbortSignal): Promise<void>;
}

const ALARMS_AGAIN_MS = 5_000;
const REFUSED_AFTER_MS = 15_000;
const LIVE_WITHIN_MS = 3_000;
const PUMP_EVERY_MS = 1_000;
/** Per message, as the protocol has it. */
const MAX_OWN = 100;

/** Opens the relays only, which takes milliseconds: the recorder needs their address before anything else. */
export async function openUplink(options: UplinkOptions): Promise<Uplink> {
  const { log, clock, runDirectory } = options;
  const lines = await openLines({ log, clock, runDirectory });
  const offsets = await openHubOffsets(runDirectory, log, clock);
  return new LiveUplink(options, offsets, lines);
}

/** Until the recorder is there. */
const NOTHING: Recordings = {
  takes: () => [],
  records: () => Promise.resolve([]),
  segments: () => [],
  examine: () => Promise.resolve("whole"),
  onRecord: () => {},
};

/**
 * INVARIANTS
 * - Nothing here can hold up a recording: the recorder is only read, and told nothing.
 * - A receipt changes the ledger only after judgeReceipt; a ledger entry is the only thing that ends sending.
 * - Messages of a connection are handled in their order.
 */
class LiveUplink implements Uplink {
  private readonly options: UplinkOptions;
  private readonly offsets: HubOffsets;
  private readonly life = Buffer.from(randomId()).toString("hex");
  private readonly lines: Lines;
  private readonly lookup = createLookup();
  private readonly window = new RecordWindow();
  private readonly control: Control;
  private readonly sync: Sync;
  private recordings = NOTHING;
  private readonly owed: Owed;
  private alarms: AlarmsToTell | undefined;
  private alarmsToldMs = 0;
  private identity: { box: BoxId; dial: Dial; receiptKey: KeyObject } | null = null;
  private identityChanged = new AbortController();
  private isRefused = false;
  private named: HubRelease | undefined;
  private updateSaid: BoxUpdate | undefined;
  readonly fetchFile: FetchFile = createFileFetch(() => this.identity?.dial);
  private stated: { stage: RoomStage | null; watchedBy: string[] } = { stage: null, watchedBy: [] };
  private pumping: Promise<void> | undefined;
  private handled: Promise<void> = Promise.resolve();

  constructor(options: UplinkOptions, offsets: HubOffsets, lines: Lines) {
    this.options = options;
    this.offsets = offsets;
    this.lines = lines;
    const { log, clock, state, space } = options;
    this.owed = new Owed({ log, state, space, recordings: () => this.recordings, box: () => this.identity?.box });
    this.control = createControl({
      log,
      clock,
      offsets,
      events: {
        onOpen: () => this.onOpen(),
        onMessage: (message) => {
          this.handled = this.handled
            .then(() => this.handle(message))
            .catch((error: unknown) =>
              log.error("uplink.messageFailed", { type: message.type, cause: causeOf(error) }),
            );
        },
        onLost: (reason) => {
          this.stated = { stage: null, watchedBy: [] };
          if (reason === "silent") lines.dropAll();
          options.onChange();
        },
        onRefused: (forMs) => {
          if (this.isRefused || forMs < REFUSED_AFTER_MS) return;
          this.isRefused = true;
          options.onChange();
        },
      },
    });
    this.sync = createSync({
      log,
      clock,
      port: lines.syncPort,
      directoryOf: ({ name, sizeBytes }) => space.sourceOf(name, sizeBytes),
      pending: () => this.owed.segmentsToSend(),
      limitKibPerS: () => {
        const ceiling = options.limitKibPerS();
        return ceiling === undefined ? undefined : lines.syncLimitKibPerS(ceiling);
      },
      dropLine: () => lines.dropSync(),
    });
  }

  liveUrl(kind: LiveKind, run: string): string {
    if (!this.identity) throw new Error("an unpaired box publishes nothing");
    const { box } = this.identity;
    return `rtmp://127.0.0.1:${this.lines.livePort(kind)}/${RTMP_APP}/${liveStreamName({ box, kind, run })}`;
  }

  setIdentity(identity: UplinkIdentity | null): void {
    this.identity = identity && {
      box: identity.box,
      dial: createDial(this.options.hub, identity, this.lookup),
      receiptKey: createPublicKey(identity.receiptKeyPem),
    };
    this.isRefused = false;
    this.owed.identityChanged();
    this.lines.setDial(this.identity?.dial);
    this.identityChanged.abort();
    this.identityChanged = new AbortController();
  }

  connected(): boolean {
    return this.control.connected();
  }

  refused(): boolean {
    return this.isRefused;
  }

  link(): Health["link"] {
    return {
      control: this.control.connected() ? "up" : this.identity ? "down" : "unknown",
      live: !this.identity ? "unknown" : this.lines.isLive(LIVE_WITHIN_MS) ? "up" : "down",
      sync: this.sync.state(),
      roundTripMs: this.control.roundTripMs(),
      quality: this.lines.quality,
    };
  }

  hubOffset(wallMs: number, monotonicMs: number): HubOffset | null {
    return this.offsets.best(wallMs, monotonicMs);
  }

  unsynced(): { segments: number; bytes: number } {
    const pending = this.owed.segments();
    return { segments: pending.length, bytes: pending.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
  }

  stage(): RoomStage | null {
    return this.stated.stage;
  }

  watchedBy(): string[] {
    return this.stated.watchedBy;
  }

  openLive(request: LiveRequest): void {
    this.lines.openTunnel(request);
  }

  raiseHand(session: SessionId, raised: boolean): boolean {
    return this.stated.stage?.session === session && this.control.send({ type: "hand", session, raised });
  }

  tellLevel({ lufs, speech }: RoomLevel): void {
    if (this.stated.stage) this.control.send({ type: "levels", lufs, speech });
  }

  sendHealth(health: Health): void {
    this.control.send({ type: "health", health });
  }

  send(message: BoxMessage): boolean {
    return this.control.send(message);
  }

  release(): HubRelease | undefined {
    return this.named;
  }

  tellUpdate(statement: BoxUpdate): void {
    this.updateSaid = statement;
    this.control.send(statement);
  }

  tellOwn(): void {
    const { clock, state } = this.options;
    const own = state.own();
    if (own.length === 0) return;
    const at = readHubTime(clock, state.hubTime(), (...now) => this.hubOffset(...now));
    this.control.send({ type: "roomSessions", at, sessions: own.slice(-MAX_OWN) });
  }

  unreadable(): ReadonlySet<string> {
    return this.owed.unreadable;
  }

  receipted(session: SessionId): { segments: number; verified: number } {
    return this.owed.receipted(session);
  }

  syncNow(): void {
    this.sync.nudge();
  }

  async run(recordings: Recordings, alarms: AlarmsToTell, signal: AbortSignal): Promise<void> {
    this.recordings = recordings;
    this.alarms = alarms;
    alarms.onChange(() => this.tellAlarms());
    recordings.onRecord(() => {
      this.pump();
      this.sync.nudge();
    });
    const { log, clock, onChange } = this.options;
    const syncing = runForever({ name: "sync", clock, log, baseMs: 1_000, capMs: 30_000 }, signal, (signal) =>
      this.sync.run(signal),
    );
    const watchingLine = this.lines.run(() => {
      this.sync.nudge();
      onChange();
    }, signal);
    await Promise.all([syncing, watchingLine, this.runPump(signal), this.runControl(signal)]);
    await this.handled;
    await this.pumping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.lines[Symbol.asyncDispose]();
  }

  private async runControl(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const until = AbortSignal.any([signal, this.identityChanged.signal]);
      if (this.identity) await this.control.run(this.identity.dial, until);
      else await new Promise<void>((resolve) => until.addEventListener("abort", () => resolve(), { once: true }));
    }
  }

  private async runPump(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.pump();
      if (this.options.clock.monotonicMs() - this.alarmsToldMs > ALARMS_AGAIN_MS) this.tellAlarms();
      await this.options.clock.sleep(PUMP_EVERY_MS, signal).catch(() => {});
    }
  }

  private onOpen(): void {
    this.isRefused = false;
    this.sayHello();
    this.tellAlarms();
    void this.tellDiskKey();
    if (this.updateSaid) this.control.send(this.updateSaid);
    this.sync.lineBack();
    this.options.onChange();
  }

  /** What there is of which the hub may lack something, and the sessions that it may not know. */
  private sayHello(): void {
    const { clock, agentVersion } = this.options;
    const takes = this.owed.unsettledTakes().map(({ session, take, records }) => ({ session, take, records }));
    this.window.open(
      takes.map(({ take }) => take),
      clock.monotonicMs(),
    );
    const awaitingProvince = this.owed.takesAwaitingProvince();
    this.control.send({
      type: "hello",
      life: this.life,
      ...{ controlVersion: 1, agentVersion, bootId: clock.bootId, takes, awaitingProvince },
    });
    // Before any record: the hub takes none of a session that it does not know.
    this.tellOwn();
  }

  private async handle(message: Exclude<HubMessage, { type: "clock" }>): Promise<void> {
    const { log, clock, state, onChange } = this.options;
    switch (message.type) {
      case "welcome":
        log.info("uplink.welcome", { box: message.box, point: message.point.name });
        await this.heedMemory(message.memory);
        return;
      case "assignment":
        if ((await state.takeAssignment(message)) === "taken") onChange();
        return;
      case "have": {
        const { take, nextN } = message;
        if (this.window.have(take, nextN, clock.monotonicMs()) === "refused")
          log.warn("records.notTaken", { take, nextN });
        if (state.ledger(take)?.records !== nextN)
          await state.updateLedger((ledgerOf, set) => set(take, { ...ledgerOf(take), records: nextN }));
        this.pump();
        return;
      }
      case "adopted":
        await state.setOwn(keepOwn(state.own(), message.sessions, state.assignment()));
        onChange();
        return;
      case "alarmsKept":
        this.alarms?.kept(message.items);
        return;
      case "stage":
        this.state({ stage: message.stage });
        return;
      case "devices":
        this.options.onDevices?.(message.order);
        return;
      case "watched":
        this.state({ watchedBy: message.by });
        return;
      case "reset":
      case "renewed":
        this.options.onOrder(message);
        return;
      case "release":
        this.named = message;
        return;
      case "receipts":
        await this.takeReceipts(message.items);
        return;
      case "resend": {
        const { session, take, seq, reason } = message;
        log.warn("sync.resendAsked", { take, seq, reason });
        // A take that is not known here any more has left because all of it had been deleted.
        const isKnown = this.recordings.takes().some((known) => known.take === take);
        if (!isKnown || this.options.space.isDeleted({ session, take, seq })) {
          // Two stores had signed for it, and the hub has it from the other one.
          log.warn("sync.deletedIsAskedFor", { take, seq });
          return;
        }
        const place = await this.options.space.suspect({ session, take, seq });
        await state.updateLedger((ledgerOf, set) => set(take, removeReceipt(ledgerOf(take), seq)));
        // What was spoilt here would only be refused again.
        if (place !== "second" && (await this.recordings.examine({ session, take, seq })) === "damaged")
          log.error("sync.damaged", { take, seq });
        else this.sync.resend({ session, take, seq });
        onChange();
      }
    }
  }

  /** A hub that was put back to an earlier state is told everything again, and asked what it has of it. */
  private async heedMemory(memory: number | undefined): Promise<void> {
    const { log, clock, state } = this.options;
    if (memory === undefined || memory === state.hubMemory()) return;
    log.warn("uplink.hubPutBack", { memory, known: state.hubMemory() });
    const at = readHubTime(clock, state.hubTime(), (...now) => this.hubOffset(...now));
    const sessions = new Set(this.recordings.takes().map(({ session }) => session));
    await state.startAnew(memory, rememberedSessions(state.assignment(), sessions, at));
    this.sayHello();
    this.options.onChange();
  }

  /** A connection that has ended meanwhile states nothing any more. */
  private state(change: Partial<LiveUplink["stated"]>): void {
    if (!this.control.connected()) return;
    this.stated = { ...this.stated, ...change };
    this.options.onChange();
  }

  private async takeReceipts(items: readonly SignedRecord[]): Promise<void> {
    const { log, state, onChange } = this.options;
    if (!this.identity) return;
    const { receiptKey } = this.identity;
    const held: KeptReceipt[] = [];
    for (const signed of items) {
      const verdict = await judgeReceipt(signed, receiptKey, (take, seq) => this.owed.sha256(take, seq));
      if (verdict.ok) held.push({ signed, receipt: verdict.receipt });
      else log.warn("receipt.refused", { reason: verdict.reason, detail: verdict.detail });
    }
    this.owed.forgetSettled(held.map(({ receipt }) => receipt.take));
    const fresh = newReceipts(held, (take) => state.ledger(take));
    if (fresh.length === 0) return;
    // The words themselves first: a ledger that knows more than the book would keep a file for ever.
    await this.options.space.keepReceipts(fresh);
    await state.updateLedger((ledgerOf, set) => {
      for (const { receipt } of fresh) {
        const add = receipt.store === "hub" ? addReceipt : addProvinceReceipt;
        set(receipt.take, add(ledgerOf(receipt.take), receipt.seq));
      }
    });
    this.owed.forgetSettled(fresh.map(({ receipt }) => receipt.take));
    this.sync.nudge();
    onChange();
  }

  private async tellDiskKey(): Promise<void> {
    const { diskKeyFile, log } = this.options;
    if (diskKeyFile === undefined) return;
    try {
      const disk = await readDiskKey(diskKeyFile);
      if (disk) this.control.send({ type: "diskKey", disk });
    } catch (error) {
      log.error("uplink.diskKeyUnreadable", { cause: causeOf(error) });
    }
  }

  /** Until the hub says that it has them. */
  private tellAlarms(): void {
    const items = this.alarms?.unkept() ?? [];
    if (items.length === 0) return;
    if (this.control.send({ type: "alarms", items })) this.alarmsToldMs = this.options.clock.monotonicMs();
  }

  /** Sends what records the window allows; overlapping calls become one more round. */
  private pump(): void {
    if (this.pumping || !this.control.connected()) return;
    this.pumping = this.pumpOnce()
      .catch((error: unknown) => this.options.log.error("records.failed", { cause: causeOf(error) }))
      .finally(() => (this.pumping = undefined));
  }

  private async pumpOnce(): Promise<void> {
    const { clock, state } = this.options;
    for (;;) {
      const takes = await this.owed.takesToTell();
      for (const { take } of takes) this.window.assume(take, state.ledger(take)?.records ?? 0);
      const batches = this.window.next(takes, clock.monotonicMs());
      if (batches.length === 0) return;
      for (const { take, firstN, count } of batches) {
        const items = await this.owed.records(take, firstN, count);
        if (!items) continue;
        const { session } = takes.find((t) => t.take === take)!;
        const message: BoxMessage = { type: "records", session, take, firstN, items };
        if (items.length > 0) this.control.send(message);
      }
    }
  }
}
