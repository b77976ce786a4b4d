import { expect, it } from "vitest";
import { parseSegmentList, unwrapMs } from "./segment-list.ts";

it("reads what FFmpeg 5.1 wrote", () => {
  const text = "000000.ts,0.000000,10.021333\n000001.ts,10.021333,20.021333\n";
  expect(parseSegmentList(text.split("\n"))).toEqual([
    { seq: 0, startMs: 0, endMs: 10_021.333 },
    { seq: 1, startMs: 10_021.333, endMs: 20_021.333 },
  ]);
});

it("leaves out lines that are torn or foreign", () => {
  expect(parseSegmentList(["000002.ts,20.02", "", "x.ts,0,1", "../000001.ts,0,1"])).toEqual([]);
});

it("continues media time over the wrap of MPEG-TS, after 26.5 hours", () => {
  const wrapMs = 2 ** 33 / 90;
  expect(unwrapMs(21.3, 0)).toBe(21.3);
  expect(unwrapMs(40, wrapMs)).toBeCloseTo(wrapMs + 40);
  expect(unwrapMs(wrapMs - 40, 3 * wrapMs)).toBeCloseTo(3 * wrapMs - 40);
});
