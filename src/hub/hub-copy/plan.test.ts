import { describe, expect, test } from "vitest";
import { BoxId, PointId, SessionId, type LiveKind } from "../../protocol/protocol.ts";
import { holesOf, planPieces, type StretchOnDisk } from "./plan.ts";

const T = 1_795_000_000_000;
const seconds = (from: number, to: number) => ({ fromMs: T + from * 1_000, toMs: T + to * 1_000 });

describe("holes", () => {
  test("are what no segment covers, seams between segments excepted", () => {
    expect(holesOf(seconds(0, 60), [seconds(10, 20), seconds(20.1, 30), seconds(5, 12)])).toEqual([
      seconds(0, 5),
      seconds(30, 60),
    ]);
    expect(holesOf(seconds(0, 60), [])).toEqual([seconds(0, 60)]);
    expect(holesOf(seconds(0, 60), [seconds(-5, 70)])).toEqual([]);
  });
});

describe("pieces", () => {
  /** Stream time is wall time less T, plus what the line delayed the stretch's first frame. */
  const stretch = (kind: LiveKind, from: number, to: number, delayMs = 0, run = "aaaaaaaa"): StretchOnDisk => ({
    session: SessionId.parse(`session-${"a".repeat(16)}`),
    point: PointId.parse(`point-${"b".repeat(16)}`),
    box: BoxId.parse(`box-${"c".repeat(16)}`),
    ...{ kind, run, startedMs: T + from * 1_000 + delayMs, path: `${kind}-${from}` },
    ...{ firstMs: from * 1_000, lastMs: to * 1_000 },
  });
  const planned = (holes: ReturnType<typeof seconds>[], stretches: StretchOnDisk[]) =>
    planPieces(holes, stretches).map(({ picture, sounds, streamFromMs, streamToMs, offsetMs }) => ({
      picture: picture?.path,
      sounds: sounds.map(({ path }) => path),
      from: (streamFromMs + offsetMs - T) / 1_000,
      to: (streamToMs + offsetMs - T) / 1_000,
    }));

  test("are cut to the hole, picture and sound of one run together", () => {
    expect(planned([seconds(10, 20)], [stretch("video", 0, 60), stretch("audio", 0, 60)])).toEqual([
      { picture: "video-0", sounds: ["audio-0"], from: 10, to: 20 },
    ]);
  });

  test("change to the small picture where the large one was away, and to sound alone where both were", () => {
    const line = [
      stretch("video", 0, 20),
      stretch("small", 20, 40, 300),
      stretch("audio", 0, 60),
      stretch("video", 50, 60),
    ];
    expect(planned([seconds(0, 60)], line)).toEqual([
      { picture: "video-0", sounds: ["audio-0"], from: 0, to: 20 },
      { picture: "small-20", sounds: ["audio-0"], from: 20, to: 40 },
      { picture: undefined, sounds: ["audio-0"], from: 40, to: 50 },
      { picture: "video-50", sounds: ["audio-0"], from: 50, to: 60 },
    ]);
  });

  test("of two runs of the encoder never share a time line", () => {
    const two = [stretch("video", 0, 10), stretch("audio", 0, 10), stretch("video", 12, 20, 0, "bbbbbbbb")];
    expect(planned([seconds(0, 20)], two).map(({ sounds }) => sounds.length)).toEqual([1, 0]);
  });

  test("are none where the hub has nothing", () => {
    expect(planned([seconds(100, 200)], [stretch("video", 0, 60)])).toEqual([]);
  });
});
