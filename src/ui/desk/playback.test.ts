import { describe, expect, test } from "vitest";
import {
  barsOf,
  correct,
  frameMs,
  nextPlayable,
  type Playable,
  playableAt,
  playables,
  playlistSeconds,
} from "./playback.ts";

const T = Date.parse("2026-11-23T01:00:00Z");
/** Ten seconds, ten seconds, a hole of a minute, ten seconds. */
const room: Playable[] = [
  { from: T, to: T + 10_000, playlistMs: 0, frames: 250, hubCopy: false },
  { from: T + 10_000, to: T + 20_000, playlistMs: 10_000, frames: 250, hubCopy: false },
  { from: T + 80_000, to: T + 90_000, playlistMs: 20_000, frames: 250, hubCopy: false },
];

describe("wall time and playlist", () => {
  test("a hole in time is none in the playlist", () => {
    expect(playlistSeconds(room, T + 12_500)).toBe(12.5);
    expect(playlistSeconds(room, T + 81_000)).toBe(21);
    expect(playlistSeconds(room, T + 50_000)).toBeUndefined();
    expect(playlistSeconds(room, T - 1)).toBeUndefined();
    expect(playlistSeconds([], T)).toBeUndefined();
  });
  test("a seam between segments shows the last picture", () => expect(playlistSeconds(room, T + 20_100)).toBe(20));
  test("the later of two touching segments is taken", () => expect(playableAt(room, T + 10_000)).toBe(room[1]));
  test("playing goes on at the next stretch of any room", () => {
    expect(nextPlayable([room, [{ ...room[2]!, from: T + 70_000 }]], T + 30_000)).toBe(T + 70_000);
    expect(nextPlayable([room], T + 95_000)).toBeUndefined();
  });
  test("a frame is as long as the file says", () => {
    expect(frameMs(room, T)).toBe(40);
    expect(frameMs([{ ...room[0]!, frames: 500 }], T)).toBe(20);
  });
});

test("the hub's copy can be played, stands apart in the timeline, and goes when the box's own recording is there", () => {
  const piece = { durationMs: 5_000, sizeBytes: 1, sha256: "", picture: "large" as const };
  const startedAt = new Date(T).toISOString();
  const room = {
    spans: [],
    hubCopies: [
      { ...piece, startedAt, playlistMs: 0 },
      { ...piece, startedAt, playlistMs: null },
    ],
  };
  expect(playables(room)).toEqual([{ from: T, to: T + 5_000, playlistMs: 0, frames: 0, hubCopy: true }]);
  expect(barsOf(room)).toEqual([{ from: T, to: T + 5_000, state: "hubCopy" }]);
});

describe("keeping step", () => {
  const at = (currentS: number, change = {}) => ({ targetS: 10, currentS, paused: false, seeking: false, ...change });
  test("close enough is left alone", () => expect(correct(at(10.02), true, 1)).toEqual({ rate: 1 }));
  test("a little behind runs faster, a little ahead slower", () => {
    expect(correct(at(9.8), true, 1).rate).toBeGreaterThan(1);
    expect(correct(at(10.2), true, 1).rate).toBeLessThan(1);
  });
  test("far off jumps, once", () => {
    expect(correct(at(5), true, 1)).toEqual({ seekS: 10, rate: 1 });
    expect(correct(at(5, { seeking: true }), true, 1)).toEqual({ rate: 1 });
  });
  test("standing still shows the exact picture", () => {
    expect(correct(at(10.04, { paused: true }), false, 1)).toEqual({ seekS: 10, rate: 1 });
    expect(correct(at(10, { paused: true }), false, 1)).toEqual({ rate: 1 });
    expect(correct(at(10), false, 1)).toEqual({ pause: true, rate: 1 });
  });
  test("a room with nothing at this instant stands still", () =>
    expect(correct(at(10, { targetS: undefined }), true, 1)).toEqual({ pause: true, rate: 1 }));
  test("starts with the master", () =>
    expect(correct(at(10, { paused: true }), true, 1)).toEqual({ play: true, rate: 1 }));
});
