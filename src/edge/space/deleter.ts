import { readdir, readFile, unlink } from "node:fs/promises";
import { extname, join } from "node:path";
import type { KeyObject } from "node:crypto";
import { z } from "zod";
import {
  causeOf,
  completeLines,
  fileSize,
  isoUtc,
  openLineFile,
  syncDirectory,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import { segmentFileName, segmentPath, SignedRecord, type SegmentName, type TakeId } from "../../protocol/protocol.ts";
import { judgeReceipt } from "../receipts.ts";
import type { ReceiptBook } from "./receipt-book.ts";

const DELETIONS = "deletions.jsonl";
const SEGMENT_EXTENSION = extname(segmentFileName(0));

/** Why a segment's file is not there any more: the words of the two stores that hold its bytes. */
const Deletion = z.object({
  v: z.literal(1),
  seq: z.number().int().nonnegative(),
  at: z.string(),
  hub: SignedRecord,
  province: SignedRecord,
});
type Deletion = z.infer<typeof Deletion>;

export interface DeleterOptions {
  log: Log;
  clock: Clock;
  /** One medium's recordings. */
  recordings: string;
  book: ReceiptBook;
  /** Of the hub that this box is paired with. */
  receiptKey: () => KeyObject | null;
  /** What the box itself has signed about a segment. */
  sha256Of: (take: TakeId, seq: number) => Promise<string | undefined>;
}

/**
 * The only code that unlinks recordings (a rule test sees to it).
 *
 * INVARIANTS
 * - A segment's file goes only when two receipts for its very bytes, one of the hub and one of the province, have been
 *   read from this disk and judged anew; what any ledger says is not enough.
 * - The mark with both receipts is on disk before the file is unlinked. A mark without its deletion is carried out at
 *   the next start.
 * - Nothing but a segment's media file is ever unlinked: records, intents, receipts and marks stay for ever.
 */
export class Deleter {
  private readonly options: DeleterOptions;
  /** "all": of a take without media its marks are not read. */
  private readonly gone = new Map<TakeId, Set<number> | "all">();

  private constructor(options: DeleterOptions) {
    this.options = options;
  }

  static async open(options: DeleterOptions): Promise<Deleter> {
    const deleter = new Deleter(options);
    await deleter.resume();
    return deleter;
  }

  isDeleted(name: SegmentName): boolean {
    const of = this.gone.get(name.take);
    return of === "all" || (of?.has(name.seq) ?? false);
  }

  /** Takes that nobody asks about any more. */
  forgetAllBut(takes: ReadonlySet<TakeId>): void {
    for (const take of this.gone.keys()) if (!takes.has(take)) this.gone.delete(take);
  }

  /** @returns those that were deleted: what lacks a receipt that holds stays, and is named in the log */
  async delete(names: readonly SegmentName[]): Promise<SegmentName[]> {
    const deleted: SegmentName[] = [];
    for (const [, of] of Map.groupBy(names, ({ take }) => take)) {
      const { session, take } = of[0]!;
      const receipts = await this.options.book.ofTake(session, take);
      const marks: { name: SegmentName; mark: Deletion }[] = [];
      for (const name of of) {
        const mark = await this.judge(name, receipts.get(name.seq)?.map(({ signed }) => signed) ?? []);
        if (mark) marks.push({ name, mark });
        else this.options.log.warn("space.keptUnproven", { segment: segmentPath(name) });
      }
      if (marks.length === 0) continue;
      await using file = await openLineFile(join(this.folder(marks[0]!.name), DELETIONS));
      await file.append(...marks.map(({ mark }) => JSON.stringify(mark)));
      for (const { name } of marks) await this.remove(name);
      await syncDirectory(this.folder(marks[0]!.name));
      deleted.push(...marks.map(({ name }) => name));
    }
    return deleted;
  }

  private async judge(name: SegmentName, signed: readonly SignedRecord[]): Promise<Deletion | undefined> {
    const key = this.options.receiptKey();
    if (!key) return undefined;
    const by = new Map<"hub" | "province", SignedRecord>();
    for (const item of signed) {
      const verdict = await judgeReceipt(item, key, this.options.sha256Of);
      if (!verdict.ok) continue;
      const { take, seq, store } = verdict.receipt;
      if (take === name.take && seq === name.seq) by.set(store, item);
    }
    const hub = by.get("hub");
    const province = by.get("province");
    return hub && province && { v: 1, seq: name.seq, at: isoUtc(this.options.clock.wallMs()), hub, province };
  }

  private async remove(name: SegmentName): Promise<void> {
    const of = this.gone.get(name.take) ?? new Set();
    if (of !== "all") this.gone.set(name.take, of.add(name.seq));
    await unlink(join(this.folder(name), segmentFileName(name.seq))).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    });
  }

  private folder({ session, take }: SegmentName): string {
    return join(this.options.recordings, session, take);
  }

  /** Reads the marks; what a crash left undone is done. */
  private async resume(): Promise<void> {
    const { recordings, log } = this.options;
    for (const session of await readdir(recordings).catch(() => []))
      for (const take of await readdir(join(recordings, session)).catch(() => [])) {
        const folder = join(recordings, session, take);
        if (!(await fileSize(join(folder, DELETIONS)).catch(() => undefined))) continue;
        if (!(await readdir(folder)).some((file) => file.endsWith(SEGMENT_EXTENSION))) {
          this.gone.set(take as TakeId, "all");
          continue;
        }
        const text = await readFile(join(folder, DELETIONS), "utf8").catch(() => "");
        for (const line of completeLines(text))
          try {
            const { seq } = Deletion.parse(JSON.parse(line));
            await this.remove({ session, take, seq } as SegmentName);
          } catch (error) {
            log.error("space.markUnusable", { session, take, cause: causeOf(error) });
          }
      }
  }
}
