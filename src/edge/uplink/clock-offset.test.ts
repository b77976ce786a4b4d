import { describe, expect, test } from "vitest";
import { HubOffsets } from "./clock-offset.ts";

/** An exchange with a hub whose clock is `ahead` of the box's, over a line with these delays. */
const sample = (ahead: number, up: number, down: number, atMs: number, boxWall = 1_000_000) => {
  const t0 = boxWall + atMs;
  return {
    t0,
    t1: t0 + up + ahead,
    t2: t0 + up + ahead + 1,
    t3: t0 + up + 1 + down,
    monotonicMs: atMs + up + 1 + down,
  };
};
const wallAt = (monotonicMs: number) => 1_000_000 + monotonicMs;

describe("hub clock offset", () => {
  test("is unknown before the first exchange", () => {
    expect(new HubOffsets().best(wallAt(0), 0)).toBeNull();
  });

  test("the exchange with the shortest round trip wins, and its error bounds the truth", () => {
    const offsets = new HubOffsets();
    offsets.add(sample(250, 10, 90, 0));
    offsets.add(sample(250, 5, 6, 1_000));
    offsets.add(sample(250, 80, 10, 2_000));
    const best = offsets.best(wallAt(2_100), 2_100)!;
    expect(Math.abs(best.offsetMs - 250)).toBeLessThanOrEqual(best.errorMs);
    expect(best.errorMs).toBeLessThan(6);
  });

  test("the bound grows as a sample ages, until a fresh one is better", () => {
    const offsets = new HubOffsets();
    offsets.add(sample(0, 1, 1, 0));
    expect(offsets.best(wallAt(3_600_000), 3_600_000)!.errorMs).toBeGreaterThan(300);
    offsets.add(sample(0, 20, 20, 3_600_000));
    expect(offsets.best(wallAt(3_600_100), 3_600_100)!.errorMs).toBeLessThan(21);
  });

  test("a wall clock that is set moves the offset in that instant, and the time that is told not at all (never-again 11)", () => {
    const offsets = new HubOffsets();
    offsets.add(sample(250, 1, 1, 0));
    const hubMs = (wallMs: number) => wallMs + offsets.best(wallMs, 1_000)!.offsetMs;
    expect(hubMs(wallAt(1_000) + 3_600_000)).toBeCloseTo(hubMs(wallAt(1_000)), 6);
    expect(hubMs(wallAt(1_000) - 3_600_000)).toBeCloseTo(wallAt(1_000) + 250, 6);
  });

  test("an exchange during which the clock was set counts for nothing", () => {
    const offsets = new HubOffsets();
    offsets.add({ t0: 5_000, t1: 9_000, t2: 9_001, t3: 4_000, monotonicMs: 10 });
    offsets.add({ t0: 5_000, t1: 9_000, t2: 9_001, t3: 3_605_001, monotonicMs: 10 });
    expect(offsets.best(4_000, 10)).toBeNull();
  });
});
