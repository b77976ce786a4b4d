/**
 * How often a door may be tried. Pure: the caller keeps the history and tells the monotonic time.
 * Five tries within a quarter of an hour close the door for a quarter of an hour; each further five double that.
 */
export interface Tries {
  /** Within the current window. */
  count: number;
  windowStartMs: number;
  closedUntilMs: number;
  /** How often the door has closed; decides for how long it closes next. */
  closings: number;
}

const TRIES_ALLOWED = 5;
export const TRIES_WINDOW_MS = 15 * 60_000;
export const TRIES_CLOSED_CAP_MS = 4 * 3_600_000;

type Admission = { ok: true; tries: Tries } | { ok: false; retryAfterMs: number };

/** Counts a try before its outcome is known, so that tries in parallel gain nothing; success forgets the history. */
export function admit(past: Tries | undefined, nowMs: number): Admission {
  if (past && nowMs < past.closedUntilMs) return { ok: false, retryAfterMs: past.closedUntilMs - nowMs };
  const closings = past?.closings ?? 0;
  const fresh = !past || nowMs - past.windowStartMs >= TRIES_WINDOW_MS;
  const count = fresh ? 1 : past.count + 1;
  const windowStartMs = fresh ? nowMs : past.windowStartMs;
  if (count < TRIES_ALLOWED) return { ok: true, tries: { count, windowStartMs, closedUntilMs: nowMs, closings } };
  const closedMs = Math.min(TRIES_CLOSED_CAP_MS, TRIES_WINDOW_MS * 2 ** Math.min(closings, 10));
  // This last try is let through; the next one meets a closed door.
  return {
    ok: true,
    tries: { count: 0, windowStartMs: nowMs + closedMs, closedUntilMs: nowMs + closedMs, closings: closings + 1 },
  };
}

/** Nothing in this history can matter any more: it may be forgotten. */
export const isSpent = (tries: Tries, nowMs: number): boolean =>
  nowMs - Math.max(tries.windowStartMs, tries.closedUntilMs) >= TRIES_CLOSED_CAP_MS;

/** More would be an attack that fills memory; the oldest histories go first. */
const KEPT_HISTORIES = 10_000;

/** The histories of many doors, by name. */
export function createDoors(nowMs: () => number) {
  const histories = new Map<string, Tries>();
  return {
    /** Admits the try only if every door admits it; a refusal counts nowhere. */
    admit(...names: string[]): { ok: true } | { ok: false; retryAfterMs: number } {
      const now = nowMs();
      const admissions = names.map((name) => admit(histories.get(name), now));
      const closed = admissions.filter((admission) => !admission.ok);
      if (closed.length > 0) return { ok: false, retryAfterMs: Math.max(...closed.map((door) => door.retryAfterMs)) };
      names.forEach((name, i) => {
        const admission = admissions[i]!;
        if (!admission.ok) return;
        histories.delete(name);
        histories.set(name, admission.tries);
      });
      for (const [name, tries] of histories) {
        if (histories.size <= KEPT_HISTORIES && !isSpent(tries, now)) break;
        histories.delete(name);
      }
      return { ok: true };
    },
    forget(...names: string[]): void {
      for (const name of names) histories.delete(name);
    },
  };
}
