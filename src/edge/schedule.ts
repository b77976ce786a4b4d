import type { AssignedSession, HubAssignment, PointRole, RoomSession, SessionId } from "../protocol/protocol.ts";
import { isoUtc } from "../platform/platform.ts";
import { elapsedMs, type Moment } from "./moment.ts";

/**
 * Which session a box records at any time. Pure. In this order:
 * 1. what the hub has made live, the later before the earlier;
 * 2. what was begun in this room, unless the hub has paused or ended it;
 * 3. nothing while the hub has paused the room's session;
 * 4. a scheduled session whose time has come while the hub is away: the box begins it by itself, the earliest first.
 * So a session that should begin while another is going on begins when that one ends, in the same step.
 */
export interface Situation {
  assignment: HubAssignment | null;
  /** Begun in this room, oldest first. */
  own: readonly RoomSession[];
  /** In the hub's time. */
  now: Moment;
  /** For how long the hub has been away; null while it is there. */
  awayMs: number | null;
}

/** What the recorder is to do. */
export interface RecordingGoal {
  session: { id: SessionId; startedAt: string } | null;
  /** Why it stops, where it stops. */
  why: "sessionEnded" | "paused";
}

export interface Decision {
  goal: RecordingGoal;
  /** Scheduled, due, and nobody else to begin it. */
  begin: AssignedSession | undefined;
  /** Begun in this room and over: the hub has ended it or runs another one here, or nobody ended it for very long. */
  end: SessionId[];
}

/** A line that drops for a moment while the hub's people are about to press start is no reason to begin without them. */
export const AWAY_MS = 10_000;
/** A scheduled session that nobody began for this long is not begun by a box any more. */
export const LATE_MS = 4 * 3_600_000;
/** A session that was begun in a room and ended by nobody does not run for ever. */
export const LONGEST_OWN_MS = 12 * 3_600_000;
/** How long before its time a session may be begun in the room. */
export const EARLY_MS = 2 * 3_600_000;

const compare = (a: string | null, b: string | null): number => ((a ?? "") < (b ?? "") ? -1 : 1);

const running = (own: readonly RoomSession[]): RoomSession[] => own.filter(({ endedAt }) => endedAt === null);

const assigned = (assignment: HubAssignment | null, id: SessionId): AssignedSession | undefined =>
  assignment?.sessions.find((session) => session.id === id);

const latest = (assignment: HubAssignment | null, own: readonly RoomSession[], state: "live" | "paused") =>
  (assignment?.sessions ?? [])
    .filter((session) => session.state === state)
    // Ended here, and the hub has not heard of it yet.
    .filter(({ id }) => !own.some((mine) => mine.id === id && mine.adHoc && mine.endedAt !== null))
    .sort((a, b) => compare(b.startedAt, a.startedAt))[0];

const momentOf = ({ utc, monotonicMs, bootId }: RoomSession["startedAt"]): Moment => ({
  utcMs: Date.parse(utc),
  monotonicMs,
  bootId,
});

export function decide({ assignment, own, now, awayMs }: Situation): Decision {
  const live = latest(assignment, own, "live");
  const isOver = (mine: RoomSession): boolean => {
    const state = assigned(assignment, mine.id)?.state;
    if (state === "ended" || (live !== undefined && live.id !== mine.id)) return true;
    return state !== "live" && elapsedMs(momentOf(mine.startedAt), now) > LONGEST_OWN_MS;
  };
  const end = running(own)
    .filter(isOver)
    .map(({ id }) => id);
  const goal = (session: RecordingGoal["session"], why: RecordingGoal["why"] = "sessionEnded"): Decision => ({
    goal: { session, why },
    begin: undefined,
    end,
  });
  if (live) return goal({ id: live.id, startedAt: live.startedAt ?? isoUtc(now.utcMs) });
  const mine = running(own).findLast(({ id }) => !end.includes(id) && assigned(assignment, id)?.state !== "paused");
  if (mine) return goal({ id: mine.id, startedAt: mine.startedAt.utc });
  if (latest(assignment, own, "paused")) return goal(null, "paused");
  const begin = awayMs !== null && awayMs >= AWAY_MS ? due(assignment, own, now) : undefined;
  return { ...goal(null), begin };
}

/** The earliest scheduled session whose time has come and that was not ended here already. */
function due(assignment: HubAssignment | null, own: readonly RoomSession[], now: Moment): AssignedSession | undefined {
  return drafts(assignment).find(({ id, scheduledAt }) => {
    if (scheduledAt === null || own.some((mine) => mine.id === id)) return false;
    const lateMs = now.utcMs - Date.parse(scheduledAt);
    return lateMs >= 0 && lateMs < LATE_MS;
  });
}

/** Sessions that have not begun, the earliest first; those without a date come last. */
const drafts = (assignment: HubAssignment | null): AssignedSession[] =>
  (assignment?.sessions ?? [])
    .filter((session) => session.state === "draft")
    .sort((a, b) => compare(a.scheduledAt ?? "9", b.scheduledAt ?? "9"));

