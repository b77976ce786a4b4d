/** A moment in the clocks that a box has. */
export interface Moment {
  /** Milliseconds since 1970, corrected by the hub's offset where that was known. */
  utcMs: number;
  monotonicMs: number;
  bootId: string;
}

/** Monotonic within one boot, wall clock across boots; never negative. */
export function elapsedMs(from: Moment, to: Moment): number {
  const ms = from.bootId === to.bootId ? to.monotonicMs - from.monotonicMs : to.utcMs - from.utcMs;
  return Math.max(0, ms);
}
