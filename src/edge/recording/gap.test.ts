import { describe, expect, it } from "vitest";
import { elapsedMs, type Moment } from "../moment.ts";
import { gapBefore, gapToEnd, type EndOfTake } from "./gap.ts";

const moment = (utcMs: number, monotonicMs: number, bootId = "boot-1"): Moment => ({ utcMs, monotonicMs, bootId });

describe("gaps (never-again 10)", () => {
  it("never-again 11: are measured by the monotonic clock within a boot, however the wall clock jumps", () => {
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
    const former = { end: moment(1_000, 1_000, bootId), reason, known: undefined, isEmpty: false };
    expect(gapBefore(moment(3_000, 3_000), former, 0)).toMatchObject({ cause, durationMs: 2_000, fromUtcMs: 1_000 });
  });

  it("name what the recorder knew beyond the reason", () => {
    const known = { cause: "deviceLost" as const, detail: "unplugged: C920" };
    const former = { end: moment(0, 0), reason: "encoderDied" as const, known, isEmpty: false };
    expect(gapBefore(moment(700, 700), former, 0)).toMatchObject(known);
  });
});

const BOOT = "boot-1";
/** A minute after the end of the take. */
const now: Moment = { utcMs: 70_000, monotonicMs: 65_000, bootId: BOOT };
const former = (reason: EndOfTake["reason"], utcMs = 10_000): EndOfTake => ({
  end: { utcMs, monotonicMs: 5_000, bootId: BOOT },
  reason,
  known: undefined,
  isEmpty: false,
});

describe("the gap from a session's last take to its end (never-again 10)", () => {
  it("a session that ended in a pause was paused to its end", () => {
    expect(gapToEnd(former("paused"), 25_000, now)).toMatchObject({
      cause: "paused",
      fromUtcMs: 10_000,
      toUtcMs: 25_000,
      durationMs: 15_000,
    });
  });

  it("a box that was killed, and one that was started again, say so", () => {
    expect(gapToEnd(former("recovered"), 25_000, now)?.cause).toBe("agentDied");
    expect(gapToEnd(former("recovered"), 25_000, { ...now, bootId: "boot-2" })?.cause).toBe("powerLost");
  });

  it("the end of a take that began by a wrong clock is told from now", () => {
    expect(gapToEnd(former("paused", 3_610_000), 25_000, now)).toMatchObject({ fromUtcMs: 10_000, durationMs: 15_000 });
  });

  it("what the recorder knew of the end goes before the reason", () => {
    const known = { cause: "deviceLost", detail: "unplugged: camera" } as const;
    expect(gapToEnd({ ...former("encoderDied"), known }, 25_000, now)).toMatchObject(known);
  });

  it("a session whose last encoder had given nothing yet misses all since its first frame", () => {
    const empty = { ...former("sessionEnded"), isEmpty: true };
    expect(gapToEnd(empty, 12_100, now)).toMatchObject({ cause: "encoderStalled", durationMs: 2_100 });
    expect(gapToEnd(empty, 10_050, now)).toBeUndefined();
  });

  it("a recording that reached the end, or was ended by it, misses nothing", () => {
    expect(gapToEnd(former("encoderDied"), 9_000, now)).toBeUndefined();
    expect(gapToEnd(former("sessionEnded"), 25_000, now)).toBeUndefined();
  });
});
