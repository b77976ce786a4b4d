import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runChecked, runProcess } from "../../src/platform/platform.ts";
import { makeMaterial, openEvidenceStand, Take } from "../support/evidence-stand.ts";
import { until } from "../support/until.ts";

const GUIDE = join(import.meta.dirname, "../../docs/guide/kiem-tra-bang-chung.md");
const ACCUSATION = /SAI|ĐỨT|FAILED/;

test("the inspector's guide works as printed: quiet on a whole bag, and it names what somebody changed", async () => {
  await using stand = await openEvidenceStand();
  const directory = await mkdtemp(join(tmpdir(), "diemcau-material-"));
  const material = await makeMaterial(directory, 2);
  const box = stand.boxes[0]!;
  stand.start();
  const take = new Take(box, stand.session);
  take.gap("starting", 300);
  for (const item of material) take.segment(item);
  take.end();
  await stand.archive.records.accept(box.id, take.message());
  await box.uploadAll(take);
  stand.archive.inboxChanged(box.id);
  await stand.endSession();
  await until("the bag is finished", async () => {
    const bag = await stand.db.selectFrom("bag").selectAll().executeTakeFirst();
    return bag?.viewing === 1 && bag.additions === 0;
  });
  await rm(directory, { recursive: true });

  const blocks = [...(await readFile(GUIDE, "utf8")).matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1]!);
  expect(blocks).toHaveLength(9);
  const bag = join(stand.directories.archive, stand.session);
  const check = async (cwd: string): Promise<string[]> => {
    const words: string[] = [];
    for (const block of blocks) {
      const { stdout, stderr } = await runProcess(["bash", "-c", block], { cwd });
      words.push(stdout + stderr);
    }
    return words;
  };
  const whole = await check(bag);
  for (const words of whole) expect(words).not.toMatch(ACCUSATION);
  expect(whole[1]).toBe("Verified OK\n");
  expect(whole[7]).toContain('"cause":"starting"');

  const folder = join("data", box.point, take.take);
  const accusedBy = async (change: (copy: string) => Promise<void>): Promise<number[]> => {
    const copy = join(stand.root, "copy");
    await rm(copy, { recursive: true, force: true });
    await runChecked(["cp", "-a", bag, copy]);
    await change(copy);
    const words = await check(copy);
    return words.flatMap((text, index) => (ACCUSATION.test(text) ? [index] : []));
  };
  const rewrite = async (path: string, change: (text: string) => string) => {
    const text = await readFile(path, "latin1");
    await rm(path);
    await writeFile(path, change(text), "latin1");
  };
  const media = (copy: string) => join(copy, folder, "000000.ts");
  expect(await accusedBy((copy) => rewrite(media(copy), (text) => `${text}x`))).toEqual([0, 4]);
  const record = (copy: string) => join(copy, folder, "000001.json");
  expect(await accusedBy((copy) => rewrite(record(copy), (text) => text.replace('"frames":', '"frames":1')))).toEqual([
    0, 4, 6,
  ]);
  expect(await accusedBy((copy) => rm(record(copy)))).toEqual(expect.arrayContaining([0, 6]));
  const receipt = (copy: string) => join(copy, folder, "000000.receipt.json");
  expect(await accusedBy((copy) => rewrite(receipt(copy), (text) => text.replace("hub", "box")))).toEqual([0, 5]);
  expect(await accusedBy((copy) => rewrite(join(copy, "tagmanifest-sha256.txt"), (text) => text.slice(65)))).toContain(
    1,
  );
});
