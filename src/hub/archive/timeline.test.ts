import { expect, test } from "vitest";
import type { TakeId } from "../../protocol/protocol.ts";
import { HUB_COPY, layOut, playableMs, playlistText, withCopies, type TimelineSegment } from "./timeline.ts";

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
const order = (placed: readonly { take: string; seq: number }[]) =>
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

test("pieces of the hub's copy stand where segments are missing, each after a break, and give way to segments", () => {
  const at = (seconds: number) => new Date(Date.parse("2026-11-21T00:00:00Z") + seconds * 1_000).toISOString();
  const held = [
    { ...segment(a, 0), startedAt: at(0) },
    { ...segment(a, 1, false), startedAt: at(2) },
    { ...segment(a, 3), startedAt: at(6) },
  ];
  const piece = (seq: number, from: number, ms: number): TimelineSegment => ({
    ...{ take: HUB_COPY, seq, verified: true, startedAt: at(from), streamStartMs: 0, streamEndMs: ms },
  });
  // The first begins at the key frame before its hole; of the second the box's own recording came after all.
  const placed = layOut(withCopies(held, [piece(0, 1.5, 4_000), piece(1, 6, 2_000)]), true);
  expect(placed.map(({ take, seq }) => `${take.slice(0, 4)}${seq}`)).toEqual(["take0", "hub-0", "take3"]);
  expect(placed.map(({ discontinuous }) => discontinuous)).toEqual([false, true, true]);
  expect(playlistText(placed, true)).toContain("\nhub-copy/copy-000000.ts\n");
  expect(withCopies(held, [])).toEqual(held);
});
