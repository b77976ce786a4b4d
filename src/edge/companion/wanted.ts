import type { Companion, SessionId } from "../../protocol/protocol.ts";
import { currentSession, nextSession, type Situation } from "../schedule.ts";

/** The page that belongs on the room's screen. */
export interface WantedPage {
  session: SessionId;
  url: string;
  name: string;
}

/** People who wait for a session that nobody begins see the room's own screen again after this. */
const LATE_MS = 30 * 60_000;

/**
 * Which page of another meeting system belongs on the screen now: that of the session the room is in, paused too; and
 * that of the next one from a while before its hour, since people are let in one by one. Pure.
 */
export function wantedPage(situation: Situation, openMinutes: number): WantedPage | null {
  const { assignment, now } = situation;
  const pageOf = (session: SessionId): WantedPage | null => {
    const companion: Companion | null | undefined = assignment?.sessions.find(({ id }) => id === session)?.companion;
    return companion ? { session, url: companion.url, name: companion.name } : null;
  };
  const current = currentSession(situation);
  if (current) return pageOf(current.id);
  const next = nextSession(situation);
  if (!next?.scheduledAt) return null;
  const inMs = Date.parse(next.scheduledAt) - now.utcMs;
  return inMs <= openMinutes * 60_000 && inMs > -LATE_MS ? pageOf(next.id) : null;
}
