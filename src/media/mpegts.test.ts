import { describe, expect, it } from "vitest";
import { createMpegTsCounter } from "./mpegts.ts";

const PMT_PID = 0x1000;
const VIDEO_PID = 0x100;
const AUDIO_PID = 0x101;

function packet(pid: number, start: boolean, payload: number[], adaptation?: number[]): Uint8Array {
  const bytes = new Uint8Array(188).fill(0xff);
  bytes.set([0x47, (start ? 0x40 : 0) | (pid >> 8), pid & 255, adaptation ? 0x30 : 0x10]);
  if (adaptation) bytes.set([adaptation.length, ...adaptation], 4);
  bytes.set(payload, adaptation ? 5 + adaptation.length : 4);
  return bytes;
}

const pat = packet(0, true, [0, 0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe0 | (PMT_PID >> 8), PMT_PID & 255, 0, 0, 0, 0]);
const pmtHead = [0, 2, 0xb0, 23, 0, 1, 0xc1, 0, 0, 0xe1, 0, 0xf0, 0];
const pmtStreams = [0x1b, 0xe1, 0x00, 0xf0, 0, 0x0f, 0xe1, 0x01, 0xf0, 0, 0, 0, 0, 0];
const pmt = packet(PMT_PID, true, pmtHead.concat(pmtStreams));

const pts = (ticks: number) => [
  0x21 | (Math.floor(ticks / 2 ** 30) << 1),
  Math.floor(ticks / 2 ** 22) & 255,
  ((Math.floor(ticks / 2 ** 15) & 127) << 1) | 1,
  Math.floor(ticks / 2 ** 7) & 255,
  ((ticks & 127) << 1) | 1,
];
const frame = (ticks: number, key = false) =>
  packet(VIDEO_PID, true, [0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, ...pts(ticks)], key ? [0x40] : undefined);
const sound = packet(AUDIO_PID, true, [0, 0, 1, 0xc0, 0, 8, 0x80, 0, 0]);
const more = packet(VIDEO_PID, false, [1, 2, 3]);

const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

function countIn(bytes: Uint8Array, chunkBytes: number) {
  const counter = createMpegTsCounter();
  for (let at = 0; at < bytes.length; at += chunkBytes) counter.push(bytes.subarray(at, at + chunkBytes));
  return counter.count();
}

describe("MPEG-TS counter", () => {
  const stream = join(pat, pmt, frame(9_000, true), more, sound, frame(12_600), more, more, frame(16_200));

  it.each([1, 7, 187, 188, 189, 1000, 1 << 20])("counts frames in chunks of %i bytes", (chunkBytes) => {
    expect(countIn(stream, chunkBytes)).toEqual({
      videoFrames: 3,
      keyFrames: 1,
      audioPackets: 1,
      firstVideoMs: 100,
      lastVideoMs: 180,
      videoHoles: [],
      strayBytes: 0,
    });
  });

  it("counts what a cut file still holds and names the cut packet as stray", () => {
    expect(countIn(stream.subarray(0, stream.length - 100), 64)).toMatchObject({ videoFrames: 2, strayBytes: 88 });
  });

  it("finds its way back after foreign bytes", () => {
    expect(countIn(join(pat, pmt, Uint8Array.of(1, 2, 3), frame(0), frame(3_600)), 50)).toMatchObject({
      videoFrames: 2,
      strayBytes: 3,
    });
  });

  it("keeps time running forward over the wrap of 33 bits", () => {
    const { firstVideoMs, lastVideoMs } = countIn(join(pat, pmt, frame(2 ** 33 - 3_600), frame(0), frame(3_600)), 188);
    expect(lastVideoMs! - firstVideoMs!).toBeCloseTo(80);
  });

  it("tells each whole frame's size, and the times of sound", () => {
    const frames: unknown[] = [];
    const counter = createMpegTsCounter((frame) => frames.push(frame));
    const heard = (ticks: number) => packet(AUDIO_PID, true, [0, 0, 1, 0xc0, 0, 8, 0x80, 0x80, 5, ...pts(ticks)]);
    counter.push(join(pat, pmt, frame(0, true), more, more, heard(90), frame(3_600), heard(900), frame(7_200)));
    expect(frames).toEqual([
      { key: true, bytes: 3 * 188 },
      { key: false, bytes: 188 },
    ]);
    expect(counter.count()).toMatchObject({ firstAudioMs: 1, lastAudioMs: 10 });
  });

  it("counts nothing before the tables and nothing in an empty file", () => {
    expect(countIn(join(frame(0), frame(1)), 188).videoFrames).toBe(0);
    expect(countIn(new Uint8Array(0), 188)).toMatchObject({ videoFrames: 0, firstVideoMs: undefined, strayBytes: 0 });
  });
});
