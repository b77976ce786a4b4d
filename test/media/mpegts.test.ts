import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMpegTsCounter } from "../../src/media/media.ts";
import { runChecked } from "../../src/platform/platform.ts";
import { countFrames } from "../support/count.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-ts-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function make(name: string, ...options: string[]): Promise<string> {
  const path = join(directory, name);
  await runChecked([
    ...["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=4"],
    ...["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=4", ...options, path],
  ]);
  return path;
}

function countIn(bytes: Uint8Array) {
  const counter = createMpegTsCounter();
  for (let at = 0; at < bytes.length; at += 7_001) counter.push(bytes.subarray(at, at + 7_001));
  return counter.count();
}

describe("counting what FFmpeg wrote", () => {
  test.each([
    ["h264", ["-c:v", "libx264", "-g", "25", "-bf", "0", "-c:a", "aac", "-muxdelay", "0"]],
    ["h264 with B-frames", ["-c:v", "libx264", "-g", "25", "-c:a", "aac"]],
    ["mpeg2", ["-c:v", "mpeg2video", "-g", "25", "-c:a", "mp2"]],
  ])("%s", async (name, options) => {
    const path = await make(`${name}.ts`, ...options);
    const count = countIn(await readFile(path));
    expect(count.videoFrames).toBe(100);
    expect(count.videoFrames).toBe(await countFrames(path));
    expect(count.keyFrames).toBe(4);
    expect(count.audioPackets).toBeGreaterThan(0);
    expect(count.strayBytes).toBe(0);
    expect(count.lastVideoMs! - count.firstVideoMs!).toBeCloseTo(99 * 40);
  });

  test("a second without a picture is found, a few lost frames are only counted", async () => {
    const lacking = ["-vf", "select=not(between(n\\,30\\,54)+between(n\\,70\\,75))", "-fps_mode", "passthrough"];
    const path = await make("holes.ts", ...lacking, "-c:v", "libx264", "-bf", "0", "-c:a", "aac", "-muxdelay", "0");
    const { videoFrames, videoHoles, firstVideoMs } = countIn(await readFile(path));
    expect(videoFrames).toBe(100 - 25 - 6);
    expect(videoHoles.map(({ lastMs, nextMs }) => [lastMs - firstVideoMs!, nextMs - firstVideoMs!])).toEqual([
      [29 * 40, 55 * 40],
    ]);
  });

  test("a file that was cut anywhere counts as ffprobe counts it", async () => {
    const options = ["-c:v", "libx264", "-g", "25", "-bf", "0", "-tune", "zerolatency", "-c:a", "aac"];
    const path = await make("whole.ts", ...options);
    const whole = await readFile(path);
    for (const part of [0.31, 0.5, 0.77, 0.99]) {
      const cut = join(directory, "cut.ts");
      await writeFile(cut, whole);
      await truncate(cut, Math.floor(whole.length * part));
      expect(countIn(await readFile(cut)).videoFrames, `${part}`).toBe(await countFrames(cut));
    }
  });
});
