import type { SegmentView } from "../../src/hub/http/views.ts";
import type { EvidenceRecord, TakeId } from "../../src/protocol/protocol.ts";

/** Two statements about one moment of a room's session, or none. */
export interface Unexplained {
  kind: "nothingSaid" | "saidTwice";
  fromMs: number;
  toMs: number;
  /** What stands before and after it. */
  evidence: string;
}

/** What a room's signed records say about a session, as seconds of it. */
export interface Account {
  sessionMs: number;
  recordedMs: number;
  gapMs: number;
  /** recorded + gaps - session: 0 where every moment is either recorded or stated as missing. */
  differenceMs: number;
  /** Length of all gaps by their cause. */
  causes: Record<string, number>;
  unexplained: Unexplained[];
}

/** What {@link accountFor} wants to know of places, by the archive's own view of a room. */
export function shiftsOf(records: readonly EvidenceRecord[], shown: readonly SegmentView[]): (take: TakeId) => number {
  const shifts = new Map<TakeId, number>();
  for (const record of records) {
    if (record.kind !== "segment") continue;
    const placed = shown.find(({ take, seq }) => take === record.take && seq === record.seq);
    if (placed) shifts.set(record.take, Date.parse(placed.startedAt) - Date.parse(record.startedAt.utc));
  }
  return (take) => shifts.get(take) ?? 0;
}

interface Span {
  fromMs: number;
  toMs: number;
  what: string;
}

/** Two measurements of the hub's time agree no better; the difference of a whole session must stay below this too. */
const NOISE_MS = 100;

/**
 * Lays every segment and every gap of a room side by side over the session. Segments that a signed gap calls damaged
 * do not count as recorded. What lies outside of the session counts for nothing.
 * @param options.isUsable false for a segment of which no copy has its hash
 * @param options.shiftMs by how much the archive places a take elsewhere than its records say: the box's clock was wrong
 */
export function accountFor(
  records: readonly EvidenceRecord[],
  session: { startedAt: string; endedAt: string },
  {
    isUsable = () => true,
    shiftMs = () => 0,
  }: { isUsable?: (take: TakeId, seq: number) => boolean; shiftMs?: (take: TakeId) => number } = {},
): Account {
  const [startMs, endMs] = [Date.parse(session.startedAt), Date.parse(session.endedAt)];
  const spans: Span[] = [];
  const account: Account = {
    ...{ sessionMs: endMs - startMs, recordedMs: 0, gapMs: 0, differenceMs: 0 },
    ...{ causes: {}, unexplained: [] },
  };
  const add = (fromMs: number, toMs: number, what: string): number => {
    const [from, to] = [Math.max(startMs, fromMs), Math.min(endMs, toMs)];
    if (to <= from) return 0;
    spans.push({ fromMs: from, toMs: to, what });
    return to - from;
  };
  for (const record of records) {
    if (record.kind === "segment") {
      if (!isUsable(record.take, record.seq)) continue;
      const fromMs = Date.parse(record.startedAt.utc) + shiftMs(record.take);
      const toMs = fromMs + record.streamEndMs - record.streamStartMs;
      account.recordedMs += add(fromMs, toMs, `segment ${record.take}/${record.seq}`);
    } else if (record.kind === "gap") {
      // A damaged segment may belong to another take than the one that states it.
      const shift = shiftMs(record.segment?.take ?? record.take);
      const ms = add(
        Date.parse(record.from) + shift,
        Date.parse(record.to) + shift,
        `gap ${record.cause} in ${record.take}`,
      );
      account.gapMs += ms;
      account.causes[record.cause] = (account.causes[record.cause] ?? 0) + ms;
    }
  }
  account.differenceMs = account.recordedMs + account.gapMs - account.sessionMs;
  spans.sort((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs);
  let reached: Span = { fromMs: startMs, toMs: startMs, what: "the session's start" };
  for (const span of [...spans, { fromMs: endMs, toMs: endMs, what: "the session's end" }]) {
    const evidence = `${reached.what} … ${span.what}`;
    if (span.fromMs - reached.toMs > NOISE_MS)
      account.unexplained.push({ kind: "nothingSaid", fromMs: reached.toMs, toMs: span.fromMs, evidence });
    const overlapToMs = Math.min(reached.toMs, span.toMs);
    if (overlapToMs - span.fromMs > NOISE_MS)
      account.unexplained.push({ kind: "saidTwice", fromMs: span.fromMs, toMs: overlapToMs, evidence });
    if (span.toMs > reached.toMs) reached = span;
  }
  return account;
}
