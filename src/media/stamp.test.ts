import { describe, expect, it } from "vitest";
import { readStampRgba, stampAgeMs, stampHeight, writeStamp } from "./stamp.ts";

/** The luma of one row as grey RGBA pixels. */
function rgbaRow(frame: Uint8Array, width: number, row: number): Uint8Array {
  const rgba = new Uint8Array(width * 4);
  for (let x = 0; x < width; x++) rgba.fill(frame[row * width + x]!, x * 4, x * 4 + 4);
  return rgba;
}

describe("wall clock in the picture", () => {
  it.each([
    [1280, 720],
    [640, 360],
    [1920, 1080],
    [852, 480],
  ])("is read back at %i x %i", (width, height) => {
    const frame = new Uint8Array((width * height * 3) / 2).fill(77);
    for (const wallMs of [0, 1, 1_795_276_800_123, 2 ** 32 - 1, 2 ** 32]) {
      writeStamp(frame, width, height, wallMs);
      expect(readStampRgba(rgbaRow(frame, width, stampHeight(width) >> 1), width)).toBe(wallMs % 2 ** 32);
    }
  });

  it("touches nothing below its blocks and makes their chroma neutral", () => {
    const frame = new Uint8Array((640 * 360 * 3) / 2).fill(77);
    writeStamp(frame, 640, 360, 123_456);
    expect(frame.subarray(16 * 640, 640 * 360).every((y) => y === 77)).toBe(true);
    expect(frame.subarray(640 * 360, 640 * 360 + 8 * 320).every((u) => u === 128)).toBe(true);
    expect(frame.subarray(640 * 360 + 8 * 320, 640 * 360 + 180 * 320).every((u) => u === 77)).toBe(true);
  });

  it("is not found in a picture without one, nor with one block turned over", () => {
    const grey = new Uint8Array(1280 * 4).fill(100);
    expect(readStampRgba(grey, 1280)).toBeUndefined();
    const frame = new Uint8Array((1280 * 720 * 3) / 2);
    writeStamp(frame, 1280, 720, 987_654_321);
    const row = rgbaRow(frame, 1280, 16);
    for (let x = 20 * 32; x < 21 * 32; x++) row[x * 4 + 1] = 251 - row[x * 4 + 1]!;
    expect(readStampRgba(row, 1280)).toBeUndefined();
  });

  it("has an age across the wrap of 32 bits", () => {
    const base = 5 * 2 ** 32;
    expect(stampAgeMs(2 ** 32 - 10, base + 15.5)).toBeCloseTo(25.5);
    expect(stampAgeMs(5, base - 5)).toBeCloseTo(-10);
    expect(stampAgeMs((base + 1000) % 2 ** 32, base + 1042)).toBeCloseTo(42);
  });
});
