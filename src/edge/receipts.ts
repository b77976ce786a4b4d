import type { KeyObject } from "node:crypto";
import { signatureHolds } from "../evidence/evidence.ts";
import { Receipt, type SignedRecord, type TakeId } from "../protocol/protocol.ts";
import { isReceipted, type TakeLedger } from "./ledger.ts";

/** A judged receipt with the bytes that were signed. */
export interface KeptReceipt {
  signed: SignedRecord;
  receipt: Receipt;
}

export type ReceiptVerdict =
  | { ok: true; receipt: Receipt }
  | { ok: false; reason: "signature" | "malformed" | "otherBytes" | "unknownSegment"; detail: string };

/**
 * Whether the hub's word holds: signed by the hub's own key over these exact bytes, and about the very bytes that this
 * box recorded. Everything that may one day delete a recording rests on this.
 *
 * @param sha256Of what the box itself has signed about the segment
 */
export async function judgeReceipt(
  signed: SignedRecord,
  hubKey: KeyObject,
  sha256Of: (take: TakeId, seq: number) => Promise<string | undefined>,
): Promise<ReceiptVerdict> {
  if (!signatureHolds(signed, hubKey))
    return { ok: false, reason: "signature", detail: "signature does not match the hub's key" };
  let json: unknown;
  try {
    json = JSON.parse(signed.record);
  } catch {
    return { ok: false, reason: "malformed", detail: "not JSON" };
  }
  const parsed = Receipt.safeParse(json);
  if (!parsed.success) return { ok: false, reason: "malformed", detail: parsed.error.issues[0]?.message ?? "" };
  const receipt = parsed.data;
  const recorded = await sha256Of(receipt.take, receipt.seq);
  const about = `${receipt.take} ${receipt.seq}`;
  if (recorded === undefined) return { ok: false, reason: "unknownSegment", detail: about };
  if (recorded !== receipt.sha256) return { ok: false, reason: "otherBytes", detail: about };
  return { ok: true, receipt };
}

/**
 * Receipts that the box has not kept yet. The hub's word is kept once more beside the province's when both come
 * together: a box that was brought up to date from before the book has it in the ledger only.
 */
export function newReceipts(
  receipts: readonly KeptReceipt[],
  ledger: (take: TakeId) => TakeLedger | undefined,
): KeptReceipt[] {
  const atProvince = ({ take, seq }: Receipt) => isReceipted(ledger(take)?.province, seq);
  const pairs = new Set(
    receipts
      .filter(({ receipt }) => receipt.store === "province")
      .map(({ receipt }) => `${receipt.take} ${receipt.seq}`),
  );
  return receipts.filter(({ receipt }) => {
    if (receipt.store === "province") return !atProvince(receipt);
    const isNew = !isReceipted(ledger(receipt.take), receipt.seq);
    return isNew || (pairs.has(`${receipt.take} ${receipt.seq}`) && !atProvince(receipt));
  });
}
