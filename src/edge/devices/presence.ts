/** A device that has not been lost lately is trusted when it has been there for this long. */
const SETTLE_MS = 2_000;
const HOLD_BASE_MS = 5_000;
const HOLD_CAP_MS = 5 * 60_000;
/** A loss counts for this long. */
const LOSS_COUNTS_MS = 10 * 60_000;

interface Known {
  present: boolean;
  sinceMs: number;
  lostMs: number[];
}

/**
 * Since when devices have been there, and how often they went away: a loose plug must not end a take every few seconds.
 * Pure; times are monotonic.
 */
export class Presence {
  private readonly known = new Map<string, Known>();
  private begun = false;

  /** @param ids all that are there now */
  note(ids: readonly string[], nowMs: number): void {
    const there = new Set(ids);
    for (const id of this.known.keys()) if (!there.has(id)) this.lose(id, nowMs);
    for (const id of there) {
      const before = this.known.get(id);
      if (before?.present) continue;
      // What was there before anybody looked needs no patience.
      const sinceMs = this.begun ? nowMs : -Infinity;
      this.known.set(id, { present: true, sinceMs, lostMs: before?.lostMs ?? [] });
    }
    this.begun = true;
  }

  /** Told by whoever used it, which may be before anybody looks, and after it is back. */
  lose(id: string, nowMs: number): void {
    const known = this.known.get(id);
    if (!known?.present) return;
    const lostMs = [...known.lostMs.filter((ms) => nowMs - ms < LOSS_COUNTS_MS), nowMs];
    this.known.set(id, { present: false, sinceMs: nowMs, lostMs });
  }

  /** Whether a take may be ended for the sake of it. */
  steady(id: string, nowMs: number): boolean {
    const known = this.known.get(id);
    if (!known?.present) return false;
    const losses = this.losses(known, nowMs);
    const holdMs = losses === 0 ? SETTLE_MS : Math.min(HOLD_CAP_MS, HOLD_BASE_MS * 2 ** (losses - 1));
    return nowMs - known.sinceMs >= holdMs;
  }

  /** Comes and goes: where there is another one, a take had better begin with that. */
  loose(id: string, nowMs: number): boolean {
    const known = this.known.get(id);
    return known !== undefined && this.losses(known, nowMs) > 1 && !this.steady(id, nowMs);
  }

  private losses({ lostMs }: Known, nowMs: number): number {
    return lostMs.filter((ms) => nowMs - ms < LOSS_COUNTS_MS).length;
  }
}
