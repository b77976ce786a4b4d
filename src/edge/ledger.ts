import { z } from "zod";

/** Which segments of one take the hub has signed for: all below `upTo`, and those in `also` (ascending). */
export const TakeLedger = z.object({
  /** Records that the hub said it holds. */
  records: z.number().int().nonnegative(),
  upTo: z.number().int().nonnegative(),
  also: z.array(z.number().int().nonnegative()),
});
export type TakeLedger = z.infer<typeof TakeLedger>;

export const emptyLedger = (): TakeLedger => ({ records: 0, upTo: 0, also: [] });

export const isReceipted = (ledger: TakeLedger | undefined, seq: number): boolean =>
  ledger !== undefined && (seq < ledger.upTo || ledger.also.includes(seq));

export function addReceipt(ledger: TakeLedger, seq: number): TakeLedger {
  if (isReceipted(ledger, seq)) return ledger;
  const also = [...ledger.also, seq].sort((a, b) => a - b);
  let { upTo } = ledger;
  while (also[0] === upTo) {
    also.shift();
    upTo++;
  }
  return { ...ledger, upTo, also };
}

/** The hub asks for it again: whatever it signed before, it does not hold it now. */
export function removeReceipt(ledger: TakeLedger, seq: number): TakeLedger {
  if (!isReceipted(ledger, seq)) return ledger;
  const below = Array.from({ length: Math.max(0, ledger.upTo - seq - 1) }, (_, i) => seq + 1 + i);
  return {
    ...ledger,
    upTo: Math.min(ledger.upTo, seq),
    also: [...below, ...ledger.also.filter((s) => s !== seq)],
  };
}

/** Nothing of the take is left to say or to send. */
export const isSettled = (
  ledger: TakeLedger | undefined,
  take: { ended: boolean; records: number },
  closedSegments: number,
): boolean =>
  take.ended &&
  (ledger?.records ?? 0) >= take.records &&
  (closedSegments === 0 || (ledger !== undefined && ledger.upTo >= closedSegments));
