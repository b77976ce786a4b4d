import { isoUtc, type Clock } from "../../platform/platform.ts";
import type { ClockReading } from "../../protocol/protocol.ts";
import type { OffsetAt } from "../hub-time.ts";
import type { Moment } from "../moment.ts";

export interface Readings {
  clock: Clock;
  /** For a moment of the box's clocks. */
  hubOffset: OffsetAt;
}

/**
 * Reads all clocks for a moment of this boot, now unless another is given. Its wall time is told from now: however the
 * wall clock was set in between, it fits the offset that is known now.
 */
export function readClocks({ clock, hubOffset }: Readings, monotonicMs = clock.monotonicMs()): ClockReading {
  // Both clocks once, side by side: the wall clock may be set between two readings of it.
  const [nowWallMs, nowMs] = [clock.wallMs(), clock.monotonicMs()];
  const offset = hubOffset(nowWallMs, nowMs);
  const wallMs = nowWallMs - (nowMs - monotonicMs);
  return {
    utc: isoUtc(wallMs + (offset?.offsetMs ?? 0)),
    monotonicMs: rounded(monotonicMs),
    bootId: clock.bootId,
    hubOffsetMs: offset?.offsetMs ?? null,
    hubOffsetErrorMs: offset?.errorMs ?? null,
  };
}

export const momentOf = ({ utc, monotonicMs, bootId }: ClockReading): Moment => ({
  utcMs: Date.parse(utc),
  monotonicMs,
  bootId,
});

/** Microseconds are as fine as any clock here is. */
export const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000;

export const later = (reading: ClockReading, ms: number): ClockReading => ({
  ...reading,
  utc: isoUtc(Date.parse(reading.utc) + ms),
  monotonicMs: rounded(reading.monotonicMs + ms),
});
