import { constants } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { KeyObject } from "node:crypto";
import { causeOf, fileSize, runForever, type Clock, type Log } from "../../platform/platform.ts";
import type { BoxSpace, HubAssignment, SegmentName, SessionId, TakeId } from "../../protocol/protocol.ts";
import { isReceipted, type TakeLedger } from "../ledger.ts";
import type { KeptReceipt } from "../receipts.ts";
import { Deleter } from "./deleter.ts";
import { sessionNeeds, type SessionNeed } from "./need.ts";
import { planDeletions, planSpace, ReleaseBudget, reserveTarget, type SpacePlan } from "./plan.ts";
import { ReceiptBook } from "./receipt-book.ts";
import { allocate, isReadOnly, Reserve } from "./reserve.ts";

export { bytesPerMinute } from "./need.ts";

/** What this module needs of the recorder. */
export interface Recorded {
  segments(): { name: SegmentName; sizeBytes: number }[];
  sha256(take: TakeId, seq: number): string | undefined;
  sessionBytes(session: SessionId): number;
  openSegment(): { name: SegmentName; path: string } | null;
}

export interface SpaceOptions {
  log: Log;
  clock: Clock;
  dataDirectory: string;
  /** Of the record, at most. */
  bytesPerMinute: number;
  assignment: () => HubAssignment | null;
  ledger: (take: TakeId) => TakeLedger | undefined;
  /** Of the hub that this box is paired with. */
  receiptKey: () => KeyObject | null;
}

export interface Space {
  /** Null until the first look. */
  facts(): BoxSpace | null;
  isDeleted(name: SegmentName): boolean;
  /** The schedule may have changed: look at once. */
  nudge(): void;
  /** Receipts that have been judged; resolves when they are on disk. */
  keepReceipts(receipts: readonly KeptReceipt[]): Promise<void>;
  run(recorded: Recorded, signal: AbortSignal): Promise<void>;
}

const LOOK_MS = 1_000;
const IDLE_LOOK_MS = 5_000;
/** How soon a new segment's blocks are taken. */
const OPEN_LOOK_MS = 200;
/** Longer than a segment by a half: the encoder cuts at key frames only. */
const SEGMENT_MINUTES = 15 / 60;
/** Kept free ahead of the encoder for new segments, records and receipts. */
const LEAD_MINUTES = 20 / 60;
/** With less than two seconds of recording free, the next write may fail. */
const FULL_MINUTES = 2 / 60;
/** A reserve that is off by less is left alone: a fallocate for each second would be work for nothing. */
const SLACK_MINUTES = 5 / 60;

/** Opens what must be known before anything is sent: which segments have been deleted. */
export async function openSpace(options: SpaceOptions): Promise<Space> {
  const recordings = join(options.dataDirectory, "recordings");
  const book = new ReceiptBook(recordings);
  // The recorder comes later; without it nothing is proven, and nothing deleted.
  const source: { recorded: Recorded | undefined } = { recorded: undefined };
  const deleter = await Deleter.open({
    ...options,
    recordings,
    book,
    sha256Of: (take, seq) => Promise.resolve(source.recorded?.sha256(take, seq)),
  });
  const reserve = await Reserve.open(join(options.dataDirectory, "reserve"));
  return new BoxSpaceKeeper(options, source, book, deleter, reserve);
}

/**
 * Keeps room on the disk for sessions that are scheduled or run.
 *
 * INVARIANTS
 * - Nothing here can stop a recording: the recorder is only read, and a failure is logged and tried again.
 * - Blocks that a running or scheduled session needs are held by the reserve file or by the open segment itself.
 * - A deletion happens only while a reservation lacks room, and only through the deleter.
 */
class BoxSpaceKeeper implements Space {
  private readonly options: SpaceOptions;
  private readonly source: { recorded: Recorded | undefined };
  private readonly book: ReceiptBook;
  private readonly deleter: Deleter;
  private readonly reserve: Reserve;
  private readonly budget: ReleaseBudget;
  private latest: BoxSpace | null = null;
  private allocated = "";
  private due = true;
  private bell = new AbortController();
  private complaint = "";

  constructor(
    options: SpaceOptions,
    source: { recorded: Recorded | undefined },
    book: ReceiptBook,
    deleter: Deleter,
    reserve: Reserve,
  ) {
    this.options = options;
    this.source = source;
    this.book = book;
    this.deleter = deleter;
    this.reserve = reserve;
    this.budget = new ReleaseBudget(this.minutes(LEAD_MINUTES));
  }

  facts(): BoxSpace | null {
    return this.latest;
  }

  isDeleted(name: SegmentName): boolean {
    return this.deleter.isDeleted(name);
  }

  nudge(): void {
    this.due = true;
    this.bell.abort();
  }

  keepReceipts(receipts: readonly KeptReceipt[]): Promise<void> {
    return this.book.keep(receipts);
  }

