import { join } from "node:path";
import { z } from "zod";
import { causeOf, readIfExists, writeDurable, type Clock, type Log } from "../../platform/platform.ts";

/**
 * One exchange over the control channel, as in NTP (RFC 5905, section 8); all in milliseconds. The box's ends of it are
 * read off the monotonic clock, so that nobody's hand on the wall clock gets into it.
 */
export interface ClockSample {
  /** Box monotonic clock when it asked and when it read the answer. */
  askedMs: number;
  readMs: number;
  /** Hub wall clock when it read the question and when it wrote the answer. */
  t1: number;
  t2: number;
}

/** The hub's time against the box's monotonic clock. */
export const HubMeasurement = z.object({
  hubMinusMonotonicMs: z.number(),
  /** Half the round trip: the bound of its error then. */
  errorMs: z.number().nonnegative(),
  /** Box monotonic clock when it was made. */
  atMs: z.number(),
});
export type HubMeasurement = z.infer<typeof HubMeasurement>;

export interface HubOffset {
  /** Hub clock minus box clock. */
  offsetMs: number;
  /** Bound of its error: half the round trip, and what a crystal may have drifted since. */
  errorMs: number;
}

/** Twice the usual tolerance of a PC's crystal. */
const DRIFT_PER_MS = 100e-6;
/** The channel would be taken for dead before. */
const LONGEST_MS = 10_000;

const errorAt = ({ errorMs, atMs }: HubMeasurement, monotonicMs: number): number =>
  errorMs + Math.max(0, monotonicMs - atMs) * DRIFT_PER_MS;

/**
 * The best measurement of this boot: the shorter the round trip, the less room for error, and the older, the more. All
 * age alike, so the best of all is the only one worth keeping. Two that contradict each other mean that the hub's clock
 * was set: the later holds.
 */
export class HubOffsets {
  private kept: HubMeasurement | undefined;
  private readonly onBetter: (measurement: HubMeasurement) => void;

  /** @param former of this boot, by an earlier life of the agent */
  constructor(former?: HubMeasurement, onBetter: (measurement: HubMeasurement) => void = () => {}) {
    this.kept = former;
    this.onBetter = onBetter;
  }

  add({ askedMs, readMs, t1, t2 }: ClockSample): void {
    const roundTripMs = readMs - askedMs - (t2 - t1);
    if (!(roundTripMs >= 0 && roundTripMs < LONGEST_MS)) return;
    const measured = {
      hubMinusMonotonicMs: (t1 + t2) / 2 - (askedMs + readMs) / 2,
      errorMs: roundTripMs / 2,
      atMs: readMs,
    };
    const { kept } = this;
    if (kept && errorAt(kept, readMs) < measured.errorMs) {
      const apartMs = Math.abs(kept.hubMinusMonotonicMs - measured.hubMinusMonotonicMs);
      if (apartMs <= errorAt(kept, readMs) + measured.errorMs) return;
    }
    this.kept = measured;
    this.onBetter(measured);
  }

  /** For this moment of the box's clocks; null before the first measurement. */
  best(wallMs: number, monotonicMs: number): HubOffset | null {
    const { kept } = this;
    if (!kept) return null;
    return { offsetMs: kept.hubMinusMonotonicMs + monotonicMs - wallMs, errorMs: errorAt(kept, monotonicMs) };
  }
}

const Kept = HubMeasurement.extend({ bootId: z.string() });

/**
 * With the measurement that an earlier life of the agent left in the run directory: on a poor line a new one would be
 * worse for minutes, and two takes of one session would be told by two times.
 */
export async function openHubOffsets(runDirectory: string, log: Log, clock: Clock): Promise<HubOffsets> {
  const path = join(runDirectory, "hub-clock.json");
  const text = await readIfExists(path);
  const parsed = Kept.safeParse(text && jsonOr(text.toString("utf8")));
  const former = parsed.success && parsed.data.bootId === clock.bootId ? parsed.data : undefined;
  const { bootId } = clock;
  let writing: Promise<void> = Promise.resolve();
  return new HubOffsets(former, (measurement) => {
    writing = writing
      .then(() => writeDurable(path, JSON.stringify({ bootId, ...measurement })))
      .catch((error: unknown) => log.warn("clock.notKept", { cause: causeOf(error) }));
  });
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
