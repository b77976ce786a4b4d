import { describe, expect, test } from "vitest";
import type { SessionEventView } from "../../hub/http/views.ts";
import { latestMark, marksOf, nextMark } from "./session-marks.ts";

const START = Date.parse("2026-11-23T01:00:00.000Z");
const at = (seconds: number) => START + seconds * 1_000;
const event = (seconds: number, kind: SessionEventView["kind"], more: Partial<SessionEventView> = {}) => ({
  ...{ at: new Date(at(seconds)).toISOString(), kind, actor: null, point: null },
  ...more,
});
const log: SessionEventView[] = [
  event(-600, "created"),
  event(-500, "testMissed"),
  event(-400, "tested", { detail: { test: { minutesBefore: 120, clear: 1, rooms: 1, others: [] } } }),
  event(0, "started"),
  event(60, "marked", { actor: "Nguyễn Thị Lan", detail: { text: "Ông Bình trình bày" } }),
  event(120, "interrupted", { detail: { text: "Mất điện" } }),
  event(150, "muted", { point: { id: "point-a" as never, name: "Xã Tịnh Khê" } }),
  event(180, "interruptionEnded"),
  event(240, "alarmRaised", { cause: "soundSilent", point: { id: "point-a" as never, name: "Xã Tịnh Khê" } }),
  event(300, "paused"),
  event(400, "ended"),
];

describe("the session's log on the timeline", () => {
  const marks = marksOf(log);

  test("has a mark by its name, a break from its beginning to its end, and all else", () => {
    expect(marks.map(({ at: from, to, kind }) => [(from - START) / 1_000, to && (to - START) / 1_000, kind])).toEqual([
      [0, undefined, "act"],
      [60, undefined, "mark"],
      [120, 180, "break"],
      [150, undefined, "act"],
      [180, undefined, "act"],
      [240, undefined, "trouble"],
      [300, 400, "break"],
      [400, undefined, "act"],
    ]);
    expect(marks[1]).toMatchObject({
      label: "Ông Bình trình bày",
      words: "08:01:00 Đánh dấu, “Ông Bình trình bày”, Nguyễn Thị Lan",
    });
    expect(marks[3]!.words).toBe("08:02:30 Tắt tiếng: Xã Tịnh Khê, hệ thống ghi nhận");
    // A pause that lasts has no end yet.
    expect(marksOf([event(5, "paused")])[0]).not.toHaveProperty("to");
  });

  test("is gone through from one place that matters to the next", () => {
    expect(nextMark(marks, at(0), 1)).toBe(at(60));
    expect(nextMark(marks, at(60), 1)).toBe(at(120));
    expect(nextMark(marks, at(300), 1)).toBeUndefined();
    expect(nextMark(marks, at(300), -1)).toBe(at(240));
    // Pressed twice, it goes on although playing has moved a little.
    expect(nextMark(marks, at(241), -1)).toBe(at(120));
    expect(nextMark(marks, at(30), -1)).toBeUndefined();
    expect(latestMark(marks, at(200))!.at).toBe(at(180));
    expect(latestMark(marks, at(-1))).toBeUndefined();
  });
});
