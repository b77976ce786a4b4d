import { z } from "zod";
import { isoUtc, type Clock } from "../platform/platform.ts";
import type { ClockReading } from "../protocol/protocol.ts";
import type { Moment } from "./moment.ts";

/** One moment in the hub's time and in the box's, kept over restarts: by it the box keeps the schedule without the hub. */
export const HubTime = z.object({
  utcMs: z.number(),
  monotonicMs: z.number(),
  bootId: z.string(),
  /** Hub clock minus box clock then. */
  offsetMs: z.number(),
});
export type HubTime = z.infer<typeof HubTime>;

/**
 * Now, in the hub's time as well as the box can tell: within the boot of the last measurement by the monotonic clock,
 * which nobody sets; after another boot by the wall clock and its last known error.
 */
export function hubNow(clock: Clock, last: HubTime | null): Moment {
  const monotonicMs = clock.monotonicMs();
  const { bootId } = clock;
  const utcMs =
    last?.bootId === bootId
      ? last.utcMs + (monotonicMs - last.monotonicMs)
      : clock.wallMs() + (last ? last.offsetMs : 0);
  return { utcMs, monotonicMs, bootId };
}

/** Two measurements of one offset differ by this much for no reason worth a write. */
const SAME_MS = 200;

/** What is to be kept, where the offset measured now says something new. */
export function newHubTime(
  clock: Clock,
  last: HubTime | null,
  offset: { offsetMs: number } | null,
): HubTime | undefined {
  if (!offset) return undefined;
  const { offsetMs } = offset;
  const monotonicMs = clock.monotonicMs();
  const utcMs = clock.wallMs() + offsetMs;
  const known =
    last?.bootId === clock.bootId &&
    Math.abs(last.offsetMs - offsetMs) < SAME_MS &&
    Math.abs(hubNow(clock, last).utcMs - utcMs) < SAME_MS;
  return known ? undefined : { utcMs, monotonicMs, bootId: clock.bootId, offsetMs };
}

/** All clocks now, for what the box says of its sessions. */
export function readHubTime(
  clock: Clock,
  last: HubTime | null,
  offset: { offsetMs: number; errorMs: number } | null,
): ClockReading {
  const { utcMs, monotonicMs, bootId } = hubNow(clock, last);
  return {
    utc: isoUtc(utcMs),
    monotonicMs,
    bootId,
    hubOffsetMs: offset?.offsetMs ?? null,
    hubOffsetErrorMs: offset?.errorMs ?? null,
  };
}
