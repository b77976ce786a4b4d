import { describe, expect, test } from "vitest";
import {
  FLV_AUDIO,
  FLV_VIDEO,
  FlvError,
  FlvReader,
  flvHeader,
  flvTag,
  readFlvAudio,
  readFlvTags,
  readFlvVideo,
} from "./flv.ts";

const concat = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
const body = (length: number, fill: number) => new Uint8Array(length).fill(fill);

describe("FLV tags", () => {
  test("a written tag is read back with type, time and body", () => {
    const [tag] = readFlvTags(flvTag(FLV_VIDEO, 0xfe_dc_ba_98, body(70_000, 7)));
    expect(tag).toEqual({ type: FLV_VIDEO, timestampMs: 0xfe_dc_ba_98, body: body(70_000, 7) });
  });

  test("PreviousTagSize behind a tag counts its header", () => {
    const tag = flvTag(FLV_AUDIO, 1, body(300, 1));
    expect(new DataView(tag.buffer).getUint32(tag.length - 4)).toBe(311);
  });

  test("the header says which kinds follow", () => {
    expect([...flvHeader({ audio: true, video: false })]).toEqual([0x46, 0x4c, 0x56, 1, 4, 0, 0, 0, 9, 0, 0, 0, 0]);
    expect(flvHeader({ audio: true, video: true })[4]).toBe(5);
  });

  test("a message of header and several tags is read in order", () => {
    const message = concat(
      flvHeader({ audio: false, video: true }),
      flvTag(9, 1, body(3, 1)),
      flvTag(9, 2, body(0, 0)),
    );
    expect(readFlvTags(message).map((tag) => [tag.timestampMs, tag.body.length])).toEqual([
      [1, 3],
      [2, 0],
    ]);
  });

  test("a message that ends inside a tag is refused", () => {
    const tag = flvTag(9, 1, body(20, 1));
    for (const length of [1, 10, 11, 20, tag.length - 1])
      expect(() => readFlvTags(tag.subarray(0, length)), `${length} bytes`).toThrow(FlvError);
  });

  test("a stream cut at every byte gives the same tags", () => {
    const tags = [flvTag(9, 5, body(33, 1)), flvTag(8, 6, body(0, 0)), flvTag(9, 7, body(1, 2))];
    const stream = concat(flvHeader({ audio: true, video: true }), ...tags);
    for (let size = 1; size <= stream.length; size++) {
      const reader = new FlvReader();
      const seen: [number, number, number][] = [];
      for (let at = 0; at < stream.length; at += size)
        for (const tag of reader.push(stream.subarray(at, at + size)))
          seen.push([tag.type, tag.timestampMs, tag.body.length]);
      expect(seen, `chunks of ${size}`).toEqual([
        [9, 5, 33],
        [8, 6, 0],
        [9, 7, 1],
      ]);
    }
  });

  test("a stream that is not FLV, or claims an enormous tag, is refused", () => {
    expect(() => new FlvReader().push(body(13, 0x47))).toThrow(expect.objectContaining({ code: "notFlv" }));
    const stream = concat(
      flvHeader({ audio: false, video: true }),
      Uint8Array.of(9, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0),
    );
    expect(() => new FlvReader(1 << 20).push(stream)).toThrow(expect.objectContaining({ code: "tooLarge" }));
  });
});

describe("tag bodies", () => {
  test("AVC configuration, key frame and delta frame are told apart", () => {
    expect(readFlvVideo(Uint8Array.of(0x17, 0, 0, 0, 0, 1, 2))).toEqual({ kind: "config", avcC: Uint8Array.of(1, 2) });
    expect(readFlvVideo(Uint8Array.of(0x17, 1, 0, 0, 40, 9))).toEqual({
      kind: "frame",
      key: true,
      compositionMs: 40,
      data: Uint8Array.of(9),
    });
    expect(readFlvVideo(Uint8Array.of(0x27, 1, 0xff, 0xff, 0xd8, 9))).toMatchObject({ key: false, compositionMs: -40 });
    expect(readFlvVideo(Uint8Array.of(0x17, 2, 0, 0, 0))).toEqual({ kind: "end" });
  });

  test("other codecs, enhanced headers and stumps are not taken for AVC or AAC", () => {
    for (const bytes of [[], [0x17], [0x12, 1, 0, 0, 0, 1], [0x97, 0x68, 0x76, 0x63, 0x31, 0], [0x17, 9, 0, 0, 0]])
      expect(readFlvVideo(Uint8Array.from(bytes)).kind).toBe("other");
    for (const bytes of [[], [0xaf], [0x2f, 1, 1], [0xaf, 7, 1]])
      expect(readFlvAudio(Uint8Array.from(bytes)).kind).toBe("other");
  });

  test("AAC configuration and frames are told apart", () => {
    expect(readFlvAudio(Uint8Array.of(0xaf, 0, 0x11, 0x88))).toEqual({
      kind: "config",
      audioSpecificConfig: Uint8Array.of(0x11, 0x88),
    });
    expect(readFlvAudio(Uint8Array.of(0xaf, 1, 5))).toEqual({ kind: "frame", data: Uint8Array.of(5) });
  });
});
