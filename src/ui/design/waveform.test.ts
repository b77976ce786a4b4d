import { expect, test } from "vitest";
import { waveform } from "./waveform.ts";

const sound = { stepMs: 250, levels: Uint8Array.from([10, 20, 30, 40, 50, 60, 70, 80]) };

test("a column is as loud as the loudest that falls into it, and a hole is silent", () => {
  // One second, a hole of one, and the second of the playlist after it.
  const stretches = [
    { from: 1_000, to: 2_000, playlistMs: 0 },
    { from: 3_000, to: 4_000, playlistMs: 1_000 },
  ];
  expect([...waveform(sound, stretches, { from: 0, to: 5_000 }, 5)]).toEqual([0, 40, 0, 80, 0]);
  expect([...waveform(sound, stretches, { from: 1_000, to: 2_000 }, 4)]).toEqual([10, 20, 30, 40]);
  // Closer than a step, each column shows the step that it is in.
  expect([...waveform(sound, stretches, { from: 1_000, to: 1_500 }, 4)]).toEqual([10, 10, 20, 20]);
  // What has not been measured yet is silent, and what is out of view costs nothing.
  expect([...waveform(sound, [{ from: 0, to: 10_000, playlistMs: 0 }], { from: 0, to: 4_000 }, 4)]).toEqual([
    40, 80, 0, 0,
  ]);
  expect([...waveform(sound, stretches, { from: 60_000, to: 61_000 }, 2)]).toEqual([0, 0]);
});
