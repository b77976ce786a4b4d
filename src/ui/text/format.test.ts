import { describe, expect, test } from "vitest";
import {
  ago,
  byName,
  clockTime,
  clockTimeSeconds,
  count,
  dateFieldValue,
  dayAndTime,
  duration,
  fold,
  instantOf,
  longDate,
  percent,
  remaining,
  size,
  stopwatch,
} from "./format.ts";

/** Words are compared with ordinary spaces; that numbers hold on to their units is tested once. */
const plain = (text: string): string => text.replaceAll("\u00a0", " ");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe("dates and times", () => {
  test("a date is written with its weekday, in the time of Việt Nam", () => {
    expect(longDate("2026-11-23T01:00:00Z")).toBe("thứ Hai, 23/11/2026");
    expect(longDate("2026-11-22T17:00:00Z")).toBe("thứ Hai, 23/11/2026");
    expect(longDate("2026-11-22T16:59:59Z")).toBe("Chủ Nhật, 22/11/2026");
  });
  test("times run over 24 hours and midnight is 00:00", () => {
    expect(clockTime("2026-11-23T07:05:09Z")).toBe("14:05");
    expect(clockTimeSeconds("2026-11-23T07:05:09Z")).toBe("14:05:09");
    expect(clockTime("2026-11-22T17:00:00Z")).toBe("00:00");
  });
  test("near days are named, others are written out", () => {
    const now = "2026-11-23T05:00:00Z";
    expect(dayAndTime("2026-11-23T07:05:00Z", now)).toBe("14:05 hôm nay");
    expect(dayAndTime("2026-11-23T20:00:00Z", now)).toBe("03:00 ngày mai");
    expect(dayAndTime("2026-11-22T07:05:00Z", now)).toBe("14:05 hôm qua");
    expect(dayAndTime("2026-12-01T01:00:00Z", now)).toBe("08:00, thứ Ba, 01/12/2026");
  });
  test("a chosen date and time is an instant of Việt Nam, and back", () => {
    expect(instantOf("2026-11-23", "08:00")).toBe("2026-11-23T01:00:00.000Z");
    expect(dateFieldValue("2026-11-22T18:00:00Z")).toBe("2026-11-23");
  });
});

describe("durations", () => {
  test.each([
    [0, "0 giây"],
    [300, "dưới 1 giây"],
    [45_000, "45 giây"],
    [59_700, "1 phút"],
    [3 * MINUTE + 5_000, "3 phút 5 giây"],
    [2 * HOUR + 10 * MINUTE + 30_000, "2 giờ 10 phút"],
    [2 * HOUR + 30_000, "2 giờ"],
    [49 * HOUR, "2 ngày 1 giờ"],
  ])("%d ms", (ms, words) => expect(plain(duration(ms))).toBe(words));
  test("a countdown shows whole minutes and never less than the truth", () => {
    expect(plain(remaining(2 * HOUR + 10 * MINUTE + 59_000))).toBe("còn 2 giờ 10 phút");
    expect(plain(remaining(20_000))).toBe("còn 20 giây");
    expect(remaining(-1)).toBe("đã đến giờ");
  });
  test("what just happened is not counted in seconds", () => {
    expect(ago(4_000)).toBe("vừa xong");
    expect(plain(ago(5 * MINUTE + 40_000))).toBe("5 phút trước");
  });
  test("a stopwatch has hours and two digits", () => {
    expect(stopwatch(0)).toBe("0:00:00");
    expect(stopwatch(5_025_999)).toBe("1:23:45");
    expect(stopwatch(-5)).toBe("0:00:00");
  });
});

describe("numbers", () => {
  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1 kB"],
    [1_940_000_000, "1,9 GB"],
    [999_960, "1 MB"],
    [123_456_789, "123 MB"],
  ])("%d bytes", (bytes, words) => expect(plain(size(bytes))).toBe(words));
  test("a number does not part from its unit", () => expect(size(1_900_000_000)).toBe("1,9\u00a0GB"));
  test("thousands are grouped by dots", () => {
    expect(count(124)).toBe("124");
    expect(count(1_240)).toBe("1.240");
    expect(count(12_345_678)).toBe("12.345.678");
  });
  test("100 % is said only of the whole", () => {
    expect(plain(percent(999, 1000))).toBe("99 %");
    expect(plain(percent(1000, 1000))).toBe("100 %");
    expect(plain(percent(0, 0))).toBe("0 %");
  });
});

describe("names", () => {
  test("a filter finds names typed without diacritics", () => {
    expect(fold("  Xã Đức  Phổ ")).toBe("xa duc pho");
    expect(fold("Phường Trương Quang Trọng")).toContain("truong quang");
  });
  test("numbers inside names count by value", () =>
    expect(["Phòng 10", "Phòng 9", "An Phú"].sort(byName)).toEqual(["An Phú", "Phòng 9", "Phòng 10"]));
});
