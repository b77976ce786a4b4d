/** One exchange over the control channel, as in NTP (RFC 5905, section 8); all in milliseconds. */
export interface ClockSample {
  /** Box wall clock when it asked and when it read the answer. */
  t0: number;
  t3: number;
  /** Hub wall clock when it read the question and when it wrote the answer. */
  t1: number;
  t2: number;
  /** Box monotonic clock when it read the answer. */
  monotonicMs: number;
}

export interface HubOffset {
  /** Hub clock minus box clock. */
  offsetMs: number;
  /** Bound of its error: half the round trip, and what a crystal may have drifted since. */
  errorMs: number;
}

const KEPT = 8;
/** Twice the usual tolerance of a PC's crystal. */
const DRIFT_PER_MS = 100e-6;
/** The channel would be taken for dead before: an exchange that seems to last longer saw a clock being set. */
const LONGEST_MS = 10_000;

/**
 * The best of the last samples: the shorter the round trip, the less room for error. What is kept is the hub's time
 * against the box's monotonic clock, which nobody sets; so a wall clock that jumps changes the offset in that instant,
 * and not the time that the box tells.
 */
export class HubOffsets {
  private samples: { hubMinusMonotonicMs: number; errorMs: number; atMs: number }[] = [];

  add({ t0, t1, t2, t3, monotonicMs }: ClockSample): void {
    const roundTripMs = t3 - t0 - (t2 - t1);
    if (!(roundTripMs >= 0 && roundTripMs < LONGEST_MS)) return;
    const offsetMs = (t1 - t0 + (t2 - t3)) / 2;
    this.samples.push({
      hubMinusMonotonicMs: t3 + offsetMs - monotonicMs,
      errorMs: roundTripMs / 2,
      atMs: monotonicMs,
    });
    if (this.samples.length > KEPT) this.samples.shift();
  }

  /** Null before the first sample. */
  best(wallMs: number, monotonicMs: number): HubOffset | null {
    const aged = this.samples.map((s) => ({
      offsetMs: s.hubMinusMonotonicMs + monotonicMs - wallMs,
      errorMs: s.errorMs + (monotonicMs - s.atMs) * DRIFT_PER_MS,
    }));
    return aged.sort((a, b) => a.errorMs - b.errorMs)[0] ?? null;
  }
}
