import { describe, expect, test } from "vitest";
import { meterOf } from "../design/meter.ts";
import { heardOf, judgeChime } from "./trial.ts";

const levels = (...lufs: (number | null)[]) => lufs.map((value) => ({ lufs: value, speech: false }));

describe("test of loudspeaker and microphone", () => {
  const room = levels(-52, -50, -51, -53, -49);

  test("a chime that stands out of the room's noise was heard", () => {
    expect(judgeChime(room, levels(-50, -41, -32, -30, -31, -38))).toBe("good");
  });
  test("a television that is off is not taken for good because somebody moved a chair", () => {
    expect(judgeChime(room, levels(-51, -50, -44, -52, -50, -51, -49, -52))).toBe("noSound");
  });
  test("a microphone that gives digital silence hears nothing", () => {
    expect(judgeChime(levels(null, null, null), levels(null, null, null, null))).toBe("noSound");
  });
  test("without measurements nothing is claimed", () => {
    expect(judgeChime([], levels(-30, -30, -30))).toBe("noMeter");
    expect(judgeChime(room, [])).toBe("noMeter");
  });
});

describe("meter for trying one's voice", () => {
  test("says what was heard of speech, and takes noise for none", () => {
    expect(heardOf([{ lufs: -24, speech: true }])).toBe("heard");
    expect(heardOf([{ lufs: -46, speech: true }])).toBe("quiet");
    expect(heardOf(levels(-20, -20))).toBe("silent");
  });
  test("stays within its bar", () => {
    expect(meterOf(undefined)).toBe(0);
    expect(meterOf(null)).toBe(0);
    expect(meterOf(-90)).toBe(0);
    expect(meterOf(3)).toBe(1);
    expect(meterOf(-35)).toBeCloseTo(0.5);
  });
});
