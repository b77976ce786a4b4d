import { describe, expect, test } from "vitest";
import { parseOutputs, planOutputs, screenWanted, type ScreenFacts } from "./screen-power.ts";

const HOUR_MS = 3_600_000;
/** 21 November 2026 in Vietnam, seven hours ahead of UTC. */
const at = (hour: number) => Date.UTC(2026, 10, 21, hour - 7);
const quiet: ScreenFacts = {
  utcMs: at(23),
  runningMs: 9 * HOUR_MS,
  paired: true,
  inSession: false,
  nextSessionUtcMs: null,
};
const hours = { from: 6, to: 19 };

describe("the room's TV", () => {
  test("is dark at night and bright by day, in Vietnam's time", () => {
    expect([5, 6, 12, 18, 19, 23].map((hour) => screenWanted(hours, { ...quiet, utcMs: at(hour) }))).toEqual([
      ...[false, true, true, true, false, false],
    ]);
    expect([2, 20, 23].map((hour) => screenWanted({ from: 20, to: 4 }, { ...quiet, utcMs: at(hour) }))).toEqual([
      ...[true, true, true],
    ]);
  });

  test("is never dark without being asked for, in a session, for three hours before one, while nobody has paired the box, and after it was switched on", () => {
    expect(screenWanted(undefined, quiet)).toBe(true);
    expect(screenWanted(hours, { ...quiet, inSession: true })).toBe(true);
    expect(screenWanted(hours, { ...quiet, nextSessionUtcMs: at(26) })).toBe(true);
    expect(screenWanted(hours, { ...quiet, nextSessionUtcMs: at(27) })).toBe(false);
    // A session that is late.
    expect(screenWanted(hours, { ...quiet, nextSessionUtcMs: at(22) })).toBe(true);
    expect(screenWanted(hours, { ...quiet, paired: false })).toBe(true);
    expect(screenWanted(hours, { ...quiet, runningMs: 20 * 60_000 })).toBe(true);
  });

  test("is asked by wlr-randr, and told only where something is to change", () => {
    const text = `HDMI-A-1 "Samsung Electric Company SAMSUNG 0x00000F00"
  Physical size: 1600x900 mm
  Enabled: yes
  Modes:
    1920x1080 px, 60.000000 Hz (preferred, current)
    1280x720 px, 60.000000 Hz
HEADLESS-1 "Headless output 1"
  Enabled: no
`;
    const outputs = parseOutputs(text);
    expect(outputs).toEqual([
      { name: "HDMI-A-1", enabled: true, hasPreferred: true },
      { name: "HEADLESS-1", enabled: false, hasPreferred: false },
    ]);
    expect(planOutputs(outputs, false)).toEqual([["--output", "HDMI-A-1", "--off"]]);
    expect(planOutputs(outputs, true)).toEqual([["--output", "HEADLESS-1", "--on", "--custom-mode", "1920x1080"]]);
    const off = parseOutputs(text.replace("Enabled: yes", "Enabled: no"));
    expect(planOutputs(off, true)[0]).toEqual(["--output", "HDMI-A-1", "--on", "--preferred"]);
  });
});
