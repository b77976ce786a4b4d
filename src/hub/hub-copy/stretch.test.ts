import { expect, test } from "vitest";
import { BoxId, PointId, SessionId } from "../../protocol/protocol.ts";
import { FLV_VIDEO, flvHeader, flvTag } from "../../media/media.ts";
import { parseStretchPath, stretchPath, stretchTimes, type Stretch } from "./stretch.ts";

const stretch: Stretch = {
  session: SessionId.parse(`session-${"a".repeat(16)}`),
  point: PointId.parse(`point-${"b".repeat(16)}`),
  box: BoxId.parse(`box-${"c".repeat(16)}`),
  kind: "small",
  run: "abcdefgh",
  startedMs: 1_795_000_000_000,
};

test("a stretch's name says all about it, and no other file passes for one", () => {
  expect(parseStretchPath(stretchPath(stretch))).toEqual(stretch);
  expect(parseStretchPath(`${stretchPath(stretch)}.tmp`)).toBeUndefined();
  expect(parseStretchPath(stretchPath(stretch).replace("small", "other"))).toBeUndefined();
});

test("never-again 5: of a file that was cut off anywhere, all whole frames count and no part of one does", async () => {
  const config = flvTag(FLV_VIDEO, 0, Uint8Array.of(0x17, 0, 0, 0, 0));
  const frame = (ms: number) => flvTag(FLV_VIDEO, ms, Uint8Array.of(0x27, 1, 0, 0, 0, 9, 9, 9));
  const file = Buffer.concat([flvHeader({ audio: false, video: true }), config, frame(40), frame(80), frame(120)]);
  const timesOf = (bytes: number) =>
    stretchTimes(async (position, count) => file.subarray(0, bytes).subarray(position, position + count));
  const ends = [40, 80, 120].map((ms, i) => ({ ms, end: 13 + config.length + (i + 1) * frame(0).length }));
  for (let bytes = 0; bytes <= file.length; bytes++) {
    const whole = ends.filter(({ end }) => end <= bytes);
    expect(await timesOf(bytes)).toEqual(whole.length > 0 ? { firstMs: 40, lastMs: whole.at(-1)!.ms } : undefined);
  }
});
