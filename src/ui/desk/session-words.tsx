import type { SessionView } from "../../hub/http/views.ts";
import { Badge, type Tone } from "../design/states.tsx";
import { SESSION } from "../text/sessions.ts";
import { dayAndTime } from "../text/format.ts";
import { SESSION_STATES } from "../text/terms.ts";

const TONES: Record<SessionView["state"], Tone> = {
  draft: "neutral",
  live: "accent",
  paused: "warn",
  ended: "neutral",
};

export function SessionBadge({ state }: { state: SessionView["state"] }) {
  return <Badge tone={TONES[state]}>{SESSION_STATES[state]}</Badge>;
}

/** When a session was, is or will be. */
export function sessionWhen(session: SessionView, nowMs: number): string {
  if (session.startedAt) return dayAndTime(session.startedAt, nowMs);
  return session.scheduledAt ? dayAndTime(session.scheduledAt, nowMs) : SESSION.unscheduled;
}
