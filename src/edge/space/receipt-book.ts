import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { completeLines, makeDirectory, openLineFile } from "../../platform/platform.ts";
import type { KeptReceipt } from "../receipts.ts";
import { Receipt, SignedRecord, type SessionId, type TakeId } from "../../protocol/protocol.ts";

const RECEIPTS = "receipts.jsonl";

/**
 * The stores' signed words, beside the records of each take: whoever deletes a recording shows these first. Only
 * appended to; a line may stand there twice.
 */
export class ReceiptBook {
  private readonly recordings: string;

  constructor(recordings: string) {
    this.recordings = recordings;
  }

  /** Resolves when they are on disk. */
  async keep(receipts: readonly KeptReceipt[]): Promise<void> {
    for (const [, of] of Map.groupBy(receipts, ({ receipt }) => receipt.take)) {
      const { session, take } = of[0]!.receipt;
      // Of a take that was recorded to the second medium there is no folder here yet.
      await makeDirectory(dirname(this.path(session, take)));
      await using file = await openLineFile(this.path(session, take));
      await file.append(...of.map(({ signed }) => JSON.stringify(signed)));
    }
  }

  /** By segment; what cannot be read is no receipt. */
  async ofTake(session: SessionId, take: TakeId): Promise<Map<number, KeptReceipt[]>> {
    const text = await readFile(this.path(session, take), "utf8").catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
      throw error;
    });
    const kept = completeLines(text).flatMap((line): KeptReceipt[] => {
      try {
        const signed = SignedRecord.parse(JSON.parse(line));
        return [{ signed, receipt: Receipt.parse(JSON.parse(signed.record)) }];
      } catch {
        return [];
      }
    });
    return Map.groupBy(kept, ({ receipt }) => receipt.seq);
  }

  private path(session: SessionId, take: TakeId): string {
    return join(this.recordings, session, take, RECEIPTS);
  }
}
