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

/** Hub clock minus box clock as measured in this boot, for this moment of the box's clocks. */
export type OffsetAt = (wallMs: number, monotonicMs: number) => { offsetMs: number; errorMs: number } | null;

/**
 * Now, in the hub's time as well as the box can tell: by the best measurement of this boot; else, within the boot of
 * the last one that was kept, by the monotonic clock, which nobody sets; after another boot by the wall clock and its
 * last known error.
 */
export function hubNow(clock: Clock, last: HubTime | null, offsetAt: OffsetAt): Moment {
  const { bootId } = clock;
  const [wallMs, monotonicMs] = [clock.wallMs(), clock.monotonicMs()];
  return { utcMs: hubUtcMs({ wallMs, monotonicMs, bootId }, last, offsetAt(wallMs, monotonicMs)), monotonicMs, bootId };
}

function hubUtcMs(
  { wallMs, monotonicMs, bootId }: { wallMs: number; monotonicMs: number; bootId: string },
  last: HubTime | null,
  offset: { offsetMs: number } | null,
): number {
  if (offset) return wallMs + offset.offsetMs;
  return last?.bootId === bootId ? last.utcMs + (monotonicMs - last.monotonicMs) : wallMs + (last?.offsetMs ?? 0);
}

/** Two measurements of one offset differ by this much for no reason worth a write. */
const SAME_MS = 200;

/** What is to be kept, where the offset measured now says something new. */
export function newHubTime(clock: Clock, last: HubTime | null, offsetAt: OffsetAt): HubTime | undefined {
  const { bootId } = clock;
  const [wallMs, monotonicMs] = [clock.wallMs(), clock.monotonicMs()];
  const offset = offsetAt(wallMs, monotonicMs);
  if (!offset) return undefined;
  const { offsetMs } = offset;
  const utcMs = wallMs + offsetMs;
  const known =
    last?.bootId === bootId &&
    Math.abs(last.offsetMs - offsetMs) < SAME_MS &&
    Math.abs(last.utcMs + (monotonicMs - last.monotonicMs) - utcMs) < SAME_MS;
  return known ? undefined : { utcMs, monotonicMs, bootId, offsetMs };
}

/** All clocks now, for what the box says of its sessions. */
export function readHubTime(clock: Clock, last: HubTime | null, offsetAt: OffsetAt): ClockReading {
  const { bootId } = clock;
  const [wallMs, monotonicMs] = [clock.wallMs(), clock.monotonicMs()];
  const offset = offsetAt(wallMs, monotonicMs);
  return {
    utc: isoUtc(hubUtcMs({ wallMs, monotonicMs, bootId }, last, offset)),
    monotonicMs,
    bootId,
    hubOffsetMs: offset?.offsetMs ?? null,
    hubOffsetErrorMs: offset?.errorMs ?? null,
  };
}
