import { join } from "node:path";
import type { KeyObject } from "node:crypto";
import {
  causeOf,
  fileSize,
  hashRegularFile,
  runForever,
  trimFile,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import {
  segmentPath,
  type BoxId,
  type BoxSpace,
  type HubAssignment,
  type SegmentName,
  type SessionId,
  type TakeId,
} from "../../protocol/protocol.ts";
import { isReceipted, type TakeLedger } from "../ledger.ts";
import type { KeptReceipt } from "../receipts.ts";
import { Deleter } from "./deleter.ts";
import { MediumSpace } from "./medium-space.ts";
import { Mirror } from "./mirror.ts";
import { sessionNeeds, type SessionNeed } from "./need.ts";
import type { HeldSegment } from "./plan.ts";
import { ReceiptBook } from "./receipt-book.ts";
import { allocate } from "./reserve.ts";

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
  /** Where a second medium is mounted while it is plugged in. */
  secondMedium: string | undefined;
  /** Of the record, at most. */
  bytesPerMinute: number;
  assignment: () => HubAssignment | null;
  ledger: (take: TakeId) => TakeLedger | undefined;
  box: () => BoxId | null;
  /** Of the hub that this box is paired with. */
  receiptKey: () => KeyObject | null;
}

export interface Space {
  /** Null until the first look. */
  facts(): BoxSpace | null;
  isDeleted(name: SegmentName): boolean;
  /** The recordings folder to send a closed segment from: the second medium's where the first's copy is not to be had. */
  sourceOf(name: SegmentName, sizeBytes: number): Promise<string>;
  /** The hub could not use what it got: which medium has what was recorded. From now on that one's copy is sent. */
  suspect(name: SegmentName): Promise<"first" | "second" | "neither">;
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

/** Opens what must be known before anything is sent: which segments have been deleted. */
export async function openSpace(options: SpaceOptions): Promise<Space> {
  const recordings = join(options.dataDirectory, "recordings");
  const book = new ReceiptBook(recordings);
  // The recorder comes later; without it nothing is proven, and nothing deleted.
  const source: Source = { recorded: undefined };
  const sha256Of = async (take: TakeId, seq: number) => source.recorded?.sha256(take, seq);
  const open = async (directory: string) => {
    const deleter = await Deleter.open({ ...options, recordings: join(directory, "recordings"), book, sha256Of });
    return MediumSpace.open({ ...options, directory, deleter });
  };
  return new BoxSpaceKeeper(options, source, book, await open(options.dataDirectory), open);
}

interface Source {
  recorded: Recorded | undefined;
}

/**
 * Keeps room on the box's media for sessions that are scheduled or run.
 *
 * INVARIANTS
 * - Nothing here can stop a recording: the recorder is only read, and a failure is logged and tried again.
 * - Blocks that a running or scheduled session needs are held by the reserve file or by the open segment itself.
 * - A deletion happens only while a reservation lacks room, and only through the deleter.
 * - What concerns the second medium runs by itself: the first is never behind it.
 */
class BoxSpaceKeeper implements Space {
  private readonly options: SpaceOptions;
  private readonly source: Source;
  private readonly book: ReceiptBook;
  private readonly first: MediumSpace;
  private readonly openMedium: (directory: string) => Promise<MediumSpace>;
  private readonly mirror: Mirror | undefined;
  /** On the first medium, and not what was recorded. */
  private readonly damaged = new Set<string>();
  private latest: BoxSpace | null = null;
  private allocated = "";
  private due = true;
  private bell = new AbortController();

  constructor(
    options: SpaceOptions,
    source: Source,
    book: ReceiptBook,
    first: MediumSpace,
    openMedium: (directory: string) => Promise<MediumSpace>,
  ) {
    this.options = options;
    this.source = source;
    this.book = book;
    this.first = first;
    this.openMedium = openMedium;
    const { secondMedium, ledger } = options;
    this.mirror =
      secondMedium === undefined
        ? undefined
        : new Mirror({
            ...options,
            directory: secondMedium,
            segments: () => source.recorded?.segments() ?? [],
            openSegment: () => source.recorded?.openSegment() ?? null,
            running: () => this.needs(() => 0).find(({ running }) => running)?.session ?? null,
            isAtHub: ({ take, seq }) => isReceipted(ledger(take), seq),
            isDeleted: (name) => this.isDeleted(name),
          });
  }

  facts(): BoxSpace | null {
    const { latest, mirror } = this;
    if (!latest || !mirror) return latest;
    return { ...latest, secondMedium: { state: mirror.state(), behindSegments: mirror.behindSegments } };
  }

  isDeleted(name: SegmentName): boolean {
    return this.first.deleter.isDeleted(name);
  }

  async sourceOf(name: SegmentName, sizeBytes: number): Promise<string> {
    const first = join(this.options.dataDirectory, "recordings");
    const path = segmentPath(name);
    const second = this.mirror?.recordings;
    if (second === undefined) return first;
    if (!this.damaged.has(path) && (await fileSize(join(first, path)).catch(() => undefined)) === sizeBytes)
      return first;
    return (await fileSize(join(second, path)).catch(() => undefined)) === sizeBytes ? second : first;
  }

