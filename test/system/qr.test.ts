import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runChecked } from "../../src/platform/platform.ts";
import { qrModules } from "../../src/ui/room/qr.ts";

const SCALE = 6;
const QUIET = 4;

/** Portable graymap: the plainest picture that there is. */
function picture(modules: boolean[][]): Buffer {
  const side = (modules.length + 2 * QUIET) * SCALE;
  const pixels = Buffer.alloc(side * side, 255);
  for (let y = 0; y < modules.length * SCALE; y++)
    for (let x = 0; x < modules.length * SCALE; x++)
      if (modules[Math.floor(y / SCALE)]![Math.floor(x / SCALE)])
        pixels[(y + QUIET * SCALE) * side + x + QUIET * SCALE] = 0;
  return Buffer.concat([Buffer.from(`P5 ${side} ${side} 255\n`), pixels]);
}

test("another program reads from our QR codes what was written, in every size that we make", async () => {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-qr-"));
  try {
    const path = join(directory, "code.pgm");
    const sizes = new Set<number>();
    for (let length = 1; length <= 213; length += 7) {
      const text = `https://h.vn/${"Điểm cầu 10.24.3.17 ".repeat(12)}`.slice(0, length);
      const bytes = Buffer.byteLength(text);
      if (bytes > 213) break;
      const modules = qrModules(text);
      sizes.add(modules.length);
      await writeFile(path, picture(modules));
      const { stdout } = await runChecked(["zbarimg", "--quiet", "--raw", "--nodbus", "-Sbinary", path]);
      expect([bytes, stdout]).toEqual([bytes, text]);
    }
    expect([...sizes]).toEqual([21, 25, 29, 33, 37, 41, 45, 49, 53, 57]);
    expect(() => qrModules("x".repeat(214))).toThrow("too many");
  } finally {
    await rm(directory, { recursive: true });
  }
});
