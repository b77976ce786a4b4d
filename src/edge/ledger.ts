import { z } from "zod";

/** Segments of one take that one store has signed for: all below `upTo`, and those in `also` (ascending). */
const Signed = z.object({
  upTo: z.number().int().nonnegative(),
  also: z.array(z.number().int().nonnegative()),
});
type Signed = z.infer<typeof Signed>;

/** What the stores have signed for, the hub at the top level. */
export const TakeLedger = Signed.extend({
  /** Records that the hub said it holds. */
  records: z.number().int().nonnegative(),
  province: Signed.optional(),
});
export type TakeLedger = z.infer<typeof TakeLedger>;

export const emptyLedger = (): TakeLedger => ({ records: 0, upTo: 0, also: [] });

export const isReceipted = (ledger: Signed | undefined, seq: number): boolean =>
  ledger !== undefined && (seq < ledger.upTo || ledger.also.includes(seq));

export function addReceipt<S extends Signed>(ledger: S, seq: number): S {
  if (isReceipted(ledger, seq)) return ledger;
  const also = [...ledger.also, seq].sort((a, b) => a - b);
  let { upTo } = ledger;
  while (also[0] === upTo) {
    also.shift();
    upTo++;
  }
  return { ...ledger, upTo, also };
}

export const addProvinceReceipt = (ledger: TakeLedger, seq: number): TakeLedger => ({
  ...ledger,
  province: addReceipt(ledger.province ?? { upTo: 0, also: [] }, seq),
});

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

/** How many segments of a take a store has signed for. */
export const signedSegments = (signed: Signed | undefined): number =>
  signed === undefined ? 0 : signed.upTo + signed.also.length;

/** Nothing of the take is left to say or to send. */
export const isSettled = (
  ledger: TakeLedger | undefined,
  take: { ended: boolean; records: number },
  closedSegments: number,
): boolean => take.ended && (ledger?.records ?? 0) >= take.records && signedSegments(ledger) >= closedSegments;
