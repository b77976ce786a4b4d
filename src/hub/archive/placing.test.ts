import { describe, expect, test } from "vitest";
import { GENESIS, makeId } from "../../protocol/protocol.ts";
import { placeTakes, type ClockAnchor, type RecordedTake } from "./placing.ts";

const HOUR_MS = 3_600_000;
const T0 = Date.parse("2026-11-21T01:00:00.000Z");
const box = (i: number) => makeId("box", new Uint8Array(10).fill(i));
const id = (i: number) => makeId("take", new Uint8Array(10).fill(i));

/** Take number `i` of a box: a minute long, recorded `atMs` after T0, which the box took for `claimedMs` after T0. */
const take = (i: number, atMs: number, claimedMs: number, change: Partial<RecordedTake> = {}): RecordedTake => ({
  ...{ take: id(i), box: box(1), prevHash: i === 1 ? GENESIS : `end${i - 1}`, tipHash: `end${i}` },
  ...{ startedMs: T0 + claimedMs, durationMs: 60_000 },
  clock: { bootId: "boot", monotonicMs: 5_000 + atMs, hubOffsetMs: null },
  ...change,
});
const known = { bootId: "boot", hubOffsetMs: 3 };
const anchor = (atMs: number, change: Partial<ClockAnchor> = {}): ClockAnchor => ({
  ...{ box: box(1), bootId: "boot", monotonicMs: 5_000 + atMs, utcMs: T0 + atMs, errorMs: 4 },
  ...change,
});
const shown = (takes: RecordedTake[], anchors: ClockAnchor[] = []) =>
  placeTakes(takes, anchors).map(({ take, shiftMs, basis }) => {
    const index = takes.findIndex((other) => other.take === take);
    return [index + 1, takes[index]!.startedMs + shiftMs - T0, basis];
  });

describe("never-again 11: when it was recorded", () => {
  test("before the hub's time was known, is told by what was measured later in the same boot", () => {
    expect(shown([take(1, 0, -HOUR_MS)], [anchor(90_000)])).toEqual([[1, 0, "corrected"]]);
    expect(shown([take(1, 0, -56 * 365 * 24 * HOUR_MS)], [anchor(90_000)])).toEqual([[1, 0, "corrected"]]);
  });

  test("is not touched where the hub's time was known when it was recorded", () => {
    const right = take(1, 0, 0, { clock: { ...known, monotonicMs: 5_000 } });
    expect(shown([right], [anchor(90_000, { utcMs: T0 + 91_000 })])).toEqual([[1, 0, "hub"]]);
  });

  test.each([HOUR_MS, -HOUR_MS])(
    "keeps its order and does not overlap when the wall clock jumps by %d ms between takes",
    (jumpMs) => {
      const takes = [take(1, 0, 0), take(2, 70_000, 70_000 + jumpMs), take(3, 140_000, 140_000)];
      const times = [
        [1, 0, "corrected"],
        [2, 70_000, "corrected"],
        [3, 140_000, "corrected"],
      ];
      expect(shown(takes, [anchor(200_000)])).toEqual(times);
      expect(shown(takes.toReversed(), [anchor(200_000)]).map(([, at]) => at)).toEqual([0, 70_000, 140_000]);
    },
  );

  test("by a box that no hub has measured in that boot, is fitted between what is known before and after it", () => {
    const late = take(2, 70_000, HOUR_MS, { clock: { bootId: "other", monotonicMs: 10, hubOffsetMs: null } });
    const early = { ...late, startedMs: T0 - HOUR_MS };
    const around = [
      take(1, 0, 0, { clock: { ...known, monotonicMs: 5_000 } }),
      take(3, 140_000, 140_000, { clock: { ...known, monotonicMs: 145_000 } }),
    ];
    expect(shown([around[0]!, late, around[1]!])[1]).toEqual([2, 80_000, "box"]);
    expect(shown([around[0]!, early, around[1]!])[1]).toEqual([2, 60_000, "box"]);
    expect(shown([around[0]!, late])[1]).toEqual([2, HOUR_MS, "box"]);
  });

  test("is told by the closer of two anchors, unless it is much less exact; other boxes' and boots' say nothing", () => {
    const far = anchor(10 * HOUR_MS, { utcMs: T0 + 10 * HOUR_MS + 500 });
    expect(shown([take(1, 0, -HOUR_MS)], [far, anchor(60_000)])[0]![1]).toBe(0);
    expect(shown([take(1, 0, -HOUR_MS)], [anchor(60_000, { errorMs: 9_999 }), far])[0]![1]).toBe(500);
    const strangers = [anchor(0, { box: box(2) }), anchor(0, { bootId: "other" })];
    expect(shown([take(1, 0, -HOUR_MS)], strangers)).toEqual([[1, -HOUR_MS, "box"]]);
  });

  test("with a hole in the chain falls back on the times, and a replaced box comes where its time says", () => {
    const hole = take(3, 140_000, 140_000, { prevHash: "lost" });
    expect(shown([hole, take(1, 0, 0)]).map(([i]) => i)).toEqual([2, 1]);
    const second = take(4, 300_000, 300_000, { box: box(2), prevHash: GENESIS });
    expect(shown([second, take(1, 0, 0)]).map(([, at]) => at)).toEqual([0, 300_000]);
  });

  test("of takes from before hubs kept the clocks is what their records say", () => {
    const old = { prevHash: null, clock: null };
    expect(shown([take(2, 0, 70_000, old), take(1, 0, 0, old)])).toEqual([
      [2, 0, "box"],
      [1, 70_000, "box"],
    ]);
  });
});
