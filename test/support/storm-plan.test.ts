import { describe, expect, test } from "vitest";
import { planStorm, resourceOf } from "./storm-plan.ts";

const options = { seed: 7, durationMs: 600_000, rooms: 2, everyMs: 3_000 };

describe("the schedule of a storm", () => {
  test("is the same for the same seed, and another for another", () => {
    expect(planStorm(options)).toEqual(planStorm(options));
    expect(planStorm({ ...options, seed: 8 })).not.toEqual(planStorm(options));
  });

  test("has every kind of fault within ten minutes, whatever the seed", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const faults = planStorm({ ...options, seed });
      const kinds = new Set(faults.map(({ fault }) => JSON.stringify(fault)));
      expect(kinds.size).toBe(22);
    }
  });

  test("never uses one thing twice at a time, and is over at its end", () => {
    const freeAt = new Map<string, number>();
    for (const fault of planStorm({ ...options, everyMs: 500 })) {
      expect(fault.atMs).toBeGreaterThanOrEqual(freeAt.get(resourceOf(fault)) ?? 0);
      expect(fault.atMs + fault.forMs).toBeLessThanOrEqual(options.durationMs);
      freeAt.set(resourceOf(fault), fault.atMs + fault.forMs);
    }
  });
});
