import type { DeskEvents, HubDiskView, RecordingSummaryView, RoomView, SessionView } from "../../hub/http/views.ts";
import { type Lamps, lampsOfRoom, type PointId, type SessionId, type Stage } from "../../protocol/protocol.ts";
import { byName } from "../text/format.ts";

/** What the desk knows and what follows from it. Pure: events in, facts out; times are milliseconds since 1970. */
export interface Facts {
  /** False until the first snapshot: nothing may look empty before that. */
  loaded: boolean;
  rooms: ReadonlyMap<PointId, RoomView>;
  sessions: ReadonlyMap<SessionId, SessionView>;
  /** Of sessions that run; one that has ended may still be here. */
  stages: ReadonlyMap<SessionId, Stage>;
  /** Null until somebody asked for the list. */
  recordings: ReadonlyMap<SessionId, RecordingSummaryView> | null;
  waitingBoxes: number;
  hubDisk: HubDiskView;
}

export const NO_FACTS: Facts = {
  loaded: false,
  rooms: new Map(),
  sessions: new Map(),
  stages: new Map(),
  recordings: null,
  waitingBoxes: 0,
  hubDisk: { state: "ok", freeBytes: 0 },
};

/** Levels come too often to be facts. */
type Told = Exclude<keyof DeskEvents, "levels">;
export type DeskEvent = { [K in Told]: { type: K; data: DeskEvents[K] } }[Told];
export const DESK_EVENTS = [
  "snapshot",
  "room",
  "session",
  "stage",
  "recording",
  "waitingBoxes",
  "hubDisk",
] as const satisfies readonly Told[];

const keyed = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> => new Map(map).set(key, value);

export function reduce(facts: Facts, event: DeskEvent): Facts {
  switch (event.type) {
    case "snapshot":
      return {
        loaded: true,
        rooms: new Map(event.data.rooms.map((room) => [room.point.id, room])),
        sessions: new Map(event.data.sessions.map((session) => [session.id, session])),
        stages: new Map(event.data.stages.map((stage) => [stage.session, stage])),
        recordings: facts.recordings,
        waitingBoxes: event.data.waitingBoxes,
        hubDisk: event.data.hubDisk,
      };
    case "room":
      return { ...facts, rooms: keyed(facts.rooms, event.data.point.id, event.data) };
    case "session":
      return { ...facts, sessions: keyed(facts.sessions, event.data.id, event.data) };
    case "stage":
      return { ...facts, stages: keyed(facts.stages, event.data.session, event.data) };
    case "recording":
      // Before the list was fetched one entry would pass for the whole of it.
      return facts.recordings
        ? { ...facts, recordings: keyed(facts.recordings, event.data.session.id, event.data) }
        : facts;
    case "hubDisk":
      return { ...facts, hubDisk: event.data };
    default:
      return { ...facts, waitingBoxes: event.data.count };
  }
}

export const withRecordings = (facts: Facts, list: RecordingSummaryView[]): Facts => ({
  ...facts,
  recordings: new Map(list.map((summary) => [summary.session.id, summary])),
});

// ---- rooms

/** Offline is an alarm only where a session runs or begins within this time; otherwise a box is simply switched off. */
const SOON_MS = 3 * 3_600_000;

export interface RoomFacts {
  room: RoomView;
  lamps: Lamps;
  /** bad and warn need somebody; away and empty are stated calmly. */
  need: "bad" | "warn" | "none" | "away" | "empty";
  /** As the box measures it: null where nobody can know just now. */
  recording: boolean | null;
}

export function roomFacts(room: RoomView, expected: ReadonlySet<PointId>): RoomFacts {
  const lamps = lampsOfRoom(room, room.session?.state === "live");
  const recording = room.connected && room.health ? room.health.recording.growing : null;
  return { room, lamps, need: needOf(room, lamps, expected), recording };
}

function needOf(room: RoomView, lamps: Lamps, expected: ReadonlySet<PointId>): RoomFacts["need"] {
  const awaited = room.session !== null || expected.has(room.point.id);
  if (!room.box) return "empty";
  if (room.identityDamaged) return "bad";
  if (!room.connected) return awaited ? "bad" : "away";
  if (lamps.picture === "bad" || lamps.sound === "bad" || lamps.troubles.includes("notRecording")) return "bad";
  return lamps.troubles.length > 0 ? "warn" : "none";
}

/** Points of sessions that begin soon, or should have begun today and did not. */
export function expectedPoints(sessions: Iterable<SessionView>, nowMs: number): Set<PointId> {
  const points = new Set<PointId>();
  for (const session of sessions) {
    if (session.state !== "draft" || !session.scheduledAt) continue;
    const inMs = Date.parse(session.scheduledAt) - nowMs;
    if (inMs < SOON_MS && inMs > -SOON_MS) for (const { id } of session.points) points.add(id);
  }
  return points;
}

const NEED_ORDER: Record<RoomFacts["need"], number> = { bad: 0, warn: 1, none: 2, away: 3, empty: 4 };

/** Who needs help first, then rooms in session with the centre ahead, then by name. */
export const byNeed = (a: RoomFacts, b: RoomFacts): number =>
  NEED_ORDER[a.need] - NEED_ORDER[b.need] ||
  Number(b.room.session !== null) - Number(a.room.session !== null) ||
  Number(b.room.session?.role === "central") - Number(a.room.session?.role === "central") ||
  byName(a.room.point.name, b.room.point.name);

