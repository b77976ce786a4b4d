import { join } from "node:path";
import { causeOf, fileSize, runForever, type Clock, type Log } from "../../platform/platform.ts";
import {
  RECORDS_FILE,
  segmentFileName,
  segmentPath,
  type BoxId,
  type BoxSpace,
  type SegmentName,
  type SessionId,
  type TakeId,
} from "../../protocol/protocol.ts";
import type { RecordedTake } from "../recording/recording.ts";
import { copyTail, lookForMedium, makeTakeFolder, type MediumLook, type SecondMedium } from "./second-medium.ts";

export interface MirrorOptions {
  log: Log;
  clock: Clock;
  directory: string;
  dataDirectory: string;
  /** Null: unpaired, and then nothing is recorded. */
  box: () => BoxId | null;
  segments: (of: (take: RecordedTake) => boolean) => { name: SegmentName; sizeBytes: number; path: string }[];
  openSegment: () => { name: SegmentName; path: string } | null;
  /** The session whose recording is on the second medium as a whole. */
  running: () => SessionId | null;
  /** All its segments are at the hub. */
  isTakeAtHub: (take: RecordedTake) => boolean;
  /** At the hub: its second copy is there. */
  isAtHub: (name: SegmentName) => boolean;
  isDeleted: (name: SegmentName) => boolean;
}

export type MediumState = NonNullable<BoxSpace["secondMedium"]>["state"];

const TICK_MS = 1_000;
const LIST_MS = 10_000;
/** What is older is copied beside the running seconds, never in front of them. */
const OLDER_BYTES_PER_TICK = 16e6;
/** What a take's folder has besides segments. */
const SMALL_FILES = [
  { file: "take.json", unit: "bytes" },
  { file: RECORDS_FILE, unit: "lines" },
] as const;

/**
 * Keeps a copy of the recording on a second medium: each second what the encoder has written since, on disk there
 * within the same second; closed segments that the hub does not hold yet; and the take's records.
 *
 * INVARIANTS
 * - The first medium is only read. One operation at a time is under way on the second, so a medium that hangs holds one
 *   thread, and neither the encoder nor the recorder waits for it.
 * - The identity is read before each round; each file that is opened is checked to lie on that file system.
 * - A copy only grows. Nothing is removed here.
 * - A take that was handed over, or is recorded to the second medium in the first place, is not written to here.
 */
export class Mirror {
  private readonly options: MirrorOptions;
  private medium: SecondMedium | undefined;
  private shown: MediumState = "absent";
  /** Copied to the end, of those that are still to be here. */
  private whole = new Set<string>();
  private due: { name: SegmentName; sizeBytes: number }[] = [];
  private listedMs = -Infinity;
  private listedTake = "";
  private readonly handedOver = new Set<TakeId>();
  /** What is under way on the second medium; never rejects. */
  private busy: Promise<unknown> = Promise.resolve();

  constructor(options: MirrorOptions) {
    this.options = options;
  }

  state(): MediumState {
    return this.shown;
  }

  /** Closed and not yet on the second medium. */
  get behindSegments(): number {
    return this.due.length;
  }

  /** Where its recordings are, while it is there. */
  get recordings(): string | undefined {
    return this.shown === "absent" || this.shown === "foreign" ? undefined : this.medium?.recordings;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options;
    await runForever({ name: "secondMedium", clock, log, baseMs: TICK_MS, capMs: 10_000 }, signal, async (signal) => {
      while (!signal.aborted) {
        try {
          await this.alone(() => this.tick());
        } catch (error) {
          this.become((error as NodeJS.ErrnoException).code === "ENOSPC" ? "full" : "failed", causeOf(error));
        }
        await clock.sleep(TICK_MS, signal).catch(() => {});
      }
    });
  }

  /** The medium, if it shows its identity now. */
  async present(): Promise<SecondMedium | undefined> {
    const look = await this.look();
    return look.kind === "present" ? look.medium : undefined;
  }

  /** Copies what can still be read of a take that is the caller's from now on. @returns its folder here */
  handOver(open: SegmentName): Promise<string | undefined> {
    return this.alone(async () => {
      const medium = await this.present();
      if (!medium) return undefined;
      this.handedOver.add(open.take);
      await this.follow(medium, open).catch((error: unknown) =>
        this.options.log.warn("secondMedium.originalUnreadable", { take: open.take, cause: causeOf(error) }),
      );
      return join(medium.recordings, open.session, open.take);
    });
  }

