import { describe, expect, it } from "vitest";
import { Presence } from "./presence.ts";

describe("a plug", () => {
  it("that was in before is trusted at once, one that was put in after two seconds", () => {
    const presence = new Presence();
    presence.note(["a"], 0);
    expect(presence.steady("a", 0)).toBe(true);
    presence.note(["a", "b"], 1_000);
    expect([presence.steady("b", 2_900), presence.steady("b", 3_000)]).toEqual([false, true]);
    expect(presence.steady("c", 1e9)).toBe(false);
  });

  it("that is loose is trusted later each time, and is forgiven after ten minutes", () => {
    const presence = new Presence();
    presence.note(["a"], 0);
    const backMs: number[] = [];
    for (let i = 0; i < 8; i++) {
      presence.note([], i * 20_000);
      presence.note(["a"], i * 20_000 + 1_000);
      const since = i * 20_000 + 1_000;
      let ms = 0;
      while (!presence.steady("a", since + ms)) ms += 1_000;
      backMs.push(ms);
    }
    expect(backMs).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
    expect(presence.loose("a", 150_000)).toBe(true);
    expect(presence.loose("a", 800_000)).toBe(false);
  });

  it("a loss that only its user noticed counts too", () => {
    const presence = new Presence();
    presence.note(["a"], 0);
    presence.lose("a", 1_000);
    presence.note(["a"], 1_500);
    expect([presence.steady("a", 4_000), presence.steady("a", 6_500)]).toEqual([false, true]);
    expect(presence.loose("a", 4_000)).toBe(false);
  });
});
