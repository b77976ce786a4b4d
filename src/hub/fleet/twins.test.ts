import { describe, expect, test } from "vitest";
import { Lives } from "./twins.ts";

const said = (lives: Lives, words: string, everyMs = 500, fromMs = 0) =>
  [...words].forEach((life, i) => lives.note(life, fromMs + i * everyMs));

describe("two boxes with one identity", () => {
  test("are told by lives that come back by turns", () => {
    const lives = new Lives();
    said(lives, "aba");
    expect(lives.twins(1_000)).toBeUndefined();
    lives.note("b", 1_500);
    expect(lives.twins(1_500)).toEqual(["a", "b"]);
  });

  test("are not a box that is started again and again, nor one that comes back over a poor line", () => {
    const lives = new Lives();
    said(lives, "aaabbbcdddefghijklmnopqrstuvwxyz".repeat(1));
    expect(lives.twins(20_000)).toBeUndefined();
  });

  test("are not a message that was kept back for once", () => {
    const lives = new Lives();
    said(lives, "abab".slice(0, 3));
    said(lives, "cdefgdhijk", 500, 10_000);
    // Two in all, but far apart.
    lives.note("h", 11 * 60_000);
    expect(lives.twins(11 * 60_000)).toBeUndefined();
  });

  test("stand until only one has spoken for two minutes, also over a restart of the hub", () => {
    const lives = new Lives();
    said(lives, "abab");
    expect(lives.twins(1_500 + 119_000)).toBeDefined();
    expect(lives.twins(1_500 + 120_000)).toBeUndefined();
    expect(new Lives(5_000).twins(6_000)).toBeDefined();
    expect(new Lives(5_000).twins(125_000)).toBeUndefined();
  });

  test("are still told after many restarts of the one in force", () => {
    const lives = new Lives();
    said(lives, "x0x1x2x3");
    expect(lives.twins(4_000)).toBeDefined();
  });
});
