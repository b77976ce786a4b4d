import { isoUtc } from "../../platform/platform.ts";
import {
  GENESIS,
  type BoxId,
  type ClockReading,
  type PointId,
  type SessionId,
  type TakeId,
  type Track,
} from "../../protocol/protocol.ts";
import type { HubDatabase } from "../database/database.ts";

/** One moment of a box in the hub's time, as one of its records states it. */
export interface ClockAnchor {
  box: BoxId;
  bootId: string;
  monotonicMs: number;
  utcMs: number;
  errorMs: number;
}

export interface RecordedTake {
  take: TakeId;
  box: BoxId;
  /** Of its first record: the last record that the box had made before. Null in takes of older hubs. */
  prevHash: string | null;
  /** Of its last record so far. */
  tipHash: string | null;
  /** First frame by the box's own word, ms since 1970. */
  startedMs: number;
  durationMs: number;
  /** The clocks at the first frame; null while no segment is known. The error is null in takes of older hubs. */
  clock: Pick<ClockReading, "bootId" | "monotonicMs" | "hubOffsetMs" | "hubOffsetErrorMs"> | null;
}

/**
 * Whose word the time of a take is: `hub`: the hub's offset was known when it began; `corrected`: it became known, or
 * known much better, at another time of the same boot; `box`: nobody knows better than the box's wall clock.
 */
export type TimeBasis = "hub" | "corrected" | "box";

export interface PlacedTake {
  take: TakeId;
  /** To be added to every time that the take's records state. */
  shiftMs: number;
  basis: TimeBasis;
}

/** What a PC's crystal may be off by; an anchor far away is worth less than a worse one close by. */
const DRIFT_PER_MS = 100e-6;
/** An offset this exact puts a frame into its place; a better one would only make the times restless. */
const EXACT_MS = 20;

/**
 * Takes in the order in which their boxes made them, and by how much the times in their records are wrong. The media
 * and the records stay as they are; only what is shown is corrected. Pure.
 *
 * The order within a box is that of its chain of records, which no clock can change; boxes (one was replaced by
 * another) follow each other by time. No two takes of a box overlap: what the hub's time does not fix is fitted between
 * its neighbours. Where the chain branches, two boxes had one identity: each branch is placed as if it were alone.
 */
export function placeTakes(takes: readonly RecordedTake[], anchors: readonly ClockAnchor[]): PlacedTake[] {
  return [...Map.groupBy(takes, ({ box }) => box).values()]
    .flatMap(branchesOf)
    .flatMap((branch) => placeOwn(branch, anchors))
    .sort((a, b) => a.startMs - b.startMs)
    .map(({ take, startMs, basis }) => ({ take: take.take, shiftMs: startMs - take.startedMs, basis }));
}

function placeOwn(takes: readonly RecordedTake[], anchors: readonly ClockAnchor[]) {
  const placed = takes.map((take) => ({ take, ...measured(take, anchors) }));
  let endMs = -Infinity;
  for (const [i, here] of placed.entries()) {
    // One without media only states something, perhaps after the next one's first frame: it has no place to defend.
    if (here.take.durationMs === 0) continue;
    if (here.basis === "box") {
      const next = placed.slice(i + 1).find(({ basis }) => basis !== "box");
      const between = placed.slice(i, next ? placed.indexOf(next) : placed.length);
      const needMs = between.reduce((sum, { take }) => sum + take.durationMs, 0);
      if (next) here.startMs = Math.min(here.startMs, next.startMs - needMs);
    }
    here.startMs = Math.max(here.startMs, endMs);
    endMs = here.startMs + here.take.durationMs;
  }
  return placed;
}

function measured(take: RecordedTake, anchors: readonly ClockAnchor[]): { startMs: number; basis: TimeBasis } {
  const { clock, startedMs } = take;
  if (!clock) return { startMs: startedMs, basis: "box" };
  const { hubOffsetMs, hubOffsetErrorMs } = clock;
  const known = hubOffsetMs !== null;
  const ownMs = hubOffsetErrorMs ?? 0;
  if (known && ownMs <= EXACT_MS) return { startMs: startedMs, basis: "hub" };
  const doubt = (anchor: ClockAnchor) =>
    anchor.errorMs + Math.abs(anchor.monotonicMs - clock.monotonicMs) * DRIFT_PER_MS;
  const best = anchors
    .filter(({ box, bootId }) => box === take.box && bootId === clock.bootId)
    .sort((a, b) => doubt(a) - doubt(b))[0];
  if (known && (!best || doubt(best) >= ownMs)) return { startMs: startedMs, basis: "hub" };
  if (!best) return { startMs: startedMs, basis: "box" };
  return { startMs: best.utcMs + (clock.monotonicMs - best.monotonicMs), basis: "corrected" };
}