/** The session that the room is in, as its screen shows it. */
export interface Current {
  id: SessionId;
  name: string;
  role: PointRole;
  state: "live" | "paused";
  startedAt: string | null;
  begunBy: "hub" | "schedule" | "hand";
}

export function currentSession({ assignment, own, now, awayMs }: Situation): Current | null {
  const { goal } = decide({ assignment, own, now, awayMs });
  const id = goal.session?.id ?? latest(assignment, own, "paused")?.id;
  if (id === undefined) return null;
  const known = assigned(assignment, id);
  const mine = running(own).find((session) => session.id === id);
  return {
    id,
    name: known?.name ?? mine?.name ?? "",
    role: known?.role ?? "central",
    state: goal.session ? "live" : "paused",
    startedAt: goal.session?.startedAt ?? known?.startedAt ?? null,
    begunBy: mine?.by ?? "hub",
  };
}

/** The earliest that has not begun, here or anywhere. */
export const nextSession = ({ assignment, own }: Pick<Situation, "assignment" | "own">): AssignedSession | null =>
  drafts(assignment).find(({ id }) => !running(own).some((mine) => mine.id === id)) ?? null;

/** The assignment with what was begun in this room as live, for whoever keeps room on the disk for it. */
export function withOwn(assignment: HubAssignment | null, own: readonly RoomSession[]): HubAssignment | null {
  if (!assignment) return null;
  const begun = running(own).filter(({ id }) => (assigned(assignment, id)?.state ?? "draft") === "draft");
  const live = begun.map(({ id, name, startedAt }): AssignedSession => {
    const known = assigned(assignment, id) ?? { id, name, role: "central", scheduledAt: null, endedAt: null };
    return { ...known, state: "live", startedAt: startedAt.utc };
  });
  const others = assignment.sessions.filter(({ id }) => !begun.some((mine) => mine.id === id));
  return { ...assignment, sessions: [...others, ...live] };
}

/** What somebody in the room may do now. */
export interface Offer {
  start: { session: SessionId | null } | null;
  stop: { session: SessionId } | null;
}

/**
 * To begin: the session that is coming, or without the hub one that the box makes itself. To end: what was begun here,
 * as long as the hub has not made it a session of its own with other rooms in it.
 */
export function offerOf(situation: Situation): Offer {
  const { assignment, own, now, awayMs } = situation;
  const current = currentSession(situation);
  if (current) {
    const mine = running(own).find(({ id }) => id === current.id);
    const may = mine && (mine.adHoc || assigned(assignment, mine.id)?.state !== "live");
    return { start: null, stop: may ? { session: current.id } : null };
  }
  const coming = drafts(assignment).find(({ scheduledAt }) => {
    const inMs = scheduledAt === null ? 0 : Date.parse(scheduledAt) - now.utcMs;
    return inMs < EARLY_MS && inMs > -LATE_MS;
  });
  if (coming) return { start: { session: coming.id }, stop: null };
  return { start: awayMs === null ? null : { session: null }, stop: null };
}

/**
 * Sessions of the hub's that it may have forgotten, as it told them to this room: those that are recorded here, and what
 * is live. One that is paused is over by this; nobody could resume it, and nobody records people in a pause.
 * @param recorded sessions of which this box has takes
 */
export function rememberedSessions(
  assignment: HubAssignment | null,
  recorded: ReadonlySet<SessionId>,
  at: RoomSession["startedAt"],
): RoomSession[] {
  // In the hub's own time, of no boot of this box.
  const reading = (utc: string): RoomSession["startedAt"] => ({
    ...{ utc: isoUtc(Date.parse(utc)), monotonicMs: 0, bootId: "" },
    ...{ hubOffsetMs: null, hubOffsetErrorMs: null },
  });
  return (assignment?.sessions ?? [])
    .filter(({ id, state }) => state === "live" || (state !== "draft" && recorded.has(id)))
    .sort((a, b) => compare(a.startedAt, b.startedAt))
    .map(({ id, name, role, state, startedAt, endedAt }) => ({
      ...{ id, name, adHoc: false, by: "schedule", remembered: { role } },
      startedAt: reading(startedAt ?? at.utc),
      endedAt: state === "live" ? null : endedAt === null ? at : reading(endedAt),
    }));
}

/**
 * What is kept of the sessions begun here, given what the hub has taken note of. A scheduled one that was ended here
 * stays while the hub still calls it a draft: the box must not begin it once more at the next cut of the line.
 */
export function keepOwn(
  own: readonly RoomSession[],
  noted: readonly { id: SessionId; ended: boolean }[],
  assignment: HubAssignment | null,
): RoomSession[] {
  return own.filter(({ id, endedAt }) => {
    if (endedAt === null || assigned(assignment, id)?.state === "draft") return true;
    return !noted.some((note) => note.id === id && note.ended);
  });
}
