import { describe, expect, test } from "vitest";
import { GENESIS, makeId } from "../../protocol/protocol.ts";
import { placeGap, placeTakes, type ClockAnchor, type RecordedTake } from "./placing.ts";

const HOUR_MS = 3_600_000;
const T0 = Date.parse("2026-11-21T01:00:00.000Z");
const box = (i: number) => makeId("box", new Uint8Array(10).fill(i));
const id = (i: number) => makeId("take", new Uint8Array(10).fill(i));

/** Take number `i` of a box: a minute long, recorded `atMs` after T0, which the box took for `claimedMs` after T0. */
const take = (i: number, atMs: number, claimedMs: number, change: Partial<RecordedTake> = {}): RecordedTake => ({
  ...{ take: id(i), box: box(1), prevHash: i === 1 ? GENESIS : `end${i - 1}`, tipHash: `end${i}` },
  ...{ startedMs: T0 + claimedMs, durationMs: 60_000 },
  clock: { bootId: "boot", monotonicMs: 5_000 + atMs, hubOffsetMs: null, hubOffsetErrorMs: null },
  ...change,
});
const known = { bootId: "boot", hubOffsetMs: 3, hubOffsetErrorMs: 4 };
const never = { hubOffsetMs: null, hubOffsetErrorMs: null };
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

  test("is told by the best measurement of the boot where the take's own was poor", () => {
    const poor = (hubOffsetErrorMs: number | null) =>
      take(1, 0, 148, { clock: { ...known, monotonicMs: 5_000, hubOffsetErrorMs } });
    expect(shown([poor(210)], [anchor(90_000)])).toEqual([[1, 0, "corrected"]]);
    // Two that follow each other without a hole do so in what is shown.
    const before = take(1, 0, 0, { clock: { ...known, monotonicMs: 5_000 } });
    const after = take(2, 60_000, 60_148, { clock: { ...known, monotonicMs: 65_000, hubOffsetErrorMs: 210 } });
    expect(shown([before, after], [anchor(1_000)]).map(([, at]) => at)).toEqual([0, 60_000]);
    // Nothing better is known; it was good enough; nobody knows how good it was.
    expect(shown([poor(210)], [anchor(90_000, { errorMs: 300 })])).toEqual([[1, 148, "hub"]]);
    expect(shown([poor(210)], [anchor(HOUR_MS)])).toEqual([[1, 148, "hub"]]);
    expect(shown([poor(20)], [anchor(90_000)])).toEqual([[1, 148, "hub"]]);
    expect(shown([poor(null)], [anchor(90_000)])).toEqual([[1, 148, "hub"]]);
  });

  test("moves a gap with its take, but for an end that is the hub's own word", () => {
    const at = (seconds: number) => new Date(T0 + seconds * 1_000).toISOString();
    const session = { startedAt: at(0), endedAt: at(60) };
    const gap = (from: number, to: number) => ({ from: at(from), to: at(to), durationMs: (to - from) * 1_000 });
    expect(placeGap(gap(0, 3), 500, session)).toEqual({ ...gap(0, 3.5), durationMs: 3_500 });
    expect(placeGap(gap(10, 12), -500, session)).toEqual(gap(9.5, 11.5));
    expect(placeGap(gap(50, 60), -500, session)).toEqual({ ...gap(49.5, 60), durationMs: 10_500 });
    expect(placeGap(gap(0, 3), 0, session)).toEqual(gap(0, 3));
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
    const late = take(2, 70_000, HOUR_MS, { clock: { ...never, bootId: "other", monotonicMs: 10 } });
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

  test("of two boxes with one identity is told for each as if it were alone, also if the disk was copied", () => {
    const copied = take(9, 65_000, 65_000, { prevHash: "end1", tipHash: "twin" });
    const blank = take(8, 10_000, 10_000, { prevHash: GENESIS, tipHash: "blank" });
    const takes = [take(1, 0, 0), take(2, 62_000, 62_000), take(3, 130_000, 130_000), copied, blank];
    const all = shown(takes, [anchor(0)]);
    expect(all).toEqual([
      [1, 0, "corrected"],
      [5, 10_000, "corrected"],
      [2, 62_000, "corrected"],
      [4, 65_000, "corrected"],
      [3, 130_000, "corrected"],
    ]);
  });

  test("is not moved by a take without media, which was made to state a gap after the next one had begun", () => {
    const clock = (atMs: number) => ({ clock: { ...known, monotonicMs: 5_000 + atMs } });
    const states = take(2, 70_182, 70_182, { durationMs: 0, ...clock(70_182) });
    const takes = [take(1, 0, 0, clock(0)), states, take(3, 70_000, 70_000, clock(70_000))];
    expect(shown(takes).toSorted((a, b) => Number(a[0]) - Number(b[0]))).toEqual([
      [1, 0, "hub"],
      [2, 70_182, "hub"],
      [3, 70_000, "hub"],
    ]);
  });

  test("of takes from before hubs kept the clocks is what their records say", () => {
    const old = { prevHash: null, clock: null };
    expect(shown([take(2, 0, 70_000, old), take(1, 0, 0, old)])).toEqual([
      [2, 0, "box"],
      [1, 70_000, "box"],
    ]);
  });
});
