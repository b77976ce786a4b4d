import { join } from "node:path";
import type { KeyObject } from "node:crypto";
import { fileSize, hashRegularFile, listDirectory, runForever, type Clock, type Log } from "../../platform/platform.ts";
import {
  segmentFileName,
  segmentPath,
  type AssignedSession,
  type BoxId,
  type BoxSpace,
  type HubAssignment,
  type SegmentName,
  type SessionId,
  type TakeId,
} from "../../protocol/protocol.ts";
import { isReceipted, signedSegments, type TakeLedger } from "../ledger.ts";
import type { KeptReceipt } from "../receipts.ts";
import type { Fallback, RecordedTake } from "../recording/recording.ts";
import { Deleter } from "./deleter.ts";
import { MediumSpace } from "./medium-space.ts";
import { Mirror } from "./mirror.ts";
import { sessionNeeds, type SessionNeed } from "./need.ts";
import { OpenSegments } from "./open-segments.ts";
import type { HeldSegment } from "./plan.ts";
import { ReceiptBook } from "./receipt-book.ts";
import { makeTakeFolder } from "./second-medium.ts";

export { bytesPerMinute } from "./need.ts";

/** What this module needs of the recorder. */
export interface Recorded {
  takes(): RecordedTake[];
  segments(of?: (take: RecordedTake) => boolean): { name: SegmentName; sizeBytes: number; path: string }[];
  sha256(take: TakeId, seq: number): Promise<string | undefined>;
  retire(done: ReadonlySet<TakeId>): Promise<number>;
  past(): Promise<Set<TakeId>>;
  sessionBytes(session: SessionId): number;
  openSegment(): { name: SegmentName; path: string } | null;
}

export interface SpaceOptions {
  log: Log;
  clock: Clock;
  dataDirectory: string;
  /** Where a second medium is mounted while it is plugged in. */
  secondMedium: string | undefined;
  /** Of the room's record, at most. */
  bytesPerMinute: number;
  /** Of the screen's, in sessions that another system carries. */
  screenBytesPerMinute: number;
  assignment: () => HubAssignment | null;
  ledger: (take: TakeId) => TakeLedger | undefined;
  ledgerTakes: () => TakeId[];
  forgetTakes: (takes: readonly TakeId[]) => Promise<void>;
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
  /** The second medium as the recorder's way out; undefined where none is configured. */
  fallback(): Fallback | undefined;
  /** Receipts that have been judged; resolves when they are on disk. */
  keepReceipts(receipts: readonly KeptReceipt[]): Promise<void>;
  run(recorded: Recorded, signal: AbortSignal): Promise<void>;
}

