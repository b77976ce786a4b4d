import { describe, expect, test } from "vitest";
import { FLV_AUDIO, FLV_VIDEO, flvTag } from "../../media/media.ts";
import { GopCache, roleOf } from "./gop.ts";

const tag = (bytes: number, fill = 0) => new Uint8Array(bytes).fill(fill);

describe("GopCache", () => {
  test("holds the pictures from the last key frame on", () => {
    const cache = new GopCache();
    cache.add("delta", 0, tag(10, 1));
    expect(cache.stretches()).toEqual([]);
    cache.add("key", 40, tag(10, 2));
    cache.add("delta", 80, tag(10, 3));
    cache.add("key", 120, tag(10, 4));
    cache.add("delta", 160, tag(10, 5));
    expect(cache.stretches().map((each) => each[0])).toEqual([4, 5]);
  });

  test("tags that lie behind one another in memory become one stretch, others do not", () => {
    const slab = Uint8Array.from({ length: 100 }, (_, n) => n);
    const cache = new GopCache();
    cache.add("key", 0, tag(5, 200));
    cache.add("delta", 40, slab.subarray(10, 20));
    cache.add("delta", 80, slab.subarray(20, 21));
    cache.add("delta", 120, slab.subarray(30, 40));
    cache.add("delta", 160, slab.subarray(20, 30));
    expect(cache.stretches()).toEqual([
      tag(5, 200),
      slab.subarray(10, 21),
      slab.subarray(30, 40),
      slab.subarray(20, 30),
    ]);
  });

  test.each([
    ["bytes", 1_100_000, 40],
    ["seconds", 10, 6_000],
  ])("a group too large in %s is forgotten until the next key frame", (_what, bytes, stepMs) => {
    const cache = new GopCache();
    cache.add("key", 0, tag(bytes));
    cache.add("delta", stepMs, tag(bytes));
    cache.add("delta", 2 * stepMs, tag(bytes));
    expect(cache.stretches()).toEqual([]);
    cache.add("key", 3 * stepMs, tag(10));
    expect(cache.stretches().length).toBe(1);
  });

  test("time that jumps back does not end a group", () => {
    const cache = new GopCache();
    cache.add("key", 5_000, tag(10));
    cache.add("delta", 0, tag(10));
    expect(cache.stretches().length).toBe(2);
  });
});

test("roleOf tells configuration, key frames, other frames and sound apart", () => {
  const video = (...body: number[]) => roleOf("video", flvTag(FLV_VIDEO, 0, Uint8Array.from(body)));
  expect(video(0x17, 0, 0, 0, 0)).toBe("config");
  expect(video(0x17, 1, 0, 0, 0)).toBe("key");
  expect(video(0x27, 1, 0, 0, 0)).toBe("delta");
  expect(video(0x17, 2, 0, 0, 0)).toBe("other");
  expect(roleOf("audio", flvTag(FLV_AUDIO, 0, Uint8Array.of(0xaf, 0, 0x11)))).toBe("config");
  expect(roleOf("audio", flvTag(FLV_AUDIO, 0, Uint8Array.of(0xaf, 1, 0x21)))).toBe("sound");
});
