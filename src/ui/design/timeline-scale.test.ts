import { describe, expect, test } from "vitest";
import { follow, mergeBars, pan, position, ticks, zoom } from "./timeline-scale.ts";

const whole = { from: 0, to: 3_600_000 };

describe("bars", () => {
  test("neighbours of one state are one bar, a hole stays a hole", () => {
    expect(
      mergeBars([
        { from: 10_040, to: 20_000, state: "hub" },
        { from: 0, to: 10_000, state: "hub" },
        { from: 25_000, to: 30_000, state: "hub" },
        { from: 30_000, to: 40_000, state: "waiting" },
      ]),
    ).toEqual([
      { from: 0, to: 20_000, state: "hub" },
      { from: 25_000, to: 30_000, state: "hub" },
      { from: 30_000, to: 40_000, state: "waiting" },
    ]);
  });
});

describe("view", () => {
  test("zooming keeps the instant under the pointer in its place", () => {
    const view = zoom(whole, whole, 0.5, 900_000);
    expect(view.to - view.from).toBe(1_800_000);
    expect(position(view, 900_000)).toBeCloseTo(0.25);
  });
  test("zooming out never leaves the whole", () => {
    expect(zoom({ from: 3_000_000, to: 3_600_000 }, whole, 100, 3_500_000)).toEqual(whole);
  });
  test("zooming in ends at two seconds", () => {
    const view = zoom({ from: 0, to: 3_000 }, whole, 0.1, 1_000);
    expect(view.to - view.from).toBe(2_000);
  });
  test("panning stops at the ends", () => {
    expect(pan({ from: 0, to: 60_000 }, whole, -5_000)).toEqual({ from: 0, to: 60_000 });
    expect(pan({ from: 0, to: 60_000 }, whole, 9e9)).toEqual({ from: 3_540_000, to: 3_600_000 });
  });
  test("the view follows a cursor that ran out of it, and rests otherwise", () => {
    const view = { from: 0, to: 60_000 };
    expect(follow(view, whole, 30_000)).toBe(view);
    expect(follow(view, whole, 61_000)).toEqual({ from: 55_000, to: 115_000 });
  });
});

test("the axis has round instants and not too many", () => {
  const { stepMs, at } = ticks({ from: 100_000, to: 700_000 }, 10);
  expect(stepMs).toBe(60_000);
  expect(at[0]).toBe(120_000);
  expect(at).toHaveLength(10);
});
