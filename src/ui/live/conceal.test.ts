import { describe, expect, test } from "vitest";
import { Concealment } from "./conceal.ts";

const RATE = 48_000;
const END = 48_000;
/** A voice in short: a pitch of 140 Hz with overtones. */
const voice = (position: number): number => {
  const phase = (position / RATE) * 140 * 2 * Math.PI;
  return 0.3 * Math.sin(phase) + 0.2 * Math.sin(2 * phase + 1) + 0.1 * Math.sin(5 * phase + 2);
};
const play = (at: (position: number) => number, count: number, step = 1): number[] => {
  const concealment = new Concealment(at, END, RATE);
  return Array.from({ length: count }, () => concealment.next(step));
};

describe("concealment", () => {
  test("goes on with the voice as if nothing were missing", () => {
    const played = play(voice, 480);
    for (const [i, value] of played.entries()) expect(Math.abs(value - voice(END + i))).toBeLessThan(0.03);
  });

  test("begins and repeats without a click, and ends in silence after 60 ms", () => {
    const played = [voice(END - 1), ...play(voice, RATE / 10)];
    const steepestOf = (values: number[]) =>
      Math.max(...values.slice(1).map((value, i) => Math.abs(value - values[i]!)));
    const own = steepestOf(Array.from({ length: 2_000 }, (_, i) => voice(i)));
    expect(steepestOf(played)).toBeLessThan(own * 1.3);
    expect(played.slice((RATE * 61) / 1000).every((value) => value === 0)).toBe(true);
  });

  test("never reads what is not there yet, nor further back than it says", () => {
    let lowest = Infinity;
    let highest = -Infinity;
    const watched = (position: number) => {
      lowest = Math.min(lowest, position);
      highest = Math.max(highest, position);
      return voice(position);
    };
    play(watched, 4_000, 2);
    expect(highest).toBeLessThan(END);
    expect(lowest).toBeGreaterThan(END - (RATE * 42) / 1000);
  });

  test("makes nothing out of silence", () => {
    expect(play(() => 0, 3_000).every((value) => value === 0)).toBe(true);
  });
});
