import { z } from "zod";
import { BoxId, PointId, SessionId } from "./ids.ts";
import { LIVE_KINDS, type LiveKind } from "./names.ts";
import { PointRole } from "./session.ts";

/**
 * The stage of a running session: who is large on the screens, who is heard, who waits, who asks to speak. The hub
 * owns it and states it whole, with a revision; what follows from it is computed here, by the same functions for hub,
 * desk and room. Times are ISO 8601 UTC. Recording knows nothing of any of it.
 */

/** `spotlight`: the first of `onScreen` is large. `grid`: those of `onScreen` are equally large. `auto`: who speaks. */
export const LayoutMode = z.enum(["spotlight", "grid", "auto"]);
export type LayoutMode = z.infer<typeof LayoutMode>;

export const StageLayout = z.looseObject({
  mode: LayoutMode,
  /** Chosen by the desk, in this order; in `auto` they stand in while nobody has spoken yet. */
  onScreen: z.array(PointId),
  /** Name of the user; null: as the session began with it. */
  by: z.string().nullable(),
  at: z.string(),
  /** That of the stage when the layout was changed last; an act that has seen less is refused. */
  revision: z.number().int(),
});
export type StageLayout = z.infer<typeof StageLayout>;

/** Something that is so since `at`, why, and by whom (name of the user; null: the system). */
export const StageNote = z.looseObject({ at: z.string(), reason: z.string().nullable(), by: z.string().nullable() });
export type StageNote = z.infer<typeof StageNote>;

/** Boxes of a later version may publish more than this one knows. */
const liveKinds = z
  .array(z.string())
  .transform((kinds) => kinds.filter((kind): kind is LiveKind => (LIVE_KINDS as readonly string[]).includes(kind)));

export const GAIN_DB_MIN = -30;
/** A message to a room's screen, the reason of an act, the name of a mark: one line. */
export const STAGE_TEXT_MAX = 200;

export const StageRoom = z.looseObject({
  point: z.object({ id: PointId, name: z.string() }),
  role: PointRole,
  /** Null while no box is paired. */
  box: BoxId.nullable(),
  connected: z.boolean(),
  /** What arrives from it now. */
  live: liveKinds,
  /** `standby`: seen small, hears the others, is not heard. */
  place: z.enum(["in", "standby"]),
  muted: StageNote.nullable(),
  /** How much softer the others play it, GAIN_DB_MIN to 0. */
  gainDb: z.number(),
  /** Since when somebody there asks to speak. */
  hand: z.string().nullable(),
  /** Somebody has been speaking there for a moment, or has just stopped; never while it is not heard. */
  speaking: z.boolean(),
  /** Shown on the room's own screen until it is taken back. */
  message: z.looseObject({ text: z.string(), at: z.string(), by: z.string().nullable() }).nullable(),
});
export type StageRoom = z.infer<typeof StageRoom>;

/** Who sees or hears something of this session: a desk user by name, or another room of it. Nobody watches unseen. */
export const StageWatcher = z.looseObject({ name: z.string(), kind: z.enum(["desk", "room"]) });
export type StageWatcher = z.infer<typeof StageWatcher>;

export interface Stage {
  session: SessionId;
  /** Grows with every change, over restarts of the hub too. */
  revision: number;
  layout: StageLayout;
  /** Who held the screen by speech, the latest first; at most {@link SPEAKERS_KEPT}. */
  speakers: PointId[];
  /** The central room first, then by name. */
  rooms: StageRoom[];
  /** While the session is paused nobody hears anybody: what is not recorded is not carried either. */
  paused: StageNote | null;
  /** An interruption that was noted and has not been ended. */
  interruption: StageNote | null;
  watchers: StageWatcher[];
}

/** A room as another one shows it. */
const RemoteRoom = StageRoom.extend({ size: z.enum(["large", "small"]), audible: z.boolean() });

/** The stage as one room needs it. */
export const RoomStage = z.looseObject({
  session: SessionId,
  revision: z.number().int(),
  layout: StageLayout,
  own: StageRoom,
  /** All others in the order in which they are shown, the large ones first; what was written to them is left out. */
  rooms: z.array(RemoteRoom),
  paused: StageNote.nullable(),
  interruption: StageNote.nullable(),
  watchers: z.array(StageWatcher),
});
export type RoomStage = z.infer<typeof RoomStage>;

/** Rooms that have a seat from the beginning, besides the central one. */
const SEATS = 8;

/** Where rooms begin, given in the order of the stage: in large sessions the delegates beyond the eighth wait. */
export function firstPlaces(
  rooms: readonly { id: PointId; role: StageRoom["role"] }[],
): Map<PointId, StageRoom["place"]> {
  const delegates = rooms.filter(({ role }) => role === "delegate");
  return new Map(rooms.map((room) => [room.id, delegates.indexOf(room) < SEATS ? "in" : "standby"]));
}

const hasPicture = ({ live }: StageRoom): boolean => live.includes("video") || live.includes("small");
const isOpen = ({ place, muted }: StageRoom): boolean => place === "in" && muted === null;