  async suspect(name: SegmentName): Promise<"first" | "second" | "neither"> {
    const { dataDirectory, log } = this.options;
    const recorded = this.source.recorded?.sha256(name.take, name.seq);
    const path = segmentPath(name);
    const second = this.mirror?.recordings;
    const isWhole = async (recordings: string) =>
      (await hashRegularFile(join(recordings, path)).catch(() => undefined))?.sha256 === recorded;
    if (recorded === undefined || (await isWhole(join(dataDirectory, "recordings")))) return "first";
    if (second === undefined || !(await isWhole(second))) return "neither";
    this.damaged.add(path);
    log.error("space.segmentDamaged", { segment: path, sentFrom: second });
    return "second";
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
    const retry = { clock, log, baseMs: 1_000, capMs: 10_000 };
    await Promise.all([
      runForever({ ...retry, name: "space" }, signal, (signal) => this.keepFirst(recorded, signal)),
      this.mirror?.run(signal),
      this.mirror && runForever({ ...retry, name: "space.second" }, signal, (signal) => this.keepSecond(signal)),
    ]);
  }

  private async keepFirst(recorded: Recorded, signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    let lookedMs = -Infinity;
    while (!signal.aborted) {
      const open = recorded.openSegment();
      if (this.allocated && open?.path !== this.allocated) await this.letGo();
      const nowMs = clock.monotonicMs();
      const isNew = open !== null && open.path !== this.allocated;
      if (this.due || isNew || nowMs - lookedMs >= (open ? LOOK_MS : IDLE_LOOK_MS)) {
        this.due = false;
        this.bell = new AbortController();
        lookedMs = nowMs;
        const openBytes = open ? ((await fileSize(open.path)) ?? 0) : 0;
        const needs = this.needs(
          (session) => recorded.sessionBytes(session) + (open?.name.session === session ? openBytes : 0),
        );
        this.latest = await this.first.provide(needs, async () => this.held(this.first, needs));
        if (open) await this.holdOpen(open.path);
      }
      const wake = AbortSignal.any([signal, this.bell.signal]);
      await clock.sleep(open ? OPEN_LOOK_MS : LOOK_MS, wake).catch(() => {});
    }
  }

  /** The recorder trims a segment when it closes it; blocks that were taken a moment later are given back here. */
  private async letGo(): Promise<void> {
    const path = this.allocated;
    this.allocated = "";
    const sizeBytes = await fileSize(path);
    if (sizeBytes !== undefined) await trimFile(path, sizeBytes).catch(() => {});
  }

  /** The second medium holds the same room, as far as it has it; its lack refuses no session. */
  private async keepSecond(signal: AbortSignal): Promise<void> {
    const { clock, secondMedium } = this.options;
    let space: MediumSpace | undefined;
    while (!signal.aborted) {
      const { recorded } = this.source;
      if (this.mirror?.recordings === undefined) space = undefined;
      else if (recorded) {
        const second = (space ??= await this.openMedium(secondMedium!));
        const needs = this.needs((session) => recorded.sessionBytes(session));
        await second.provide(needs, () => present(this.held(second, needs), join(secondMedium!, "recordings")));
      }
      await clock.sleep(IDLE_LOOK_MS, signal).catch(() => {});
    }
  }

  private needs(recordedBytes: (session: SessionId) => number): SessionNeed[] {
    const { assignment, clock, bytesPerMinute } = this.options;
    return sessionNeeds(assignment()?.sessions ?? [], clock.wallMs(), bytesPerMinute, recordedBytes);
  }

  /** Segments of sessions that do not run, oldest first, with who has signed for them. */
  private held(medium: MediumSpace, needs: readonly SessionNeed[]): HeldSegment[] {
    const { ledger } = this.options;
    const running = new Set(needs.filter((need) => need.running).map(({ session }) => session));
    const segments = this.source.recorded?.segments() ?? [];
    return segments
      .filter(({ name }) => !running.has(name.session) && !medium.deleter.isDeleted(name))
      .map(({ name, sizeBytes }) => {
        const signed = ledger(name.take);
        const { seq } = name;
        return { name, sizeBytes, hub: isReceipted(signed, seq), province: isReceipted(signed?.province, seq) };
      });
  }

  /** The blocks of the open segment are taken as soon as it is there: from then on no other writer can stop it. */
  private async holdOpen(path: string): Promise<void> {
    if (path === this.allocated || (await fileSize(path)) === undefined) return;
    try {
      await allocate(path, Math.ceil(this.options.bytesPerMinute * SEGMENT_MINUTES), "keepSize");
      this.allocated = path;
    } catch (error) {
      this.options.log.warn("space.segmentNotHeld", { cause: causeOf(error) });
    }
  }
}

/** Those of which both stores have signed and this medium has a copy: the others are no use to an eviction. */
async function present(held: readonly HeldSegment[], recordings: string): Promise<HeldSegment[]> {
  const found: HeldSegment[] = [];
  for (const segment of held)
    if (segment.hub && segment.province && (await fileSize(join(recordings, segmentPath(segment.name)))) !== undefined)
      found.push(segment);
  return found;
}
