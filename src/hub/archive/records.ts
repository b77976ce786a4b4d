import type { KeyObject } from "node:crypto";
import {
  type BoxId,
  type BoxRecords,
  type ClockReading,
  type EvidenceRecord,
  type PointId,
  type SessionId,
  type SignedRecord,
  type TakeId,
} from "../../protocol/protocol.ts";
import type { ClockAnchorTable } from "../database/database.ts";
import { checkNextRecord, signatureHolds, type ChainTip, type ChainVerdict } from "../../evidence/evidence.ts";

export interface RecordFacts {
  box: BoxId;
  key: KeyObject;
  /** The point that the box was paired for. */
  point: PointId;
  /** Whether that point is one of the session's. */
  pointInSession: boolean;
  /** Whom the take belongs to if the hub knows it already. */
  take: { box: BoxId; session: SessionId } | undefined;
  tip: ChainTip;
  /** Bytes of records that are held, by n; at least those which the message repeats. */
  held: ReadonlyMap<number, string>;
}

export type RefusalReason =
  | (ChainVerdict & { ok: false })["reason"]
  | "wrongBox"
  | "wrongPoint"
  | "wrongSession"
  | "pointNotInSession"
  | "rewritten";

export interface RecordsPlan {
  /** To be countersigned and stored together with the new tip. */
  accepted: { signed: SignedRecord; record: EvidenceRecord }[];
  tip: ChainTip;
  /** Why the item with this n, and everything after it, is not taken. */
  refusal: { reason: RefusalReason; n: number; detail: string } | undefined;
}

/**
 * What to take of a message: the longest run of records that continue the chain. Repeated records are passed over,
 * records from further on are left for later, and the first lie ends it.
 */
export function planRecords(message: BoxRecords, facts: RecordFacts): RecordsPlan {
  const plan: RecordsPlan = { accepted: [], tip: facts.tip, refusal: undefined };
  const refuse = (reason: RefusalReason, n: number, detail: string): RecordsPlan => ({
    ...plan,
    refusal: { reason, n, detail },
  });
  const { take } = facts;
  if (take && take.box !== facts.box) return refuse("wrongBox", message.firstN, `the take belongs to ${take.box}`);
  if (take && take.session !== message.session)
    return refuse("wrongSession", message.firstN, `the take belongs to ${take.session}`);
  if (!facts.pointInSession)
    return refuse("pointNotInSession", message.firstN, `${facts.point} is not part of ${message.session}`);
  for (const [index, signed] of message.items.entries()) {
    const n = message.firstN + index;
    if (n < facts.tip.nextN) {
      const held = facts.held.get(n);
      if (held === signed.record) continue;
      if (held === undefined) return refuse("notNext", n, "there is no such record");
      return signatureHolds(signed, facts.key)
        ? refuse("rewritten", n, "the box has signed other bytes for a record that the hub holds")
        : refuse("signature", n, "signature does not match the box's key");
    }
    if (n > plan.tip.nextN) break;
    const verdict = checkNextRecord(plan.tip, signed, facts.key);
    if (!verdict.ok) return refuse(verdict.reason, n, verdict.detail);
    const { record } = verdict;
    if (record.box !== facts.box) return refuse("wrongBox", n, `made out to ${record.box}`);
    if (record.point !== facts.point) return refuse("wrongPoint", n, `made out to ${record.point}`);
    if (record.session !== message.session) return refuse("wrongSession", n, `made out to ${record.session}`);
    plan.accepted.push({ signed, record });
    plan.tip = verdict.tip;
  }
  return plan;
}

/** What a run of records adds to its take's running totals. */
export function totalsOf(records: readonly EvidenceRecord[]): { sizeBytes: number; gaps: number; durationMs: number } {
  const totals = { sizeBytes: 0, gaps: 0, durationMs: 0 };
  for (const record of records) {
    if (record.kind === "gap") totals.gaps++;
    if (record.kind !== "segment") continue;
    totals.sizeBytes += record.sizeBytes;
    totals.durationMs += Math.max(0, record.streamEndMs - record.streamStartMs);
  }
  return totals;
}

/** All clocks of the box at a take's first frame; of one without an encoder, which only states a gap, at its start. */
export function clocksAtStart(records: readonly EvidenceRecord[]): ClockReading | undefined {
  for (const record of records) {
    if (record.kind === "takeStart" && record.video === null && record.audio === null) return record.at;
    if (record.kind === "segment" && record.seq === 0) return record.startedAt;
  }
  return undefined;
}

const ANCHOR_EVERY_MS = 10 * 60_000;

/** What these records tell of the box's clocks in the hub's time: the most exact of each ten minutes of a boot. */
export function anchorsOf(boxId: BoxId, records: readonly EvidenceRecord[]): ClockAnchorTable[] {
  const best = new Map<string, ClockAnchorTable>();
  for (const { at } of records) {
    const { bootId, monotonicMs, hubOffsetMs, hubOffsetErrorMs } = at;
    if (hubOffsetMs === null || hubOffsetErrorMs === null) continue;
    const bucket = Math.floor(monotonicMs / ANCHOR_EVERY_MS);
    const anchor = { boxId, bootId, bucket, monotonicMs, utcMs: Date.parse(at.utc), errorMs: hubOffsetErrorMs };
    const known = best.get(`${bootId} ${bucket}`);
    if (!known || known.errorMs > anchor.errorMs) best.set(`${bootId} ${bucket}`, anchor);
  }
  return [...best.values()];
}

/** Names one segment wherever a key is needed. */
export const segmentKey = (take: TakeId, seq: number): string => `${take}/${seq}`;