const LOOK_MS = 1_000;
const IDLE_LOOK_MS = 5_000;
const TIDY_MS = 60_000;
/** How soon a take's first segment has its blocks on a disk that is nearly full. */
const OPEN_LOOK_MS = 200;
/** There the same of each later one, and how soon what others took is free again where the encoder is to open a file. */
const END_LOOK_MS = 50;
/** Kept free in front of an encoder whose open segment has its blocks, on a disk that others have filled. */
const AHEAD_MINUTES = 1 / 60;
/** The same where it is to open its next file: that is held only when this agent has had its turn. */
const AHEAD_AT_END_MINUTES = 4 / 60;
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
  private readonly open: OpenSegments;
  /** In the ledger, and neither here nor past: on a medium that is not plugged in. */
  private readonly absent = new Set<TakeId>();
  private due = true;
  private bell = Promise.withResolvers<void>();

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
    this.open = new OpenSegments(options.log, this.minutes(SEGMENT_MINUTES));
    const { secondMedium, ledger } = options;
    this.mirror =
      secondMedium === undefined
        ? undefined
        : new Mirror({
            ...options,
            directory: secondMedium,
            segments: (of) => source.recorded?.segments(of) ?? [],
            isTakeAtHub: ({ take, closed }) => signedSegments(ledger(take)) >= closed,
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
    const recorded = await this.source.recorded?.sha256(name.take, name.seq);
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
    this.bell.resolve();
  }

  fallback(): Fallback | undefined {
    const { mirror } = this;
    if (!mirror) return undefined;
    return {
      recordings: async () => (await mirror.present())?.recordings,
      folder: async (session, take) => {
        const medium = await mirror.present();
        return medium && makeTakeFolder(medium, session, take);
      },
      handOver: (open) => mirror.handOver(open),
    };
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
    let tidiedMs = -Infinity;
    while (!signal.aborted) {
      const open = recorded.openSegment();
      const nowMs = clock.monotonicMs();
      const { lacking, isNew, isEnding } = await this.open.look(open, nowMs);
      // A disk that somebody fills again and again gets little more than the encoder's next step takes.
      const ahead = {
        bytes: open ? this.minutes(isEnding ? AHEAD_AT_END_MINUTES : AHEAD_MINUTES) : Infinity,
        ownBytes: isNew ? this.minutes(SEGMENT_MINUTES) : 0,
      };
      const { isTight } = this.first;
      const isShort = isTight && isEnding && (await this.first.freeBytes()) < ahead.bytes;
      if (this.due || isShort || lacking.length > 0 || nowMs - lookedMs >= (open ? LOOK_MS : IDLE_LOOK_MS)) {
        this.due = false;
        lookedMs = nowMs;
        const openBytes = open ? ((await fileSize(open.path)) ?? 0) : 0;
        const needs = this.needs(
          (session) => recorded.sessionBytes(session) + (open?.name.session === session ? openBytes : 0),
        );
        this.latest = await this.first.provide(needs, async () => this.held(this.first, needs), ahead);
        for (const path of lacking) await this.open.hold(path, nowMs);
        if (!open && nowMs - tidiedMs >= TIDY_MS) {
          tidiedMs = nowMs;
          await this.tidy(recorded);
        }
      }
      const slept = clock
        .sleep(open && isTight ? (isEnding ? END_LOOK_MS : OPEN_LOOK_MS) : LOOK_MS, signal)
        .catch(() => {});
      await Promise.race([slept, this.bell.promise]);
      this.bell = Promise.withResolvers<void>();
    }
  }

  private minutes(minutes: number): number {
    return Math.ceil(this.options.bytesPerMinute * minutes);
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
    const { assignment, clock, bytesPerMinute, screenBytesPerMinute } = this.options;
    const perMinute = ({ companion }: AssignedSession) => bytesPerMinute + (companion ? screenBytesPerMinute : 0);
    return sessionNeeds(assignment()?.sessions ?? [], clock.wallMs(), perMinute, recordedBytes);
  }

  /**
   * Takes of which nothing is left to do leave the working set, and then the ledger: a row whose take is in the past
   * already was left behind by a crash between the two.
   */
  private async tidy(recorded: Recorded): Promise<void> {
    const { ledgerTakes, forgetTakes } = this.options;
    const done = new Set<TakeId>();
    for (const take of recorded.takes()) if (await this.isDone(recorded, take)) done.add(take.take);
    if (done.size > 0) await recorded.retire(done);
    const working = new Set(recorded.takes().map(({ take }) => take));
    this.first.deleter.forgetAllBut(working);
    const gone = ledgerTakes().filter((take) => !working.has(take) && !this.absent.has(take));
    if (gone.length === 0) return;
    const past = await recorded.past();
    for (const take of gone) if (!past.has(take)) this.absent.add(take);
    await forgetTakes(gone.filter((take) => past.has(take)));
  }

  /** Its records are at the hub, and its media, which two stores have signed for, are on none of the box's media. */
  private async isDone(recorded: Recorded, take: RecordedTake): Promise<boolean> {
    const { assignment, ledger } = this.options;
    if (!take.ended || (ledger(take.take)?.records ?? 0) < take.records) return false;
    // Whoever may still go on with a session, or state its end, looks at its takes.
    if (assignment()?.sessions.some(({ id }) => id === take.session)) return false;
    const first = { session: take.session, take: take.take, seq: 0 };
    if (take.closed > 0 && take.damaged === 0 && !this.isDeleted(first)) return false;
    const segments = recorded.segments((other) => other.take === take.take);
    if (!segments.every(({ name }) => this.isDeleted(name))) return false;
    if (!this.mirror) return true;
    const second = this.mirror.recordings;
    if (second === undefined) return false;
    const there = new Set((await listDirectory(join(second, take.session, take.take))).map(({ name }) => name));
    return !segments.some(({ name }) => there.has(segmentFileName(name.seq)));
  }

  /** Segments of sessions that do not run, oldest first, of takes that both stores have signed for at all. */
  private *held(medium: MediumSpace, needs: readonly SessionNeed[]): Generator<HeldSegment> {
    const { ledger } = this.options;
    const running = new Set(needs.filter((need) => need.running).map(({ session }) => session));
    for (const { session, take } of this.source.recorded?.takes() ?? []) {
      const signed = ledger(take);
      if (running.has(session) || !signed || signedSegments(signed.province) === 0) continue;
      for (const { name, sizeBytes } of this.source.recorded?.segments((other) => other.take === take) ?? []) {
        if (medium.deleter.isDeleted(name)) continue;
        const { seq } = name;
        yield { name, sizeBytes, hub: isReceipted(signed, seq), province: isReceipted(signed.province, seq) };
      }
    }
  }
}

/** Those of which both stores have signed and this medium has a copy: the others are no use to an eviction. */
async function present(held: Iterable<HeldSegment>, recordings: string): Promise<HeldSegment[]> {
  const found: HeldSegment[] = [];
  let folder = "";
  let there = new Set<string>();
  for (const segment of held) {
    const { session, take, seq } = segment.name;
    if (folder !== join(recordings, session, take)) {
      folder = join(recordings, session, take);
      there = new Set((await listDirectory(folder)).map(({ name }) => name));
    }
    if (segment.hub && segment.province && there.has(segmentFileName(seq))) found.push(segment);
  }
  return found;
}
