import type { AssignedSession, HubAssignment, RoomSession, UpdateWait } from "../../protocol/protocol.ts";
import { PLANNED_MINUTES } from "../../protocol/protocol.ts";
import { LATE_MS } from "../schedule.ts";

/** Nothing of an update happens within this time before a session. */
export const QUIET_MS = 2 * 3_600_000;

/** How far this box is with the release that the hub names. */
export type Progress = "nothing" | "parts" | "staged" | "installed";

export interface UpdateSituation {
  /** Of the release that the hub wants here; null: none, or it is held. */
  wanted: Progress | null;
  /** In the other slot, whatever the hub says now. */
  installed: boolean;
  /** A whole session was recorded with the release that runs. */
  proven: boolean;
  /** The hub is there: its schedule is of this minute. */
  connected: boolean;
  /** Live sound and picture have what they need of the line. */
  lineIsGood: boolean;
  assignment: HubAssignment | null;
  own: readonly RoomSession[];
  /** In the hub's time. */
  nowUtcMs: number;
}

export type UpdateStep =
  | { do: "nothing" }
  | { do: "download" }
  | { do: "install" }
  | { do: "restart" }
  | { do: "wait"; because: UpdateWait };

/** Half-open: the first moment that belongs to it, and the first that does not. */
export interface Window {
  fromUtcMs: number;
  toUtcMs: number;
}

/**
 * When a session may be going on: from its hour (or its beginning) to the end of its planned length, and as long as it runs.
 * One that nobody has begun may still be begun by the box itself for {@link LATE_MS}.
 */
export function windowOf(
  session: Pick<AssignedSession, "state" | "scheduledAt" | "startedAt" | "plannedMinutes">,
): Window | undefined {
  const { state, scheduledAt, startedAt, plannedMinutes } = session;
  const plannedMs = (plannedMinutes ?? PLANNED_MINUTES) * 60_000;
  if (state === "live" || state === "paused")
    return { fromUtcMs: Date.parse(startedAt ?? scheduledAt ?? "1970-01-01T00:00:00Z"), toUtcMs: Infinity };
  if (state !== "draft" || scheduledAt === null) return undefined;
  const fromUtcMs = Date.parse(scheduledAt);
  return { fromUtcMs, toUtcMs: fromUtcMs + Math.max(plannedMs, LATE_MS) };
}

/** Why nothing may be done to this box now; undefined: nothing stands against it. */
export function heldBack({
  assignment,
  own,
  nowUtcMs,
}: Pick<UpdateSituation, "assignment" | "own" | "nowUtcMs">): "session" | "soon" | undefined {
  if (own.some(({ endedAt }) => endedAt === null)) return "session";
  const windows = (assignment?.sessions ?? []).flatMap((session) => windowOf(session) ?? []);
  if (windows.some(({ fromUtcMs, toUtcMs }) => fromUtcMs <= nowUtcMs && nowUtcMs < toUtcMs)) return "session";
  if (windows.some(({ fromUtcMs }) => fromUtcMs - QUIET_MS <= nowUtcMs && nowUtcMs < fromUtcMs)) return "soon";
  return undefined;
}

/**
 * What to do next about the release that the hub names. Pure. Whatever it is, it is done while the hub is there, outside of
 * sessions and of the two hours before one. A release that was installed is started at once: otherwise the next morning's
 * power switch would do it, perhaps minutes before a session.
 */
export function planUpdate(situation: UpdateSituation): UpdateStep {
  const { wanted, installed, proven, connected, lineIsGood } = situation;
  if (wanted === null && !installed) return { do: "nothing" };
  const wait = (because: UpdateWait): UpdateStep => ({ do: "wait", because });
  if (!connected || !situation.assignment) return wait("offline");
  if (wanted === null) return wait("held");
  const held = heldBack(situation);
  if (held) return wait(held);
  if (wanted === "installed") return { do: "restart" };
  if (wanted !== "staged") return lineIsGood ? { do: "download" } : wait("line");
  return proven ? { do: "install" } : wait("unproven");
}
