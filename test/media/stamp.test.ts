import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createScene } from "../../src/edge/capture/virtual-scene.ts";
import { readStampRgba, stampHeight } from "../../src/media/media.ts";
import { runChecked } from "../../src/platform/platform.ts";

const FRAMES = 75;

test("every frame's clock is read back after scaling to half and H.264 at 400 kbit/s", async () => {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-stamp-"));
  try {
    const raw = join(directory, "raw.yuv");
    const scene = createScene(1280, 720, 42);
    const wallMs = (index: number) => 1_795_280_000_000 + index * 40;
    await writeFile(raw, Buffer.concat(Array.from({ length: FRAMES }, (_, i) => scene.draw(i, wallMs(i)).slice())));
    const coded = join(directory, "coded.flv");
    await runChecked([
      ...["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", "1280x720"],
      ...["-framerate", "25", "-i", raw, "-vf", "scale=640:360:flags=fast_bilinear"],
      ...["-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-g", "25"],
      ...["-b:v", "400k", "-maxrate", "400k", "-bufsize", "100k", coded],
    ]);
    const shown = join(directory, "shown.rgba");
    await runChecked([...["ffmpeg", "-v", "error", "-i", coded, "-f", "rawvideo", "-pix_fmt", "rgba", shown]]);
    const pixels = await readFile(shown);
    const frameBytes = 640 * 360 * 4;
    expect(pixels.length).toBe(FRAMES * frameBytes);
    const row = (stampHeight(640) >> 1) * 640 * 4;
    const read = Array.from({ length: FRAMES }, (_, i) => {
      const at = i * frameBytes + row;
      return readStampRgba(pixels.subarray(at, at + 640 * 4), 640);
    });
    expect(read).toEqual(Array.from({ length: FRAMES }, (_, i) => wallMs(i) % 2 ** 32));
  } finally {
    await rm(directory, { recursive: true });
  }
});
