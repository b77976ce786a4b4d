import { expect, test } from "vitest";
import { systemClock, type Clock } from "../platform/platform.ts";
import { hubNow, newHubTime, readHubTime, type OffsetAt } from "./hub-time.ts";

const HOUR_MS = 3_600_000;
const clock = (wallMs: number, monotonicMs: number, bootId = "a"): Clock => ({
  ...systemClock,
  bootId,
  wallMs: () => wallMs,
  monotonicMs: () => monotonicMs,
});
const unknown: OffsetAt = () => null;
const offset =
  (offsetMs: number): OffsetAt =>
  () => ({ offsetMs, errorMs: 3 });
const measured = newHubTime(clock(10_000, 500), null, offset(40))!;

test("never-again 11: within a boot the hub's time goes on whatever is done to the wall clock", () => {
  expect(measured).toEqual({ utcMs: 10_040, monotonicMs: 500, bootId: "a", offsetMs: 40 });
  for (const jumpMs of [0, HOUR_MS, -HOUR_MS])
    expect(hubNow(clock(11_000 + jumpMs, 1_500), measured, unknown).utcMs).toBe(11_040);
});

test("what is measured now is better than what was kept", () => {
  expect(hubNow(clock(11_000, 1_500), measured, offset(190)).utcMs).toBe(11_190);
  expect(readHubTime(clock(11_000, 1_500), measured, offset(190))).toMatchObject({
    ...{ utc: "1970-01-01T00:00:11.190Z", hubOffsetMs: 190, hubOffsetErrorMs: 3 },
  });
});

test("after another boot the last known error is all there is; before the first measurement the wall clock is", () => {
  expect(hubNow(clock(50_000, 3, "b"), measured, unknown).utcMs).toBe(50_040);
  expect(hubNow(clock(50_000, 3, "b"), null, unknown).utcMs).toBe(50_000);
});

test("a measurement is kept when it says something new", () => {
  expect(newHubTime(clock(11_000, 1_500), measured, unknown)).toBeUndefined();
  expect(newHubTime(clock(11_000, 1_500), measured, offset(41))).toBeUndefined();
  expect(newHubTime(clock(11_000 + HOUR_MS, 1_500), measured, offset(40 - HOUR_MS))).toMatchObject({
    offsetMs: 40 - HOUR_MS,
  });
  expect(newHubTime(clock(11_000, 3, "b"), measured, offset(40))).toMatchObject({ bootId: "b" });
});

test("what is said of a session carries the offset only where it was measured in this boot", () => {
  expect(readHubTime(clock(11_000, 1_500), measured, unknown)).toEqual({
    ...{ utc: "1970-01-01T00:00:11.040Z", monotonicMs: 1_500, bootId: "a" },
    ...{ hubOffsetMs: null, hubOffsetErrorMs: null },
  });
});
