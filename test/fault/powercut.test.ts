import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/platform/platform.ts";
import { FRAME_RATE, startRecordingBox, type BoxCutResult, type RecordingBox } from "../support/power-cut.ts";
import { until } from "../support/until.ts";

/**
 * The power of a box that records is cut: once right after it said that a segment is on disk, and once in the middle of
 * the next one. What the drive had not flushed is gone, or half of its sectors are.
 */
describe("a box whose power is cut", () => {
  let directory: string;
  let box: RecordingBox;
  let atClosing: BoxCutResult;
  let inMiddle: BoxCutResult;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "diemcau-powercut-"));
    box = await startRecordingBox(directory, "small");
    await until("the first segment is closed", async () => (await box.closedMs()) !== undefined, { withinMs: 30_000 });
    const closedMs = (await box.closedMs())!;
    const middleMs = closedMs + 1_500 + Math.random() * 1_000;
    await until("the middle of the next segment is past", () => systemClock.monotonicMs() > middleMs + 100);
    await box.stop();
    atClosing = await box.recover(closedMs, "nothing");
    inMiddle = await box.recover(middleMs, "some");
  });
  afterAll(async () => {
    await box[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  test("never-again 5: loses less than a second, and goes on with the session by itself", () => {
    for (const result of [atClosing, inMiddle]) {
      expect(result.opens).toBe(true);
      expect(result.framesLost).toBeLessThanOrEqual(FRAME_RATE);
      expect(result.framesMissingInside).toBe(0);
      expect(result.resumedAfterMs).toBeLessThan(15_000);
    }
  });

  test("never-again 9: still holds, byte for byte, every segment that it had said is whole", () => {
    expect(atClosing.closedSegmentsLost).toBe(0);
    expect(inMiddle.closedSegmentsLost).toBe(0);
  });

  test("never-again 10, 11: signs what is missing since the last frame that plays, as of another boot", () => {
    for (const result of [atClosing, inMiddle]) {
      expect(result.gap).toMatchObject({ cause: "powerLost" });
      expect(Math.abs(result.gapErrorMs)).toBeLessThan(50);
    }
  });
});
