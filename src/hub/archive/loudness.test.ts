import { describe, expect, test } from "vitest";
import type { TakeId } from "../../protocol/protocol.ts";
import { compose, levelOf, nextBatch, parseLevels, type TakeLoudness } from "./loudness.ts";
import { HUB_COPY, type PlacedSegment } from "./timeline.ts";

const TAKE = "take-aaaaaaaaaaaaaaaa" as TakeId;
const placed = (seq: number, playlistMs: number, streamStartMs: number, take: PlacedSegment["take"] = TAKE) => ({
  ...{ take, seq, playlistMs, streamStartMs, streamEndMs: streamStartMs + 1_000, durationMs: 1_000 },
  ...{ startedAt: "2026-11-23T01:00:00.000Z", verified: true, discontinuous: false },
});

describe("how loud a recording is", () => {
  test("is one byte from silence to full scale, linear in dB", () => {
    expect([-Infinity, -90, -60, -59.9, -30, 0, 3].map(levelOf)).toEqual([0, 0, 0, 1, 128, 255, 255]);
  });

  test("is read off what FFmpeg prints, digital silence too", () => {
    const printed = [
      "frame:0    pts:0       pts_time:0",
      "lavfi.astats.Overall.RMS_level=-30.000000",
      "frame:1    pts:12000   pts_time:0.25",
      "lavfi.astats.Overall.RMS_level=-inf",
      "",
    ].join("\n");
    expect(parseLevels(printed)).toEqual([
      { atMs: 0, level: 128 },
      { atMs: 250, level: 0 },
    ]);
  });

  test("is measured in runs of neighbours that have not been looked at", () => {
    const segments = [0, 1, 2, 5, 6].map((seq) => ({ seq }));
    const seqs = (done: number[]) => nextBatch(segments, new Set(done)).map(({ seq }) => seq);
    expect(seqs([])).toEqual([0, 1, 2]);
    expect(seqs([1])).toEqual([0]);
    expect(seqs([0, 1, 2])).toEqual([5, 6]);
    expect(seqs([0, 1, 2, 5, 6])).toEqual([]);
    expect(
      nextBatch(
        Array.from({ length: 500 }, (_, seq) => ({ seq })),
        new Set(),
      ),
    ).toHaveLength(60);
  });

  test("is laid out as it is played, with what is not known yet as silence", () => {
    const levels = Uint8Array.from({ length: 12 }, (_, i) => i + 1);
    const takes = new Map<string, TakeLoudness>([[TAKE, { done: new Set([0, 2]), levels }]]);
    // The second segment was lost, and the hub's own copy stands in its place.
    const whole = compose([placed(0, 0, 0), placed(1, 1_000, 0, HUB_COPY), placed(2, 2_000, 2_000)], takes);
    expect(whole).toEqual({ levels: Uint8Array.from([1, 2, 3, 4, 0, 0, 0, 0, 9, 10, 11, 12]), complete: true });
    const partly = compose([placed(0, 0, 0), placed(1, 1_000, 1_000)], takes);
    expect(partly).toEqual({ levels: Uint8Array.from([1, 2, 3, 4, 0, 0, 0, 0]), complete: false });
    expect(compose([], takes)).toEqual({ levels: new Uint8Array(0), complete: true });
  });
});
