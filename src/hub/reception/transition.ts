import type { PointId, PointRole, SessionState } from "../../protocol/protocol.ts";

/** What an operator can do to a session. */
export type SessionAct = "start" | "pause" | "resume" | "end";

type Decision =
  | { kind: "change"; to: SessionState; event: "started" | "paused" | "resumed" | "ended" }
  /** The session is already where the act would bring it: two operators pressed the same button. */
  | { kind: "already" }
  | { kind: "wrongState" };

const CHANGES: Record<SessionAct, { from: readonly SessionState[]; to: SessionState; event: SessionEvent }> = {
  start: { from: ["draft"], to: "live", event: "started" },
  pause: { from: ["live"], to: "paused", event: "paused" },
  resume: { from: ["paused"], to: "live", event: "resumed" },
  end: { from: ["live", "paused"], to: "ended", event: "ended" },
};
type SessionEvent = (Decision & { kind: "change" })["event"];

/** States draft → live ⇄ paused → ended; nothing leads out of ended. */
export function decide(state: SessionState, act: SessionAct): Decision {
  const { from, to, event } = CHANGES[act];
  if (state === to) return { kind: "already" };
  return from.includes(state) ? { kind: "change", to, event } : { kind: "wrongState" };
}

/** Why these points cannot make a session, or undefined where they can. */
export function pointsFault(
  points: readonly { id: PointId; role: PointRole }[],
): { code: "noRooms" | "badRequest"; detail: string } | undefined {
  if (points.length === 0) return { code: "noRooms", detail: "a session needs at least one point" };
  if (new Set(points.map((point) => point.id)).size < points.length)
    return { code: "badRequest", detail: "a point is named twice" };
  const central = points.filter((point) => point.role === "central").length;
  if (central !== 1) return { code: "badRequest", detail: `exactly one point is central, not ${central}` };
  return undefined;
}

/** What to note of a room, given whether it is there now and what was noted of it last in this session. */
export function roomNote(
  kind: "roomLost" | "roomBack",
  last: "roomLost" | "roomBack" | undefined,
): "roomLost" | "roomBack" | undefined {
  if (kind === last) return undefined;
  return kind === "roomBack" && last === undefined ? undefined : kind;
}
