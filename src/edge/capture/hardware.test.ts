import { describe, expect, it } from "vitest";
import { judgeTrial } from "./hardware.ts";

const packets = (change: (i: number) => string | undefined = () => undefined) =>
  Array.from(
    { length: 50 },
    (_, i) => change(i) ?? `${(1.4 + i / 25).toFixed(6)},${i % 25 === 0 ? "K__" : "___"}`,
  ).join("\n");
const GOOD = "[Parsed_psnr_4 @ 0x1] PSNR y:41.2 u:43.1 v:43.0 average:41.9 min:39.8 max:47.1";

describe("a trial of the graphics chip", () => {
  it("passes where every picture came out again, in order, with its key frames", () => {
    expect(judgeTrial(packets(), GOOD)).toBeUndefined();
    expect(
      judgeTrial(packets(), GOOD.replace("average:41.9", "average:inf").replace("min:39.8", "min:inf")),
    ).toBeUndefined();
  });

  it("fails where pictures are missing, out of order, without key frames, or others", () => {
    expect(judgeTrial(packets().split("\n").slice(1).join("\n"), GOOD)).toContain("49 pictures");
    expect(
      judgeTrial(
        packets((i) => (i === 7 ? "1.400000,___" : undefined)),
        GOOD,
      ),
    ).toContain("order");
    expect(
      judgeTrial(
        packets((i) => (i === 25 ? "2.400000,___" : undefined)),
        GOOD,
      ),
    ).toContain("key frames at 0");
    expect(judgeTrial(packets(), GOOD.replace("41.9", "12.1"))).toContain("PSNR 12.1");
    expect(judgeTrial(packets(), GOOD.replace("39.8", "11.0"))).toContain("worst 11.0");
    expect(judgeTrial(packets(), "")).toContain("unknown");
  });
});
