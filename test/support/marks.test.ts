import { expect, test } from "vitest";
import { markAgeMs, markedSample, MarkReader } from "./marks.ts";

test("each mark is found where it is, and is known again two seconds later", () => {
  const rate = 48_000;
  const startMs = 1_795_297_000_123;
  const lateMs = 87;
  const reader = new MarkReader(rate);
  const ages: number[] = [];
  for (let n = 0; n < rate * 4; n += 128) {
    const piece = Float32Array.from({ length: 128 }, (_, i) => markedSample(startMs + ((n + i) / rate) * 1000));
    for (const mark of reader.push(piece, startMs + (n / rate) * 1000 + lateMs)) ages.push(markAgeMs(mark));
  }
  expect(ages.length).toBe(16);
  for (const age of ages) expect(Math.abs(age - lateMs)).toBeLessThan(1);
});

test("an age beyond the cycle is told by what is known of it", () => {
  const mark = { atMs: 4 * 250 + 90, code: 4 };
  expect(markAgeMs(mark)).toBe(90);
  expect(markAgeMs(mark, 5_900)).toBe(6_090);
});