  async run(recorded: Recorded, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options;
    this.source.recorded = recorded;
    let lookedMs = -Infinity;
    await runForever({ name: "space", clock, log, baseMs: 1_000, capMs: 10_000 }, signal, async (signal) => {
      while (!signal.aborted) {
        const open = recorded.openSegment();
        const nowMs = clock.monotonicMs();
        const isNew = open !== null && open.path !== this.allocated;
        if (this.due || isNew || nowMs - lookedMs >= (open ? LOOK_MS : IDLE_LOOK_MS)) {
          this.due = false;
          this.bell = new AbortController();
          lookedMs = nowMs;
          await this.look(recorded);
          if (open) await this.holdOpen(open.path);
        }
        const wake = AbortSignal.any([signal, this.bell.signal]);
        await clock.sleep(open ? OPEN_LOOK_MS : LOOK_MS, wake).catch(() => {});
      }
    });
  }

  private async look(recorded: Recorded): Promise<void> {
    const needs = await this.needs(recorded);
    let plan = await this.plan(needs);
    const missingBytes = plan.neededBytes - plan.coveredBytes;
    if (missingBytes > 0 && (await this.evict(recorded, needs, missingBytes))) plan = await this.plan(needs);
    const state = await this.hold(
      plan,
      needs.some(({ running }) => running),
    );
    this.latest = { state, reservedBytes: this.reserve.bytes, sessions: plan.readiness };
  }

  private async needs(recorded: Recorded): Promise<SessionNeed[]> {
    const { assignment, clock, bytesPerMinute } = this.options;
    const open = recorded.openSegment();
    const openBytes = open ? ((await fileSize(open.path)) ?? 0) : 0;
    const bytesOf = (session: SessionId) =>
      recorded.sessionBytes(session) + (open?.name.session === session ? openBytes : 0);
    return sessionNeeds(assignment()?.sessions ?? [], clock.wallMs(), bytesPerMinute, bytesOf);
  }

  private async room() {
    const { bavail, bsize, blocks } = await statfs(this.options.dataDirectory);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, reservedBytes: this.reserve.bytes };
  }

  private async plan(needs: SessionNeed[]): Promise<SpacePlan> {
    return planSpace(needs, await this.room());
  }

  /** @returns whether anything was deleted */
  private async evict(recorded: Recorded, needs: SessionNeed[], missingBytes: number): Promise<boolean> {
    const { ledger, log } = this.options;
    const running = new Set(needs.filter((need) => need.running).map(({ session }) => session));
    const held = recorded
      .segments()
      .filter(({ name }) => !running.has(name.session) && !this.deleter.isDeleted(name))
      .map(({ name, sizeBytes }) => {
        const signed = ledger(name.take);
        return {
          name,
          sizeBytes,
          hub: isReceipted(signed, name.seq),
          province: isReceipted(signed?.province, name.seq),
        };
      });
    const due = planDeletions(held, missingBytes);
    const deleted = await this.deleter.delete(due.map(({ name }) => name));
    if (deleted.length > 0) log.info("space.evicted", { segments: deleted.length, missingBytes });
    return deleted.length > 0;
  }

  /** Brings the reserve to where it should be, and says how the disk is. */
  private async hold(plan: SpacePlan, running: boolean): Promise<BoxSpace["state"]> {
    const { log, clock, dataDirectory } = this.options;
    const leadBytes = running ? this.minutes(LEAD_MINUTES) : 0;
    const before = this.reserve.bytes;
    const target = reserveTarget(plan, before, leadBytes, this.budget.now(clock.monotonicMs()));
    try {
      if (Math.abs(target - before) > this.minutes(SLACK_MINUTES) || target === 0) await this.reserve.resize(target);
      if (this.reserve.bytes < before && plan.coveredBytes < plan.neededBytes)
        this.budget.spend(before - this.reserve.bytes);
      await access(dataDirectory, constants.W_OK);
      this.complaint = "";
    } catch (error) {
      const cause = causeOf(error);
      if (cause !== this.complaint) log.error("space.notHeld", { cause, bytes: target });
      this.complaint = cause;
      if (isReadOnly(error)) return "readOnly";
    }
    const { freeBytes, reservedBytes } = await this.room();
    return freeBytes + reservedBytes < this.minutes(FULL_MINUTES) ? "full" : "ok";
  }

  /** The blocks of the open segment are taken as soon as it is there: from then on no other writer can stop it. */
  private async holdOpen(path: string): Promise<void> {
    if (path === this.allocated || (await fileSize(path)) === undefined) return;
    try {
      await allocate(path, this.minutes(SEGMENT_MINUTES), "keepSize");
      this.allocated = path;
    } catch (error) {
      this.options.log.warn("space.segmentNotHeld", { cause: causeOf(error) });
    }
  }

  private minutes(minutes: number): number {
    return Math.ceil(this.options.bytesPerMinute * minutes);
  }
}
