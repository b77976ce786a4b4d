import { describe, expect, test } from "vitest";
import type { TakeId } from "../../protocol/protocol.ts";
import type { SegmentView } from "../http/views.ts";
import { spansOf } from "./overview.ts";

const START_MS = Date.parse("2026-11-20T01:00:00.000Z");

const segment = (n: number, change: Partial<SegmentView> & { atMs?: number } = {}): SegmentView => ({
  take: "take-aaaaaaaaaaaaaaaa" as TakeId,
  seq: n,
  startedAt: new Date(START_MS + (change.atMs ?? n * 10_000)).toISOString(),
  durationMs: 10_000,
  sizeBytes: 1_000,
  sha256: String(n),
  frames: 250,
  playlistMs: n * 10_000,
  hub: "verified",
  province: "waiting",
  ...change,
});

describe("spansOf", () => {
  test("an hour without a break is one span with the sums of its segments", () => {
    expect(spansOf(Array.from({ length: 360 }, (_, n) => segment(n)))).toEqual([
      {
        startedAt: "2026-11-20T01:00:00.000Z",
        durationMs: 3_600_000,
        sizeBytes: 360_000,
        frames: 90_000,
        segments: 360,
        playlistMs: 0,
        hub: "verified",
        province: "waiting",
      },
    ]);
  });

  test.each<[string, Partial<SegmentView> & { atMs?: number }]>([
    ["another take", { take: "take-bbbbbbbbbbbbbbbb" as TakeId }],
    ["a state at the hub", { hub: "refused" }],
    ["a state at the province", { province: "verified" }],
    ["a hole in time", { atMs: 20_100 }],
    ["a jump in the playlist", { playlistMs: 20_100 }],
    ["a place where nothing can be played", { playlistMs: null }],
  ])("%s begins a new one", (_what, change) => {
    const spans = spansOf([segment(0), segment(1), segment(2, change)]);
    expect(spans.map(({ segments }) => segments)).toEqual([2, 1]);
  });

  test("small differences do not add up: no instant is off by more than half a picture", () => {
    // Each segment is 3 ms shorter in the playlist than on the clock.
    const segments = Array.from({ length: 100 }, (_, n) => segment(n, { playlistMs: n * 9_997 }));
    const spans = spansOf(segments);
    expect(spans.length).toBeGreaterThan(5);
    for (const each of segments) {
      const at = Date.parse(each.startedAt);
      const span = spans.findLast(({ startedAt }) => Date.parse(startedAt) <= at)!;
      expect(Math.abs(span.playlistMs! + at - Date.parse(span.startedAt) - each.playlistMs!)).toBeLessThanOrEqual(20);
    }
  });
});
