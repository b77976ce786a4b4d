import { describe, expect, test } from "vitest";
import { cpuLoadPercent } from "./health.ts";

describe("processor load", () => {
  test("is the busy share of the time between two readings", () => {
    expect(cpuLoadPercent({ busyMs: 1_000, totalMs: 4_000 }, { busyMs: 1_500, totalMs: 6_000 })).toBe(25);
  });

  test("is nothing between two readings of one instant", () => {
    expect(cpuLoadPercent({ busyMs: 5, totalMs: 9 }, { busyMs: 5, totalMs: 9 })).toBe(0);
  });
});
