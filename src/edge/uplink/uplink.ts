import { createPublicKey, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { causeOf, readTcpQueues, runForever, type Clock, type Log } from "../../platform/platform.ts";
import {
  LIVE_KINDS,
  liveStreamName,
  RTMP_APP,
  type Alarm,
  type BoxId,
  type BoxMessage,
  type Health,
  type HubAlarmsKept,
  type HubMessage,
  type LiveKind,
  type SegmentName,
  type SessionId,
  type SignedRecord,
  type TakeId,
} from "../../protocol/protocol.ts";
import { addProvinceReceipt, addReceipt, isReceipted, isSettled, removeReceipt } from "../ledger.ts";
import { readHubTime } from "../hub-time.ts";
import { keepOwn } from "../schedule.ts";
import type { Space } from "../space/space.ts";
import type { EdgeState } from "../state.ts";
import type { HubOffset } from "./clock-offset.ts";
import { createControl, type Control } from "./control.ts";
import { createDial, createLookup, type Credentials, type Dial, type HubAddress } from "./dial.ts";
import { judgeReceipt, newReceipts, type KeptReceipt } from "../receipts.ts";
import { isSent, LinePolicy } from "./line.ts";
import { RecordWindow } from "./record-window.ts";
import { openRelay, type Relay } from "./relay.ts";
import { createSync, type Sync } from "./sync.ts";
import type { PendingSegment } from "./sync-plan.ts";
import { TakeIndex } from "./take-index.ts";

export { createHubPairing } from "./hub-pairing.ts";
export type { HubAddress } from "./dial.ts";

/** Who this box is to the hub. */
export interface UplinkIdentity extends Credentials {
  box: BoxId;
  /** SubjectPublicKeyInfo (PEM) of the key that signs the hub's receipts. */
  receiptKeyPem: string;
}

/** What the uplink needs of the recorder. */
export interface Recordings {
  takes(): { session: SessionId; take: TakeId; records: number; ended: boolean }[];
  records(take: TakeId, fromN: number, limit: number): Promise<SignedRecord[]>;
  /** Closed ones that can be read, oldest first. */
  segments(): { name: SegmentName; sizeBytes: number }[];
  /** Whether a segment is still what was recorded; otherwise it is stated so and not to be sent again. */
  examine(name: SegmentName): Promise<"whole" | "damaged">;
  onRecord(listener: (take: TakeId) => void): void;
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
  /** Connection, schedule or receipts changed. */
  onChange: () => void;
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
  hubOffset(): HubOffset | null;
  unsynced(): { segments: number; bytes: number };
  sendHealth(health: Health): void;
  /** The sessions begun in this room have changed. */
  tellOwn(): void;
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
const LINE_LOOK_MS = 500;
/** Per message, as the protocol has it. */
const MAX_OWN = 100;

/** Opens the relays only, which takes milliseconds: the recorder needs their address before anything else. */
export async function openUplink(options: UplinkOptions): Promise<Uplink> {
  const { log, clock, runDirectory } = options;
  const liveRelay = (kind: LiveKind) =>
    openRelay({ log, clock, protocol: "rtmp", portFile: join(runDirectory, `relay-${kind}.port`) });
  const [video, small, audio] = [await liveRelay("video"), await liveRelay("small"), await liveRelay("audio")];
  const rsync = await openRelay({ log, clock, protocol: "rsync" });
  return new LiveUplink(options, { video, small, audio }, rsync);
}

/**
 * INVARIANTS
 * - One relay per kind of live stream, so that each can be closed by itself; the sound's is never closed.
 * - Nothing here can hold up a recording: the recorder is only read, and told nothing.
 * - A receipt changes the ledger only after judgeReceipt; a ledger entry is the only thing that ends sending.
 * - Messages of a connection are handled in their order.
 */
class LiveUplink implements Uplink {
  private readonly options: UplinkOptions;
  private readonly live: Readonly<Record<LiveKind, Relay>>;
  private readonly rsync: Relay;
  private readonly lookup = createLookup();
  private readonly line = new LinePolicy();
  private readonly window = new RecordWindow();
  private readonly control: Control;
  private readonly sync: Sync;
  private recordings: Recordings | undefined;
  private alarms: AlarmsToTell | undefined;
  private alarmsToldMs = 0;
  private index = new TakeIndex(async () => []);
  private identity: { box: BoxId; dial: Dial; receiptKey: KeyObject } | null = null;
  private identityChanged = new AbortController();
  /** Takes of a former identity: on this disk, and no use to this hub. */
  private readonly strangers = new Set<TakeId>();
  private isRefused = false;
  private pumping: Promise<void> | undefined;
  private handled: Promise<void> = Promise.resolve();

  constructor(options: UplinkOptions, live: Readonly<Record<LiveKind, Relay>>, rsync: Relay) {
    this.options = options;
    this.live = live;
    this.rsync = rsync;
    const { log, clock } = options;
    this.control = createControl({
      log,
      clock,
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
          if (reason === "silent") {
            for (const kind of LIVE_KINDS) this.live[kind].dropAll();
            this.rsync.dropAll();
          }
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
      port: rsync.port,
      directoryOf: ({ name, sizeBytes }) => options.space.sourceOf(name, sizeBytes),
      pending: () => this.pendingOfThisBox(),
      limitKibPerS: () => {
        const ceiling = options.limitKibPerS();
        return ceiling === undefined ? undefined : this.line.syncLimitKibPerS(ceiling);
      },
    });
  }

  liveUrl(kind: LiveKind, run: string): string {
    if (!this.identity) throw new Error("an unpaired box publishes nothing");
    const { box } = this.identity;
    return `rtmp://127.0.0.1:${this.live[kind].port}/${RTMP_APP}/${liveStreamName({ box, kind, run })}`;
  }

  setIdentity(identity: UplinkIdentity | null): void {
    this.identity = identity && {
      box: identity.box,
      dial: createDial(this.options.hub, identity, this.lookup),
      receiptKey: createPublicKey(identity.receiptKeyPem),
    };
    this.isRefused = false;
    this.strangers.clear();
    for (const kind of LIVE_KINDS) this.live[kind].setDial(this.identity?.dial);
    this.rsync.setDial(this.identity?.dial);
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
      live: !this.identity
        ? "unknown"
        : LIVE_KINDS.some((kind) => this.live[kind].active(LIVE_WITHIN_MS) > 0)
          ? "up"
          : "down",
      sync: this.sync.state(),
      roundTripMs: this.control.roundTripMs(),
      quality: this.line.quality,
    };
  }

  hubOffset(): HubOffset | null {
    return this.control.hubOffset();
  }

  unsynced(): { segments: number; bytes: number } {
    const pending = this.pending();
    return { segments: pending.length, bytes: pending.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
  }

  sendHealth(health: Health): void {
    this.control.send({ type: "health", health });
  }

  tellOwn(): void {
    const { clock, state } = this.options;
    const own = state.own();
    if (own.length === 0) return;
    const at = readHubTime(clock, state.hubTime(), this.hubOffset());
    this.control.send({ type: "roomSessions", at, sessions: own.slice(-MAX_OWN) });
  }

  receipted(session: SessionId): { segments: number; verified: number } {
    const { state } = this.options;
    const segments = (this.recordings?.segments() ?? []).filter(({ name }) => name.session === session);
    const verified = segments.filter(({ name: { take, seq } }) => isReceipted(state.ledger(take), seq));
    return { segments: segments.length, verified: verified.length };
  }

  syncNow(): void {
    this.sync.nudge();
  }

  async run(recordings: Recordings, alarms: AlarmsToTell, signal: AbortSignal): Promise<void> {
    this.recordings = recordings;
    this.alarms = alarms;
    alarms.onChange(() => this.tellAlarms());
    this.index = new TakeIndex((take, fromN, limit) => recordings.records(take, fromN, limit));
    recordings.onRecord(() => {
      this.pump();
      this.sync.nudge();
    });
    const { log, clock } = this.options;
    const syncing = runForever({ name: "sync", clock, log, baseMs: 1_000, capMs: 30_000 }, signal, (signal) =>
      this.sync.run(signal),
    );
    await Promise.all([syncing, this.runPump(signal), this.runLine(signal), this.runControl(signal)]);
    await this.handled;
    await this.pumping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const kind of LIVE_KINDS) await this.live[kind][Symbol.asyncDispose]();
    await this.rsync[Symbol.asyncDispose]();
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

  /** Looks at what waits for the line, and sends what it can carry. */
  private async runLine(signal: AbortSignal): Promise<void> {
    const { log, clock, onChange } = this.options;
    while (!signal.aborted) {
      if (this.identity) {
        const queues = await readTcpQueues();
        const { video, small, audio } = this.live;
        const before = this.line.quality;
        this.line.look({
          nowMs: clock.monotonicMs(),
          live: { video: video.passage(queues), small: small.passage(queues), audio: audio.passage(queues) },
          sync: this.rsync.passage(queues),
        });
        const { quality } = this.line;
        for (const kind of LIVE_KINDS) this.live[kind].setOpen(isSent(kind, quality));
        if (quality !== before) {
          log.warn("line.quality", { quality, before });
          onChange();
        }
      }
      await clock.sleep(LINE_LOOK_MS, signal).catch(() => {});
    }
  }

  private onOpen(): void {
    const { clock, agentVersion, onChange } = this.options;
    this.isRefused = false;
    const takes = this.unsettledTakes().map(({ session, take, records }) => ({ session, take, records }));
    this.window.open(
      takes.map(({ take }) => take),
      clock.monotonicMs(),
    );
    const awaitingProvince = this.takesAwaitingProvince(new Set(takes.map(({ take }) => take)));
    this.control.send({
      type: "hello",
      ...{ controlVersion: 1, agentVersion, bootId: clock.bootId, takes, awaitingProvince },
    });
    // Before any record: the hub takes none of a session that it does not know.
    this.tellOwn();
    this.tellAlarms();
    this.sync.lineBack();
    onChange();
  }

  private async handle(message: Exclude<HubMessage, { type: "clock" }>): Promise<void> {
    const { log, clock, state, onChange } = this.options;
    switch (message.type) {
      case "welcome":
        log.info("uplink.welcome", { box: message.box, point: message.point.name });
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
      case "receipts":
        await this.takeReceipts(message.items);
        return;
      case "resend": {
        const { session, take, seq, reason } = message;
        log.warn("sync.resendAsked", { take, seq, reason });
        if (this.options.space.isDeleted({ session, take, seq })) {
          // Two stores had signed for it; a person has to fetch it from the province.
          log.error("sync.deletedIsAskedFor", { take, seq });
          return;
        }
        const place = await this.options.space.suspect({ session, take, seq });
        await state.updateLedger((ledgerOf, set) => set(take, removeReceipt(ledgerOf(take), seq)));
        // What was spoilt here would only be refused again.
        if (place !== "second" && (await this.recordings?.examine({ session, take, seq })) === "damaged")
          log.error("sync.damaged", { take, seq });
        else this.sync.resend({ session, take, seq });
        onChange();
      }
    }
  }

  private async takeReceipts(items: readonly SignedRecord[]): Promise<void> {
    const { log, state, onChange } = this.options;
    if (!this.identity) return;
    const { receiptKey } = this.identity;
    const held: KeptReceipt[] = [];
    for (const signed of items) {
      const verdict = await judgeReceipt(signed, receiptKey, (take, seq) => this.index.sha256(take, seq));
      if (verdict.ok) held.push({ signed, receipt: verdict.receipt });
      else log.warn("receipt.refused", { reason: verdict.reason, detail: verdict.detail });
    }
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
    const open = new Set(this.unsettledTakes().map(({ take }) => take));
    for (const { receipt } of fresh) if (!open.has(receipt.take)) this.index.forget(receipt.take);
    this.sync.nudge();
    onChange();
  }

  /** Until the hub says that it has them. */
  private tellAlarms(): void {
    const items = this.alarms?.unkept() ?? [];
    if (items.length === 0) return;
    if (this.control.send({ type: "alarms", items })) this.alarmsToldMs = this.options.clock.monotonicMs();
  }

  /** Sends what records the window allows; overlapping calls become one more round. */
  private pump(): void {
    if (this.pumping || !this.control.connected() || !this.recordings) return;
    this.pumping = this.pumpOnce(this.recordings)
      .catch((error: unknown) => this.options.log.error("records.failed", { cause: causeOf(error) }))
      .finally(() => (this.pumping = undefined));
  }

  private async pumpOnce(recordings: Recordings): Promise<void> {
    const { clock, state } = this.options;
    for (;;) {
      const takes = await this.ofThisBox(this.unsettledTakes());
      for (const { take } of takes) this.window.assume(take, state.ledger(take)?.records ?? 0);
      const batches = this.window.next(takes, clock.monotonicMs());
      if (batches.length === 0) return;
      for (const { take, firstN, count } of batches) {
        const items = await recordings.records(take, firstN, count);
        const { session } = takes.find((t) => t.take === take)!;
        const message: BoxMessage = { type: "records", session, take, firstN, items };
        if (items.length > 0) this.control.send(message);
      }
    }
  }

  private unsettledTakes(): ReturnType<Recordings["takes"]> {
    if (!this.recordings) return [];
    const closed = new Map<TakeId, number>();
    for (const { name } of this.recordings.segments()) closed.set(name.take, (closed.get(name.take) ?? 0) + 1);
    return this.recordings
      .takes()
      .filter((take) => !isSettled(this.options.state.ledger(take.take), take, closed.get(take.take) ?? 0));
  }

  /** At the hub as far as the box knows, and not all at the province. */
  private takesAwaitingProvince(unsettled: ReadonlySet<TakeId>): TakeId[] {
    const { state } = this.options;
    const closed = Map.groupBy(this.recordings?.segments() ?? [], ({ name }) => name.take);
    return [...closed]
      .filter(([take, of]) => !unsettled.has(take) && (state.ledger(take)?.province?.upTo ?? 0) < of.length)
      .map(([take]) => take);
  }

  private pending(): PendingSegment[] {
    const { state, space } = this.options;
    const segments = this.recordings?.segments() ?? [];
    return segments.filter(
      ({ name }) =>
        !isReceipted(state.ledger(name.take), name.seq) && !this.strangers.has(name.take) && !space.isDeleted(name),
    );
  }

  private async pendingOfThisBox(): Promise<PendingSegment[]> {
    if (!this.identity) return [];
    const pending = this.pending();
    const takes = new Set(pending.map(({ name }) => name.take));
    const own = new Set((await this.ofThisBox([...takes].map((take) => ({ take })))).map(({ take }) => take));
    return pending.filter(({ name }) => own.has(name.take));
  }

  /** Recorded under today's identity: a hub takes records and files of the box that signed them only. */
  private async ofThisBox<T extends { take: TakeId }>(takes: readonly T[]): Promise<T[]> {
    const own: T[] = [];
    for (const item of takes) {
      if (this.strangers.has(item.take)) continue;
      const box = await this.index.box(item.take);
      if (box !== undefined && box === this.identity?.box) own.push(item);
      else if (box !== undefined && this.identity) {
        this.strangers.add(item.take);
        this.options.log.warn("uplink.formerIdentity", { take: item.take, box });
      }
    }
    return own;
  }
}
