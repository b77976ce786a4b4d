import { describe, expect, test } from "vitest";
import { parseAvcConfig } from "./avc.ts";

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g)!, (pair) => Number.parseInt(pair, 16));

/** Written by libx264 for pictures of these sizes. */
const AVCC = {
  baseline: "0142c01fffe1001a6742c01fd900a42fe224c044000003000400000300c83c60c92001000568cb83cb20",
  main: "014d401fffe1001a674d401feca05217f1126022000003000200000300641e30632c01000568ebe3cb20",
  high444: "01f4001fffe1001a67f4001f919b281485fc7cf808800000030080000019078c18cb01000668ebe3c44844fff8f800",
  interlaced: "01640020ffe1001a67640020acd940500bbf2e0220000003002000000643e2c5b2c001000668fba3cb22c0fdf8f800",
};

describe("parseAvcConfig", () => {
  test.each([
    ["baseline", "avc1.42c01f", 642, 362],
    ["main", "avc1.4d401f", 642, 362],
    ["high444", "avc1.f4001f", 642, 362],
    ["interlaced", "avc1.640020", 1280, 720],
  ] as const)("reads codec and size of a %s stream", (name, codec, width, height) => {
    const avcC = bytes(AVCC[name]);
    expect(parseAvcConfig(avcC)).toEqual({ codec, width, height, nalLengthBytes: 4, description: avcC });
  });

  test("refuses every truncation that cuts the sequence parameter set, and never throws", () => {
    for (const hex of Object.values(AVCC)) {
      const avcC = bytes(hex);
      for (let length = 0; length < 8 + 26; length++) expect(parseAvcConfig(avcC.subarray(0, length))).toBeUndefined();
    }
  });

  test("refuses a parameter set that ends in the middle of its values", () => {
    const avcC = bytes(AVCC.main).slice(0, 8 + 6);
    avcC[7] = 6;
    expect(parseAvcConfig(avcC)).toBeUndefined();
  });

  test("survives any flipped byte", () => {
    const avcC = bytes(AVCC.high444);
    for (let at = 0; at < avcC.length; at++)
      for (const value of [0, 0xff, avcC[at]! ^ 0x55]) {
        const broken = avcC.slice();
        broken[at] = value;
        expect(() => parseAvcConfig(broken)).not.toThrow();
      }
  });
});
