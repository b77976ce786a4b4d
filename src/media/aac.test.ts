import { describe, expect, test } from "vitest";
import { parseAacConfig } from "./aac.ts";

describe("parseAacConfig", () => {
  test.each([
    // FFmpeg's encoder, 48 kHz mono and 44.1 kHz stereo, with its SBR announcement behind.
    [[0x11, 0x88, 0x56, 0xe5, 0x00], { codec: "mp4a.40.2", sampleRate: 48_000, channels: 1, frameSamples: 1024 }],
    [[0x12, 0x10, 0x56, 0xe5, 0x00], { codec: "mp4a.40.2", sampleRate: 44_100, channels: 2, frameSamples: 1024 }],
    // HE-AAC: 5 bits 00101, core 24 kHz (0110), 2 channels (0010), then 48 kHz (0011), core AAC-LC (00010), flags 0.
    [[0x2b, 0x11, 0x88, 0x00], { codec: "mp4a.40.5", sampleRate: 24_000, channels: 2, frameSamples: 1024 }],
    // Rate written out: AAC-LC, index 15, 48000 in 24 bits, mono, 960 samples.
    [[0x17, 0x80, 0x5d, 0xc0, 0x0c], { codec: "mp4a.40.2", sampleRate: 48_000, channels: 1, frameSamples: 960 }],
  ])("reads %j", (bytes, expected) => {
    expect(parseAacConfig(Uint8Array.from(bytes))).toMatchObject(expected);
  });

  test("refuses what is cut short, a reserved rate, and an unknown channel layout", () => {
    expect(parseAacConfig(new Uint8Array(0))).toBeUndefined();
    expect(parseAacConfig(Uint8Array.of(0x11))).toBeUndefined();
    expect(parseAacConfig(Uint8Array.of(0x16, 0x88))).toBeUndefined();
    expect(parseAacConfig(Uint8Array.of(0x11, 0x80))).toBeUndefined();
  });
});
