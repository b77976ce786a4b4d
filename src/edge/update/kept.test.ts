import { describe, expect, test } from "vitest";
import { afterBoot, type TrialReport, type Tried } from "./kept.ts";

const tried: Tried = {
  ...{ id: "a".repeat(64), version: "2", attempt: 0, bootId: "boot-1", former: "1", phase: "installed" },
  ...{ reason: null, detail: "", fitted: { camera: true, microphone: true }, lastTake: null },
};
const report = (fields: Partial<TrialReport> = {}): TrialReport => ({
  ...{ v: 1, version: "2", bootId: "boot-2", by: "gate", ok: true, reason: null, detail: "" },
  ...fields,
});
const boot = (running: string, counted: boolean, found?: TrialReport, bootId = "boot-2") =>
  afterBoot(tried, { running, bootId, counted, report: found });

describe("after an installation", () => {
  test("the same boot is no verdict: it cannot run yet", () => {
    expect(boot("1", false, undefined, "boot-1").phase).toBe("installed");
  });

  test("it is on trial while its boot is counted and the gate has not spoken in this boot", () => {
    expect(boot("2", true).phase).toBe("installed");
    expect(boot("2", true, report({ by: "trial" })).phase).toBe("installed");
    expect(boot("2", true, report({ bootId: "boot-0" })).phase).toBe("installed");
  });

  test("it is healthy when the gate says so, or the boot loader has stopped counting", () => {
    expect(boot("2", true, report()).phase).toBe("done");
    expect(boot("2", false).phase).toBe("done");
  });

  test("never-again 12: the former release running again is a fall-back, with the reason that was found or that none was", () => {
    const failed = report({ ok: false, reason: "cameraMissing", detail: "no camera" });
    expect(boot("1", false, failed)).toEqual({ phase: "failed", reason: "cameraMissing", detail: "no camera" });
    expect(boot("1", false)).toMatchObject({ phase: "failed", reason: "didNotStart" });
    // Of another release, or good and yet not there any more.
    expect(boot("1", false, report({ version: "3", ok: false, reason: "x" }))).toMatchObject({ reason: "didNotStart" });
    expect(boot("1", false, report())).toMatchObject({ reason: "didNotStart" });
  });
});
