import { expect, test } from "vitest";
import type { TakeId } from "../../protocol/protocol.ts";
import { layOut, playableMs, playlistText, type TimelineSegment } from "./timeline.ts";

const a = `take-${"a".repeat(16)}` as TakeId;
const b = `take-${"b".repeat(16)}` as TakeId;
const segment = (take: TakeId, seq: number, verified = true): TimelineSegment => ({
  take,
  seq,
  verified,
  startedAt: `2026-11-21T00:00:0${seq}.000Z`,
  streamStartMs: seq * 2000,
  streamEndMs: seq * 2000 + 1960,
});
const order = (placed: readonly { take: TakeId; seq: number }[]) =>
  placed.map(({ take, seq }) => `${take.at(-1)}${seq}`);

test("a finished recording shows everything verified, and a break at each hole and each new take", () => {
  const placed = layOut([segment(a, 0), segment(a, 1, false), segment(a, 2), segment(a, 3), segment(b, 0)], true);
  expect(order(placed)).toEqual(["a0", "a2", "a3", "b0"]);
  expect(placed.map(({ discontinuous }) => discontinuous)).toEqual([false, true, false, true]);
  expect(placed.map(({ playlistMs }) => playlistMs)).toEqual([0, 1960, 3920, 5880]);
  expect(playableMs(placed)).toBe(7840);
});

test("a running recording only ever grows at its end", () => {
  const states = [
    [segment(a, 0), segment(a, 1, false), segment(a, 2)],
    [segment(a, 0), segment(a, 1), segment(a, 2)],
    [segment(a, 0), segment(a, 1), segment(a, 2), segment(b, 0)],
  ].map((segments) => playlistText(layOut(segments, false), false));
  for (const [index, text] of states.slice(1).entries()) expect(text.startsWith(states[index]!)).toBe(true);
  expect(states[2]).not.toContain("#EXT-X-ENDLIST");
});

test("the playlist names files beside it, with dates, breaks and an end", () => {
  expect(playlistText(layOut([segment(a, 0), segment(b, 0)], true), true).split("\n")).toEqual([
    "#EXTM3U",
    "#EXT-X-VERSION:6",
    "#EXT-X-TARGETDURATION:2",
    "#EXT-X-MEDIA-SEQUENCE:0",
    "#EXT-X-PLAYLIST-TYPE:VOD",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    "#EXT-X-PROGRAM-DATE-TIME:2026-11-21T00:00:00.000Z",
    "#EXTINF:1.960000,",
    `${a}/000000.ts`,
    "#EXT-X-DISCONTINUITY",
    "#EXT-X-PROGRAM-DATE-TIME:2026-11-21T00:00:00.000Z",
    "#EXTINF:1.960000,",
    `${b}/000000.ts`,
    "#EXT-X-ENDLIST",
    "",
  ]);
});
