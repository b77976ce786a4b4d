import type { RoomRecordingView } from "../../src/hub/http/views.ts";
import type { EvidenceRecord, GapCause, TakeId } from "../../src/protocol/protocol.ts";

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
  /** That the recorded time should have and its segments do not: too few at once to be stated. */
  missingFrames: number;
  /** recorded + gaps - session: 0 where every moment is either recorded or stated as missing. */
  differenceMs: number;
  /** Length of all gaps by their cause. */
  causes: Record<string, number>;
  unexplained: Unexplained[];
}

type Stated = Extract<EvidenceRecord, { kind: "segment" | "gap" }>;
interface Place {
  fromMs: number;
  toMs: number;
}

/** Where a record's own words put what it states. */
function placeStated(record: Stated): Place {
  if (record.kind === "gap") return { fromMs: Date.parse(record.from), toMs: Date.parse(record.to) };
  const fromMs = Date.parse(record.startedAt.utc);
  return { fromMs, toMs: fromMs + record.streamEndMs - record.streamStartMs };
}

/** Where the archive's own view of a room places what records state: the box's clock may have been wrong. */
export function placesOf(view: Pick<RoomRecordingView, "segments" | "gaps">): (record: Stated) => Place | undefined {
  const places = new Map<string, Place>();
  const keyOf = (take: TakeId, ...rest: (string | number)[]) => [take, ...rest].join(" ");
  for (const { take, seq, startedAt, durationMs } of view.segments)
    places.set(keyOf(take, seq), { fromMs: Date.parse(startedAt), toMs: Date.parse(startedAt) + durationMs });
  for (const { take, cause, detail, from, to } of view.gaps)
    places.set(keyOf(take, cause, detail), { fromMs: Date.parse(from), toMs: Date.parse(to) });
  return (record) =>
    places.get(
      record.kind === "segment" ? keyOf(record.take, record.seq) : keyOf(record.take, record.cause, record.detail),
    );
}

interface Span extends Place {
  what: string;
}

/** Two measurements of the hub's time agree no better; the difference of a whole session must stay below this too. */
const NOISE_MS = 100;

/** What is left of a place without those that lie in it. */
const without = (place: Place, holes: readonly Place[]): Place[] =>
  holes.reduce(
    (pieces, hole) =>
      pieces.flatMap(({ fromMs, toMs }) =>
        [
          { fromMs, toMs: Math.min(toMs, hole.fromMs) },
          { fromMs: Math.max(fromMs, hole.toMs), toMs },
        ].filter((piece) => piece.toMs > piece.fromMs),
      ),
    [place],
  );

/**
 * Lays every segment and every gap of a room side by side over the session. Segments that a signed gap calls damaged
 * do not count as recorded, nor does what a gap calls left out within a segment. What lies outside of the session counts
 * for nothing.
 * @param options.isUsable false for a segment of which no copy has its hash
 * @param options.placeOf where something lies; undefined: where the record says
 */
export function accountFor(
  records: readonly EvidenceRecord[],
  session: { startedAt: string; endedAt: string },
  {
    isUsable = () => true,
    placeOf = () => undefined,
  }: { isUsable?: (take: TakeId, seq: number) => boolean; placeOf?: (record: Stated) => Place | undefined } = {},
): Account {
  const [startMs, endMs] = [Date.parse(session.startedAt), Date.parse(session.endedAt)];
  const spans: Span[] = [];
  const account: Account = {
    ...{ sessionMs: endMs - startMs, recordedMs: 0, gapMs: 0, differenceMs: 0 },
    ...{ causes: {}, missingFrames: 0, unexplained: [] },
  };
  const place = (record: Stated): Place => placeOf(record) ?? placeStated(record);
  const placesOfGaps = (cause: GapCause) =>
    records.flatMap((record) => (record.kind === "gap" && record.cause === cause ? [place(record)] : []));
  const leftOut = placesOfGaps("framesMissing");
  const damaged = placesOfGaps("segmentDamaged");
  const frameRates = new Map(
    records.flatMap((record) =>
      record.kind === "takeStart" && record.video ? [[record.take, record.video.frameRate] as const] : [],
    ),
  );
  const add = ({ fromMs, toMs }: Place, what: string): number => {
    const [from, to] = [Math.max(startMs, fromMs), Math.min(endMs, toMs)];
    if (to <= from) return 0;
    spans.push({ fromMs: from, toMs: to, what });
    return to - from;
  };
  for (const record of records) {
    if (record.kind === "segment") {
      if (!isUsable(record.take, record.seq)) continue;
      const pieces = without(place(record), leftOut);
      for (const piece of pieces) account.recordedMs += add(piece, `segment ${record.take}/${record.seq}`);
      const seconds = pieces.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0) / 1_000;
      const expected = Math.round(seconds * (frameRates.get(record.take) ?? 0));
      account.missingFrames += Math.max(0, expected - record.frames);
    } else if (record.kind === "gap") {
      const what = `gap ${record.cause} in ${record.take}`;
      const pieces = record.cause === "framesMissing" ? without(place(record), damaged) : [place(record)];
      const ms = pieces.reduce((sum, piece) => sum + add(piece, what), 0);
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
