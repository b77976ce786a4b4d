import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createLog, systemClock, type Clock } from "../../platform/platform.ts";
import { HubOffsets, openHubOffsets } from "./clock-offset.ts";

const WALL_MS = 1_000_000;
/** An exchange with a hub whose clock is `ahead` of the box's, over a line with these delays. */
const sample = (ahead: number, up: number, down: number, askedMs: number) => {
  const t1 = WALL_MS + askedMs + up + ahead;
  return { askedMs, t1, t2: t1 + 1, readMs: askedMs + up + 1 + down };
};
const wallAt = (monotonicMs: number) => WALL_MS + monotonicMs;

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

  test("a line that is poor for minutes does not spoil it (never-again 11)", () => {
    const offsets = new HubOffsets();
    offsets.add(sample(250, 5, 5, 0));
    for (let atMs = 10_000; atMs < 300_000; atMs += 10_000) offsets.add(sample(250, 20, 420, atMs));
    expect(Math.abs(offsets.best(wallAt(300_000), 300_000)!.offsetMs - 250)).toBeLessThan(1);
  });

  test("the bound grows as a sample ages, until a fresh one is better", () => {
    const offsets = new HubOffsets();
    offsets.add(sample(0, 1, 1, 0));
    expect(offsets.best(wallAt(3_600_000), 3_600_000)!.errorMs).toBeGreaterThan(300);
    offsets.add(sample(0, 20, 20, 3_600_000));
    expect(offsets.best(wallAt(3_600_100), 3_600_100)!.errorMs).toBeLessThan(21);
  });

  test("a hub whose clock has been set is believed, however poor the line", () => {
    const offsets = new HubOffsets();
    offsets.add(sample(0, 1, 1, 0));
    offsets.add(sample(60_000, 80, 20, 10_000));
    expect(Math.abs(offsets.best(wallAt(11_000), 11_000)!.offsetMs - 60_000)).toBeLessThan(51);
  });

  test("a wall clock that is set moves the offset in that instant, and the time that is told not at all (never-again 11)", () => {
    const offsets = new HubOffsets();
    offsets.add(sample(250, 1, 1, 0));
    const hubMs = (wallMs: number) => wallMs + offsets.best(wallMs, 1_000)!.offsetMs;
    expect(hubMs(wallAt(1_000) + 3_600_000)).toBeCloseTo(hubMs(wallAt(1_000)), 6);
    expect(hubMs(wallAt(1_000) - 3_600_000)).toBeCloseTo(wallAt(1_000) + 250, 6);
  });

  test("an exchange during which the hub's clock was set counts for nothing", () => {
    const offsets = new HubOffsets();
    offsets.add({ askedMs: 10, readMs: 20, t1: 5_000, t2: 9_000 });
    offsets.add({ askedMs: 10, readMs: 20, t1: 9_000, t2: -3_600_000 });
    expect(offsets.best(4_000, 10)).toBeNull();
  });

  test("what one life of the agent has measured, the next goes on with, in the same boot only (never-again 11)", async () => {
    const directory = await mkdtemp(join(tmpdir(), "diemcau-clock-"));
    try {
      const clock = (bootId: string): Clock => ({ ...systemClock, bootId });
      const open = (bootId: string) =>
        openHubOffsets(
          directory,
          createLog(systemClock, () => {}),
          clock(bootId),
        );
      const kept = async (bootId: string) => (await open(bootId)).best(wallAt(60_000), 60_000);
      expect(await kept("a")).toBeNull();
      const first = await open("a");
      first.add(sample(250, 2, 2, 0));
      await expect.poll(() => kept("a")).toEqual(first.best(wallAt(60_000), 60_000));
      expect(await kept("b")).toBeNull();
      const second = await open("a");
      second.add(sample(250, 10, 300, 61_000));
      expect(second.best(wallAt(62_000), 62_000)!.offsetMs).toBeCloseTo(250, 0);
      await writeFile(join(directory, "hub-clock.json"), '{"bootId":"a","hubMi');
      expect(await kept("a")).toBeNull();
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
