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
/** A larger change of wall against monotonic time between two samples is a clock that was set, not one that drifts. */
const STEP_MS = 50;

/** The best of the last samples: the shorter the round trip, the less room for error. */
export class HubOffsets {
  private samples: { offsetMs: number; errorMs: number; atMs: number; wallMinusMonotonicMs: number }[] = [];

  add({ t0, t1, t2, t3, monotonicMs }: ClockSample): void {
    const roundTripMs = t3 - t0 - (t2 - t1);
    // Negative where a clock was set in mid-exchange.
    if (!(roundTripMs >= 0)) return;
    const wallMinusMonotonicMs = t3 - monotonicMs;
    this.samples = this.samples.filter((s) => Math.abs(s.wallMinusMonotonicMs - wallMinusMonotonicMs) < STEP_MS);
    this.samples.push({
      offsetMs: (t1 - t0 + (t2 - t3)) / 2,
      errorMs: roundTripMs / 2,
      atMs: monotonicMs,
      wallMinusMonotonicMs,
    });
    if (this.samples.length > KEPT) this.samples.shift();
  }

  /** Null before the first sample, and once the box's own clock has been set since. */
  best(wallMs: number, monotonicMs: number): HubOffset | null {
    const valid = this.samples
      .filter((s) => Math.abs(s.wallMinusMonotonicMs - (wallMs - monotonicMs)) < STEP_MS)
      .map((s) => ({ offsetMs: s.offsetMs, errorMs: s.errorMs + (monotonicMs - s.atMs) * DRIFT_PER_MS }));
    return valid.sort((a, b) => a.errorMs - b.errorMs)[0] ?? null;
  }
}
