import { isoUtc } from "../../platform/platform.ts";
import { GENESIS, type BoxId, type PointId, type SessionId, type TakeId } from "../../protocol/protocol.ts";
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
  /** The clocks at the first frame; null while no segment is known. */
  clock: { bootId: string; monotonicMs: number; hubOffsetMs: number | null } | null;
}

/**
 * Whose word the time of a take is: `hub`: the hub's offset was known when it began; `corrected`: it became known later
 * in the same boot; `box`: nobody knows better than the box's wall clock.
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

/**
 * Takes in the order in which their boxes made them, and by how much the times in their records are wrong. The media
 * and the records stay as they are; only what is shown is corrected. Pure.
 *
 * The order within a box is that of its chain of records, which no clock can change; boxes (one was replaced by
 * another) follow each other by time. No two takes of a box overlap: what the hub's time does not fix is fitted between
 * its neighbours.
 */
export function placeTakes(takes: readonly RecordedTake[], anchors: readonly ClockAnchor[]): PlacedTake[] {
  const boxes = [...Map.groupBy(takes, ({ box }) => box).values()].map((own) => placeOwn(orderByChain(own), anchors));
  return boxes
    .sort((a, b) => (a[0]?.startMs ?? 0) - (b[0]?.startMs ?? 0))
    .flat()
    .map(({ take, startMs, basis }) => ({ take: take.take, shiftMs: startMs - take.startedMs, basis }));
}

function placeOwn(takes: readonly RecordedTake[], anchors: readonly ClockAnchor[]) {
  const placed = takes.map((take) => ({ take, ...measured(take, anchors) }));
  let endMs = -Infinity;
  for (const [i, here] of placed.entries()) {
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
  if (clock.hubOffsetMs !== null) return { startMs: startedMs, basis: "hub" };
  const doubt = (anchor: ClockAnchor) =>
    anchor.errorMs + Math.abs(anchor.monotonicMs - clock.monotonicMs) * DRIFT_PER_MS;
  const best = anchors
    .filter(({ box, bootId }) => box === take.box && bootId === clock.bootId)
    .sort((a, b) => doubt(a) - doubt(b))[0];
  if (!best) return { startMs: startedMs, basis: "box" };
  return { startMs: best.utcMs + (clock.monotonicMs - best.monotonicMs), basis: "corrected" };
}

/** Each take names the last record of the one before; where the chain has a hole, the recorded times must do. */
function orderByChain(takes: readonly RecordedTake[]): RecordedTake[] {
  const byTime = [...takes].sort((a, b) => a.startedMs - b.startedMs);
  const byPrev = new Map(byTime.map((take) => [take.prevHash, take]));
  const ends = new Set(byTime.map(({ tipHash }) => tipHash));
  const isStart = ({ prevHash }: RecordedTake) => prevHash === null || prevHash === GENESIS || !ends.has(prevHash);
  const ordered = new Set<RecordedTake>();
  for (const start of byTime.filter(isStart))
    for (
      let take: RecordedTake | undefined = start;
      take && !ordered.has(take);
      take = take.tipHash === null ? undefined : byPrev.get(take.tipHash)
    )
      ordered.add(take);
  return [...ordered];
}

/** Places the takes of one room in one session; those of its boxes' other sessions between them keep the chain whole. */
export async function placeRoom(db: HubDatabase, session: SessionId, point: PointId): Promise<Map<TakeId, PlacedTake>> {
  const own = await db
    .selectFrom("take")
    .select(["id", "boxId"])
    .where("sessionId", "=", session)
    .where("pointId", "=", point)
    .execute();
  if (own.length === 0) return new Map();
  const boxes = [...new Set(own.map(({ boxId }) => boxId))];
  const rows = await db.selectFrom("take").selectAll().where("boxId", "in", boxes).execute();
  const takes = rows.map((row): RecordedTake => {
    const { bootId, firstMonotonicMs, hubOffsetMs } = row;
    return {
      ...{ take: row.id, box: row.boxId, prevHash: row.prevHash, tipHash: row.tipHash, durationMs: row.durationMs },
      startedMs: Date.parse(row.firstFrameAt ?? row.startedAt),
      clock:
        bootId !== null && firstMonotonicMs !== null ? { bootId, monotonicMs: firstMonotonicMs, hubOffsetMs } : null,
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
