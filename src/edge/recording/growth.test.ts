import { expect, it } from "vitest";
import { Growth } from "./growth.ts";

it("a take grows from its first bytes on, and stands still 3 s after its last", () => {
  const growth = new Growth(0);
  expect(growth.growing(100)).toBe(false);
  expect(growth.stalled()).toBe(false);
  growth.note(0, 1_000, 60_000);
  expect(growth.growing(60_100)).toBe(true);
  growth.note(0, 1_000, 62_000);
  expect(growth.growing(62_000)).toBe(false);
  expect(growth.stalled()).toBe(false);
  growth.note(0, 1_000, 63_100);
  expect(growth.stalled()).toBe(true);
});

it("a closed segment counts as growth although the next file is empty", () => {
  const growth = new Growth(0);
  growth.note(0, 5_000, 1_000);
  growth.note(1, 5_000, 5_000);
  expect(growth.growing(5_500)).toBe(true);
});

it("files are looked at seldom in the middle of a segment, and always where one begins or may end", () => {
  const growth = new Growth(0);
  growth.note(0, 0, 0);
  expect(growth.isDue(200)).toBe(true);
  growth.note(0, 1_000, 200);
  expect(growth.isDue(400)).toBe(false);
  expect(growth.isDue(800)).toBe(true);
  growth.note(0, 9_000, 8_400);
  expect(growth.isDue(8_600)).toBe(true);
  growth.note(1, 10_000, 10_000);
  expect(growth.isDue(10_200)).toBe(false);
});

it("of an encoder that was found running nobody knows when its segment ends, until one has ended", () => {
  const growth = new Growth(0);
  growth.note(3, 5_000, 0);
  expect(growth.isDue(200)).toBe(true);
  growth.note(4, 6_000, 200);
  expect(growth.isDue(400)).toBe(false);
});

it("an agent that stood still takes nobody for stalled before it has looked again", () => {
  const growth = new Growth(0);
  growth.note(0, 1_000, 1_000);
  growth.note(0, 2_000, 1_600);
  expect(growth.isDue(8_000)).toBe(true);
  expect(growth.stalled()).toBe(false);
  growth.note(0, 9_000, 8_000);
  expect(growth.stalled()).toBe(false);
});