/**
 * Each take names the last record of the one before; where the chain has a hole, the recorded times must do. Takes that
 * name the same record are of two boxes: the first goes on, each other begins a branch of its own.
 */
function branchesOf(takes: readonly RecordedTake[]): RecordedTake[][] {
  const byTime = [...takes].sort((a, b) => a.startedMs - b.startedMs);
  const byPrev = Map.groupBy(byTime, ({ prevHash }) => prevHash);
  const ends = new Set(byTime.map(({ tipHash }) => tipHash));
  const isFirst = (take: RecordedTake) => take.prevHash === null || byPrev.get(take.prevHash)![0] === take;
  const isStart = ({ prevHash }: RecordedTake) => prevHash === null || prevHash === GENESIS || !ends.has(prevHash);
  const ordered = new Set<RecordedTake>();
  const follow = (start: RecordedTake): RecordedTake[] => {
    const run: RecordedTake[] = [];
    let take: RecordedTake | undefined = start;
    while (take && !ordered.has(take)) {
      ordered.add(take);
      run.push(take);
      take = take.tipHash === null ? undefined : byPrev.get(take.tipHash)?.[0];
    }
    return run;
  };
  const trunk = byTime.filter((take) => isStart(take) && isFirst(take)).flatMap(follow);
  return [trunk, ...byTime.filter((take) => !isFirst(take)).map(follow)];
}

/** Places the takes of one track of a room in one session; those of its boxes' other sessions between them keep the chain whole. */
export async function placeRoom(
  db: HubDatabase,
  session: SessionId,
  point: PointId,
  track: Track,
): Promise<Map<TakeId, PlacedTake>> {
  const own = await db
    .selectFrom("take")
    .select(["id", "boxId"])
    .where("sessionId", "=", session)
    .where("pointId", "=", point)
    .where("track", "=", track)
    .execute();
  if (own.length === 0) return new Map();
  const boxes = [...new Set(own.map(({ boxId }) => boxId))];
  const rows = await db.selectFrom("take").selectAll().where("boxId", "in", boxes).where("track", "=", track).execute();
  const takes = rows.map((row): RecordedTake => {
    const { bootId, firstMonotonicMs: monotonicMs, hubOffsetMs, hubOffsetErrorMs } = row;
    return {
      ...{ take: row.id, box: row.boxId, prevHash: row.prevHash, tipHash: row.tipHash, durationMs: row.durationMs },
      startedMs: Date.parse(row.firstFrameAt ?? row.startedAt),
      clock: bootId === null || monotonicMs === null ? null : { bootId, monotonicMs, hubOffsetMs, hubOffsetErrorMs },
    };
  });
  const boots = [...new Set(rows.flatMap(({ bootId }) => bootId ?? []))];
  const anchors =
    boots.length === 0
      ? []
      : await db
          .selectFrom("clockAnchor")
          .selectAll()
          .where("boxId", "in", boxes)
          .where("bootId", "in", boots)
          .execute();
  const mine = new Set(own.map(({ id }) => id));
  const placed = placeTakes(
    takes,
    anchors.map(({ boxId, ...anchor }) => ({ box: boxId, ...anchor })),
  );
  return new Map(placed.filter(({ take }) => mine.has(take)).map((place) => [place.take, place]));
}

export const shifted = (utc: string, ms: number): string => (ms === 0 ? utc : isoUtc(Date.parse(utc) + ms));

/**
 * Where a gap lies, whose take is shifted. An end that is the session's own start or end is the hub's word, which the
 * box only repeats: no clock of the box could make it wrong. Pure.
 */
export function placeGap<Gap extends { from: string; to: string; durationMs: number }>(
  gap: Gap,
  shiftMs: number,
  session: { startedAt: string | null; endedAt: string | null },
): Gap {
  if (shiftMs === 0) return gap;
  const place = (utc: string) => (utc === session.startedAt || utc === session.endedAt ? utc : shifted(utc, shiftMs));
  const [from, to] = [place(gap.from), place(gap.to)];
  const addedMs = Date.parse(to) - Date.parse(from) - (Date.parse(gap.to) - Date.parse(gap.from));
  return { ...gap, from, to, durationMs: Math.max(0, gap.durationMs + addedMs) };
}