/** Could begin a session now: here, without trouble, and in no other one. */
export const isReady = ({ room, need }: RoomFacts): boolean => room.connected && need === "none" && !room.session;

export const needsHelp = ({ need }: RoomFacts): boolean => need === "bad" || need === "warn";

export function allRooms(facts: Facts, nowMs: number): RoomFacts[] {
  const expected = expectedPoints(facts.sessions.values(), nowMs);
  return [...facts.rooms.values()].map((room) => roomFacts(room, expected)).sort(byNeed);
}

// ---- sessions

export const isOpen = ({ state }: { state: SessionView["state"] }): boolean => state === "live" || state === "paused";

/** Open ones first, then those to come by time (unscheduled last), then the past, latest first. */
export function bySession(a: SessionView, b: SessionView): number {
  const rank = (s: SessionView): number =>
    s.state === "live" ? 0 : s.state === "paused" ? 1 : s.state === "draft" ? 2 : 3;
  const time = (s: SessionView): number =>
    s.state === "draft"
      ? s.scheduledAt
        ? Date.parse(s.scheduledAt)
        : Number.MAX_SAFE_INTEGER
      : -Date.parse(s.startedAt ?? s.createdAt);
  return rank(a) - rank(b) || time(a) - time(b) || byName(a.name, b.name);
}

export interface SessionClock {
  /** Time in session, without pauses. */
  runningMs: number;
  pausedMs: number;
  pauses: number;
  /** Length of the pause that lasts now. */
  thisPauseMs: number;
}

/** Reads the clock of a session off its log, so that every desk shows the same. */
export function sessionClock(session: Pick<SessionView, "events" | "startedAt">, nowMs: number): SessionClock {
  const clock: SessionClock = { runningMs: 0, pausedMs: 0, pauses: 0, thisPauseMs: 0 };
  let state: "before" | "running" | "paused" | "over" = "before";
  let sinceMs = nowMs;
  const upTo = (atMs: number) => {
    const spent = Math.max(0, atMs - sinceMs);
    if (state === "running") clock.runningMs += spent;
    if (state === "paused") clock.pausedMs += spent;
    sinceMs = atMs;
  };
  const next = { started: "running", resumed: "running", paused: "paused", ended: "over" } as const;
  for (const event of session.events) {
    if (!(event.kind in next)) continue;
    upTo(Date.parse(event.at));
    state = next[event.kind as keyof typeof next];
    if (state === "paused") clock.pauses += 1;
  }
  if (state === "paused") clock.thisPauseMs = Math.max(0, nowMs - sinceMs);
  if (state !== "over") upTo(nowMs);
  return clock;
}

// ---- wall

const TILE_GAP_PX = 16;

export interface Tile {
  /** Below this width it is of no use. */
  minPx: number;
  /** Height of what stands below the picture. */
  wordsPx: number;
}
/** A face is recognised, three lamps fit on a line; name and lamps below. */
const ROOM_TILE: Tile = { minPx: 228, wordsPx: 92 };
/** Name, state and the two acts of the control desk below the picture. */
export const CONTROL_TILE: Tile = { minPx: 292, wordsPx: 152 };
/** A recording beside the timeline: smaller, and only a name below. */
export const RECORDING_TILE: Tile = { minPx: 172, wordsPx: 64 };

/** More pictures than this at once, or smaller ones, and nobody sees what the large rendition costs line and decoder. */
const LARGE_MOST = 4;
/** The small rendition is 320 pixels wide: a wider tile would show it blown up. */
const LARGE_FROM_PX = 320;

/** Which of a room's live pictures a tile of the wall shows. */
export const tilePicture = (shown: number, { tilePx }: Pick<WallShape, "tilePx">): "video" | "small" =>
  shown > LARGE_MOST || tilePx < LARGE_FROM_PX ? "small" : "video";

export interface WallShape {
  columns: number;
  tilePx: number;
}

/** What a wall takes of a page on which much stands above it: a row and a half of its smallest tiles. */
export const leastHeight = ({ minPx, wordsPx }: Tile = ROOM_TILE): number =>
  Math.round(1.5 * ((minPx * 9) / 16 + wordsPx));

/** A wall of 16:9 pictures, as large as they can be with all in view, else as small as stays legible. */
export function wallShape(widthPx: number, heightPx: number, count: number, tile: Tile = ROOM_TILE): WallShape {
  const share = (columns: number): number => Math.floor((widthPx - (columns - 1) * TILE_GAP_PX) / columns);
  const most = Math.max(1, Math.floor((widthPx + TILE_GAP_PX) / (tile.minPx + TILE_GAP_PX)));
  let best: WallShape = { columns: most, tilePx: share(most) };
  let bestPx = 0;
  for (let columns = 1; columns <= most; columns += 1) {
    const rows = Math.ceil(count / columns);
    const pictureHeight = (heightPx - (rows - 1) * TILE_GAP_PX) / rows - tile.wordsPx;
    const tilePx = Math.min(share(columns), Math.floor((pictureHeight * 16) / 9));
    if (tilePx >= tile.minPx && tilePx > bestPx) {
      best = { columns, tilePx };
      bestPx = tilePx;
    }
  }
  return best;
}
