import { describe, expect, it } from "vitest";
import { elapsedMs, gapBefore, type Moment } from "./gap.ts";

const moment = (utcMs: number, monotonicMs: number, bootId = "boot-1"): Moment => ({ utcMs, monotonicMs, bootId });

describe("gaps", () => {
  it("are measured by the monotonic clock within a boot, however the wall clock jumps", () => {
    expect(elapsedMs(moment(1_000_000, 500), moment(5_000, 1_700))).toBe(1_200);
    expect(elapsedMs(moment(1_000_000, 9_999_000), moment(1_060_000, 700, "boot-2"))).toBe(60_000);
  });

  it("are never negative", () => {
    expect(elapsedMs(moment(0, 500), moment(0, 499))).toBe(0);
    expect(elapsedMs(moment(1_000, 0), moment(500, 0, "boot-2"))).toBe(0);
  });

  it("of a first take reach from the session's start to the first frame", () => {
    expect(gapBefore(moment(10_338, 400), undefined, 10_000)).toMatchObject({
      cause: "starting",
      fromUtcMs: 10_000,
      toUtcMs: 10_338,
      durationMs: 338,
    });
  });

  it("are none where the first frame is older than the session", () => {
    expect(gapBefore(moment(9_999, 400), undefined, 10_000)).toBeUndefined();
  });

  it.each([
    ["paused", "boot-1", "paused"],
    ["encoderDied", "boot-1", "encoderDied"],
    ["encoderStalled", "boot-1", "encoderStalled"],
    ["agentStopped", "boot-1", "agentDied"],
    ["recovered", "boot-1", "agentDied"],
    ["recovered", "boot-0", "powerLost"],
    ["sessionEnded", "boot-1", "unknown"],
  ] as const)("after a take that ended as %s in %s are caused by %s", (reason, bootId, cause) => {
    const former = { end: moment(1_000, 1_000, bootId), reason, known: undefined };
    expect(gapBefore(moment(3_000, 3_000), former, 0)).toMatchObject({ cause, durationMs: 2_000, fromUtcMs: 1_000 });
  });

  it("name what the recorder knew beyond the reason", () => {
    const known = { cause: "deviceLost" as const, detail: "unplugged: C920" };
    const former = { end: moment(0, 0), reason: "encoderDied" as const, known };
    expect(gapBefore(moment(700, 700), former, 0)).toMatchObject(known);
  });
});
