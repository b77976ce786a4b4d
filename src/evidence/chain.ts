import type { KeyObject } from "node:crypto";
import { EvidenceRecord, type SignedRecord } from "../protocol/protocol.ts";
import { sha256Hex } from "../platform/platform.ts";
import { signatureHolds } from "./signature.ts";

/** The `prev` of whatever record follows this one. */
export const chainHash = (record: string): string => sha256Hex(record);

/** What the end of a chain must know in order to take the next record. */
export interface ChainTip {
  take: string;
  nextN: number;
  /** Hash that the next record of this take must name, or undefined at a take's start, where any may come. */
  prev: string | undefined;
  nextSeq: number;
  ended: boolean;
}

export const emptyChain = (take: string): ChainTip => ({ take, nextN: 0, prev: undefined, nextSeq: 0, ended: false });

export type ChainVerdict =
  | { ok: true; record: EvidenceRecord; tip: ChainTip }
  | {
      ok: false;
      reason: "signature" | "malformed" | "wrongTake" | "notNext" | "brokenChain" | "afterEnd" | "wrongSeq";
      detail: string;
    };

/**
 * Checks one signed record against the end of its take's chain. Pure: the caller stores the record and the new tip.
 * The signature is checked over the bytes first, so that nothing unsigned is even parsed.
 */
export function checkNextRecord(tip: ChainTip, signed: SignedRecord, key: string | KeyObject): ChainVerdict {
  const refuse = (reason: (ChainVerdict & { ok: false })["reason"], detail: string): ChainVerdict => ({
    ok: false,
    reason,
    detail,
  });
  if (!signatureHolds(signed, key)) return refuse("signature", "signature does not match the box's key");
  let json: unknown;
  try {
    json = JSON.parse(signed.record);
  } catch {
    return refuse("malformed", "not JSON");
  }
  const parsed = EvidenceRecord.safeParse(json);
  if (!parsed.success) return refuse("malformed", parsed.error.issues[0]?.message ?? "unknown shape");
  const record = parsed.data;
  if (record.take !== tip.take) return refuse("wrongTake", `belongs to ${record.take}`);
  if (tip.ended) return refuse("afterEnd", "the take has ended");
  if (record.n !== tip.nextN) return refuse("notNext", `n is ${record.n}, expected ${tip.nextN}`);
  if ((record.n === 0) !== (record.kind === "takeStart"))
    return refuse("malformed", "a take starts with takeStart, once");
  if (tip.prev !== undefined && record.prev !== tip.prev)
    return refuse("brokenChain", `prev is ${record.prev}, expected ${tip.prev}`);
  if (record.kind === "segment" && record.seq !== tip.nextSeq)
    return refuse("wrongSeq", `seq is ${record.seq}, expected ${tip.nextSeq}`);
  if (record.kind === "takeEnd" && record.segments !== tip.nextSeq)
    return refuse("wrongSeq", `the take names ${record.segments} segments, ${tip.nextSeq} were recorded`);
  return {
    ok: true,
    record,
    tip: {
      take: tip.take,
      nextN: record.n + 1,
      prev: chainHash(signed.record),
      nextSeq: tip.nextSeq + (record.kind === "segment" ? 1 : 0),
      ended: record.kind === "takeEnd",
    },
  };
}