  private alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.busy.then(work);
    this.busy = done.catch(() => {});
    return done;
  }

  private async look(): Promise<MediumLook> {
    const { directory, dataDirectory } = this.options;
    const box = this.options.box();
    return box ? lookForMedium(directory, dataDirectory, box) : { kind: "absent" };
  }

  /** Recorded to the first medium, and not handed over. */
  private isMine(take: TakeId, path: string): boolean {
    return !this.handedOver.has(take) && path.startsWith(`${this.options.dataDirectory}/`);
  }

  private async tick(): Promise<void> {
    const { clock } = this.options;
    const look = await this.look();
    if (look.kind !== "present") return this.become(look.kind);
    const { medium } = look;
    if (medium.uuid !== this.medium?.uuid || medium.device !== this.medium.device) this.forget();
    this.medium = medium;
    const open = this.options.openSegment();
    if (open && this.isMine(open.name.take, open.path)) await this.follow(medium, open.name);
    const take = open?.name.take ?? "";
    if (take !== this.listedTake || clock.monotonicMs() - this.listedMs > LIST_MS) {
      this.listedTake = take;
      this.listedMs = clock.monotonicMs();
      this.due = this.wanted();
    }
    await this.copyOlder(medium);
    this.become("ok");
  }

  /** The running take: its closed segments in order, then what is open, then the records that speak of them. */
  private async follow(medium: SecondMedium, name: SegmentName): Promise<void> {
    for (let seq = name.seq; seq >= 0 && !this.whole.has(segmentPath({ ...name, seq })); seq--) {
      await this.copy(medium, { ...name, seq });
      if (seq < name.seq) this.whole.add(segmentPath({ ...name, seq }));
    }
    await this.copySmall(medium, name);
  }

  private async copyOlder(medium: SecondMedium): Promise<void> {
    let bytes = 0;
    while (this.due.length > 0 && bytes < OLDER_BYTES_PER_TICK) {
      const { name, sizeBytes } = this.due[0]!;
      if (!this.options.isDeleted(name) && !this.handedOver.has(name.take)) {
        bytes += await this.copy(medium, name);
        if ((await fileSize(join(medium.recordings, segmentPath(name)))) === sizeBytes)
          this.whole.add(segmentPath(name));
        await this.copySmall(medium, name);
      }
      this.due.shift();
    }
  }

  private async copy(medium: SecondMedium, name: SegmentName): Promise<number> {
    const folder = await makeTakeFolder(medium, name.session, name.take);
    const from = join(this.options.dataDirectory, "recordings", segmentPath(name));
    return (await copyTail(from, join(folder, segmentFileName(name.seq)), medium.device)) ?? 0;
  }

  private async copySmall(medium: SecondMedium, { session, take }: SegmentName): Promise<void> {
    const folder = await makeTakeFolder(medium, session, take);
    const from = join(this.options.dataDirectory, "recordings", session, take);
    for (const { file, unit } of SMALL_FILES) await copyTail(join(from, file), join(folder, file), medium.device, unit);
  }

  private wanted(): { name: SegmentName; sizeBytes: number }[] {
    const { segments, running, isAtHub, isTakeAtHub, isDeleted } = this.options;
    const session = running();
    const candidates = segments((take) => take.session === session || !isTakeAtHub(take)).filter(
      ({ name, path }) => this.isMine(name.take, path) && (name.session === session || !isAtHub(name)),
    );
    const whole = candidates.filter(({ name }) => this.whole.has(segmentPath(name)));
    this.whole = new Set(whole.map(({ name }) => segmentPath(name)));
    return candidates.filter(({ name }) => !this.whole.has(segmentPath(name)) && !isDeleted(name));
  }

  private forget(): void {
    this.whole.clear();
    this.due = [];
    this.listedMs = -Infinity;
  }

  private become(state: MediumState, cause?: string): void {
    if (state === this.shown) return;
    this.shown = state;
    if (state === "absent" || state === "foreign") this.forget();
    const { log, directory } = this.options;
    if (state === "ok") log.info("secondMedium.present", { directory, uuid: this.medium?.uuid });
    else log.warn("secondMedium.lost", { directory, state, cause });
  }
}
