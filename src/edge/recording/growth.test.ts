import { expect, it } from "vitest";
import { Growth } from "./growth.ts";

it("a take grows from its first bytes on, and stands still 3 s after its last", () => {
  const growth = new Growth(0);
  expect(growth.growing(100)).toBe(false);
  expect(growth.stalled(60_000)).toBe(false);
  growth.note(0, 1_000, 60_000);
  expect(growth.growing(60_100)).toBe(true);
  growth.note(0, 1_000, 62_000);
  expect(growth.growing(62_000)).toBe(false);
  expect(growth.stalled(62_000)).toBe(false);
  expect(growth.stalled(63_100)).toBe(true);
});

it("a closed segment counts as growth although the next file is empty", () => {
  const growth = new Growth(0);
  growth.note(0, 5_000, 1_000);
  growth.note(1, 5_000, 5_000);
  expect(growth.growing(5_500)).toBe(true);
});