/** Boxes whose sound this room hears; for the desk (null) those that the rooms hear. */
export function audibleTo({ rooms, paused }: Stage, viewer: PointId | null): BoxId[] {
  if (paused || (viewer !== null && !rooms.some(({ point }) => point.id === viewer))) return [];
  return rooms.flatMap((room) => (isOpen(room) && room.box && room.point.id !== viewer ? [room.box] : []));
}

/**
 * Who is shown large and who small, in this order. A room is never shown to itself (`viewer`; null: the desk); one that
 * is to be large alone and sends no picture leaves its place to the next that does.
 */
export function largeOf({ layout, speakers, rooms }: Stage, viewer: PointId | null) {
  const others = rooms.filter(({ point }) => point.id !== viewer);
  const named = (ids: readonly PointId[]) =>
    ids.flatMap((id) => others.find(({ point }) => point.id === id) ?? ([] as StageRoom[]));
  const chosen = named(layout.onScreen);
  const central = others.filter(({ role }) => role === "central");
  const inside = others.filter(({ place }) => place === "in");
  const first = layout.mode === "auto" ? named(speakers) : [];
  const ranked = [...new Set([...first, ...chosen, ...central, ...inside, ...others])];
  const one = ranked.find(hasPicture) ?? ranked[0];
  const equals = layout.mode !== "grid" ? [] : chosen.length > 0 ? chosen : inside;
  const large = equals.length > 0 ? equals : one ? [one] : [];
  const ids = (of: readonly StageRoom[]) => of.map(({ point }) => point.id);
  return { large: ids(large), small: ids(ranked.filter((room) => !large.includes(room))) };
}

/** Undefined where the point is no part of the session. */
export function stageForRoom(stage: Stage, viewer: PointId): RoomStage | undefined {
  const own = stage.rooms.find(({ point }) => point.id === viewer);
  if (!own) return undefined;
  const { session, revision, layout, paused, interruption, watchers } = stage;
  const { large, small } = largeOf(stage, viewer);
  const audible = new Set(audibleTo(stage, viewer));
  const remote = (size: "large" | "small") => (id: PointId) => {
    const room = stage.rooms.find(({ point }) => point.id === id)!;
    return { ...room, message: null, size, audible: room.box !== null && audible.has(room.box) };
  };
  const rooms = [...large.map(remote("large")), ...small.map(remote("small"))];
  return { session, revision, layout, own, rooms, paused, interruption, watchers };
}

// ---- who speaks

/** A new speaker must speak for this long: a cough, a door or a yes changes nothing. */
const TAKES_AFTER_MS = 1_500;
/** The present one keeps the screen for this long after the last word. */
const KEEPS_FOR_MS = 4_000;
/** Between words and breaths; a longer pause begins a new turn. */
const PAUSE_MS = 800;
export const SPEAKERS_KEPT = 3;

export interface Floor {
  /** The latest first. */
  speakers: readonly PointId[];
  /** The present or last turn of each room that has spoken. */
  turns: ReadonlyMap<PointId, { sinceMs: number; lastMs: number }>;
}
export const EMPTY_FLOOR: Floor = { speakers: [], turns: new Map() };

/**
 * The next state of the floor, given which rooms are heard (may speak at all) and in which of them speech was measured
 * since the last call. Monotonic time; to be called several times a second.
 */
export function followSpeech(
  floor: Floor,
  heard: ReadonlySet<PointId>,
  speech: ReadonlySet<PointId>,
  nowMs: number,
): Floor {
  const turns = new Map([...floor.turns].filter(([point]) => heard.has(point)));
  for (const point of speech) {
    if (!heard.has(point)) continue;
    const turn = turns.get(point);
    const goesOn = turn && nowMs - turn.lastMs <= PAUSE_MS;
    turns.set(point, { sinceMs: goesOn ? turn.sinceMs : nowMs, lastMs: nowMs });
  }
  const [holder] = floor.speakers;
  const held = holder && turns.get(holder);
  if (held && nowMs - held.lastMs < KEEPS_FOR_MS) return { speakers: floor.speakers, turns };
  const next = [...turns]
    .filter(([, turn]) => turn.lastMs - turn.sinceMs >= TAKES_AFTER_MS && nowMs - turn.lastMs <= PAUSE_MS)
    .sort(([, a], [, b]) => a.sinceMs - b.sinceMs)[0]?.[0];
  if (next === undefined || next === holder) return { speakers: floor.speakers, turns };
  const speakers = [next, ...floor.speakers.filter((point) => point !== next)].slice(0, SPEAKERS_KEPT);
  return { speakers, turns };
}

/** Whether a room is shown as speaking. */
export function isSpeaking({ turns }: Floor, point: PointId, nowMs: number): boolean {
  const turn = turns.get(point);
  return turn !== undefined && turn.lastMs > turn.sinceMs && nowMs - turn.lastMs <= PAUSE_MS;
}
