import { PLANNED_MINUTES, type AssignedSession, type SessionId } from "../../protocol/protocol.ts";
import type { Quality } from "../capture/capture.ts";

const SOUND_KBPS = 96;
/** MPEG-TS headers take 4 %, an encoder's rate control overshoots by a little; measured over virtual rooms: 1.07. */
const MARGIN = 1.15;
/** A session that goes on beyond its plan keeps this much ahead of it. */
const OVERTIME_MINUTES = 30;
/** A session that nobody began within a day of its hour will not begin. */
const FORGOTTEN_MS = 24 * 3_600_000;

/** What a minute of recording takes at most, in bytes. */
export const bytesPerMinute = ({ maxBitrateKbps }: Quality["record"]): number =>
  Math.ceil((((maxBitrateKbps + SOUND_KBPS) * 1_000) / 8) * 60 * MARGIN);

export interface SessionNeed {
  session: SessionId;
  /** Still to be written for it. */
  bytes: number;
  running: boolean;
}

/**
 * What the sessions of this room still need on one medium, in the order in which they have a claim: running ones first,
 * then by their hour, those without an hour last.
 * @param perMinute what a minute of the session takes at most, bytes
 * @param recordedBytes what the medium already holds of a session
 */
export function sessionNeeds(
  sessions: readonly AssignedSession[],
  nowMs: number,
  perMinute: (session: AssignedSession) => number,
  recordedBytes: (session: SessionId) => number,
): SessionNeed[] {
  const claims = sessions.flatMap((session) => {
    const running = session.state === "live" || session.state === "paused";
    const atMs = session.scheduledAt === null ? Infinity : Date.parse(session.scheduledAt);
    if (!running && (session.state !== "draft" || atMs < nowMs - FORGOTTEN_MS)) return [];
    const aMinute = perMinute(session);
    const planned = (session.plannedMinutes ?? PLANNED_MINUTES) * aMinute;
    const bytes = running ? Math.max(planned - recordedBytes(session.id), OVERTIME_MINUTES * aMinute) : planned;
    return [{ session: session.id, bytes, running, rank: running ? -Infinity : atMs }];
  });
  return claims
    .sort((a, b) => (a.rank === b.rank ? 0 : a.rank < b.rank ? -1 : 1))
    .map(({ session, bytes, running }) => ({ session, bytes, running }));
}
