import { describe, expect, it } from "vitest";
import { readStampRgba } from "../../media/media.ts";
import { createScene, createSpeech, seedOf, wavBytes, wavHead, wavSamples } from "./virtual-scene.ts";

describe("virtual scene", () => {
  it("moves, differs by label, and carries the wall clock", () => {
    const scene = createScene(320, 180, seedOf("A"));
    const first = scene.draw(0, 1_000).slice();
    const second = scene.draw(1, 1_040).slice();
    const below = 320 * 20;
    expect(Buffer.compare(first.subarray(below), second.subarray(below))).not.toBe(0);
    expect(Buffer.compare(createScene(320, 180, seedOf("B")).draw(0, 1_000), first)).not.toBe(0);
    const row = new Uint8Array(320 * 4);
    for (let x = 0; x < 320; x++) row.fill(second[4 * 320 + x]!, x * 4, x * 4 + 4);
    expect(readStampRgba(row, 320)).toBe(1_040);
  });
});

describe("speech", () => {
  const phrases = [1, 2, 3, 4, 5].map((value) => new Int16Array(4_800).fill(value));

  it("is the same whatever the pieces it is read in", () => {
    const speech = createSpeech(phrases, 7);
    const whole = speech(0, 500_000);
    const pieces = Array.from({ length: 500 }, (_, i) => [...speech(i * 1_000, 1_000)]).flat();
    expect(Buffer.compare(Buffer.from(whole.buffer), Buffer.from(Int16Array.from(pieces).buffer))).toBe(0);
  });

  it("says all phrases with pauses between, in an order of its own", () => {
    const heard = (seed: number) =>
      [...createSpeech(phrases, seed)(0, 480_000)]
        .filter((value, i, all) => value !== 0 && value !== all[i - 1])
        .slice(0, 5);
    expect([...heard(1)].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
    expect(new Set([1, 2, 3, 4].map((seed) => heard(seed).join())).size).toBeGreaterThan(1);
  });
});

describe("WAVE files", () => {
  const wav = (rate: number) => {
    const bytes = Buffer.alloc(48);
    bytes.write("RIFF", 0);
    bytes.write("WAVEfmt ", 8);
    bytes.writeUInt32LE(16, 16);
    bytes.writeUInt16LE(1, 20);
    bytes.writeUInt16LE(1, 22);
    bytes.writeUInt32LE(rate, 24);
    bytes.writeUInt16LE(16, 34);
    bytes.write("data", 36);
    bytes.writeUInt32LE(4, 40);
    bytes.writeInt16LE(-5, 44);
    bytes.writeInt16LE(6, 46);
    return bytes;
  };

  it("of 48 kHz mono give their samples; others give none", () => {
    expect(wavSamples(wav(48_000))).toEqual(Int16Array.of(-5, 6));
    expect(wavSamples(wav(44_100))).toBeUndefined();
    expect(wavSamples(Buffer.from("no wave at all"))).toBeUndefined();
  });

  it("without an end hold 16-bit samples exactly, as floats", () => {
    const samples = Int16Array.of(-32_768, -5, 0, 6, 32_767);
    const bytes = wavBytes(samples);
    expect(Array.from(new Float32Array(bytes.slice().buffer), (value) => value * 32_768)).toEqual([...samples]);
    expect(wavHead()).toHaveLength(44);
    // Tag 1 would be looked through for S/PDIF.
    expect(Buffer.from(wavHead()).readUInt16LE(20)).toBe(3);
  });
});
