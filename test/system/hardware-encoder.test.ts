import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createLog, systemClock } from "../../src/platform/platform.ts";
import { findEncoder } from "../../src/edge/capture/hardware.ts";

/**
 * FFmpeg as a box with a chip would have it: what is asked of the chip, `chip` does. The comparison is the real one's. A
 * stand-in for the chip and for nothing else, since no test machine has one.
 */
const withChip = (chip: string) => `#!/bin/sh
case "$*" in
*-version*) exec ffmpeg -version ;;
*h264_vaapi*) ;;
*) exec ffmpeg "$@" ;;
esac
for file; do :; done
echo tried >>"\${0%/*}/tries"
${chip}
`;
const pattern = "ffmpeg -v error -y -f lavfi -i testsrc2=size=1280x720:rate=25";
const x264 = '-c:v libx264 -preset ultrafast -g 25 -keyint_min 25 -bf 0 -b:v 3000k "$file"';

async function withNodes(nodes: string[], act: (dri: string, directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-dri-"));
  try {
    const dri = join(directory, "dri");
    await mkdir(dri);
    for (const node of nodes) await writeFile(join(dri, node), "");
    await act(dri, directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}
const log = createLog(systemClock, () => {});

test("a box without a chip, and one whose render node is none, record in software and say why", async () => {
  await withNodes([], async (dri, directory) => {
    const verdictFile = join(directory, "encoder.json");
    const options = { ffmpeg: "ffmpeg", log, verdictFile, dri };
    expect(await findEncoder(options)).toEqual({ kind: "software", why: "there is no render node" });
    expect(await findEncoder({ ...options, dri: join(directory, "none") })).toMatchObject({ kind: "software" });
    await writeFile(join(dri, "renderD128"), "");
    const found = await findEncoder(options);
    expect(found).toMatchObject({ kind: "software" });
    expect(found.why).toContain("does not encode");
    expect(JSON.parse(await readFile(verdictFile, "utf8"))).toMatchObject({ good: false });
  });
});

test.each([
  ["hangs", "exec sleep 600", "did not end within"],
  ["says yes and writes nothing", "exit 0", "cannot be decoded"],
  ["loses pictures", `exec ${pattern} -frames:v 44 ${x264}`, "44 pictures of 50"],
  ["makes other pictures", `exec ${pattern} -vf negate -frames:v 50 ${x264}`, "not what was encoded"],
  ["has no key frames", `exec ${pattern} -frames:v 50 ${x264.replaceAll("25", "250")}`, "key frames at 0"],
])("a chip that %s is not used", async (_, chip, why) => {
  await withNodes(["renderD128"], async (dri, directory) => {
    const ffmpeg = join(directory, "ffmpeg");
    await writeFile(ffmpeg, withChip(chip));
    await chmod(ffmpeg, 0o700);
    const options = { ffmpeg, log, verdictFile: join(directory, "encoder.json"), dri, stepTimeoutMs: 15_000 };
    const found = await findEncoder(chip.includes("sleep") ? { ...options, stepTimeoutMs: 1_000 } : options);
    expect(found.kind).toBe("software");
    expect(found.why).toContain(why);
  });
});

test("a chip that encodes is used, tried once, and tried again with another FFmpeg", async () => {
  await withNodes(["card0", "renderD128"], async (dri, directory) => {
    const ffmpeg = join(directory, "ffmpeg");
    await writeFile(ffmpeg, withChip(`exec ${pattern} -frames:v 50 ${x264}`));
    await chmod(ffmpeg, 0o700);
    const options = { ffmpeg, log, verdictFile: join(directory, "encoder.json"), dri };
    const tries = async () => (await readFile(join(directory, "tries"), "utf8")).trim().split("\n").length;
    expect(await findEncoder(options)).toMatchObject({ kind: "vaapi", node: join(dri, "renderD128") });
    expect(await findEncoder(options)).toMatchObject({ kind: "vaapi" });
    expect(await tries()).toBe(1);
    await writeFile(
      ffmpeg,
      (await readFile(ffmpeg, "utf8")).replace("exec ffmpeg -version", "exec echo ffmpeg version 9"),
    );
    await findEncoder(options);
    expect(await tries()).toBe(2);
  });
});
