import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { launchBrowser } from "../support/browser.ts";

test("the sheet for the wall is one page of A4, with its pictures", async () => {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-wall-"));
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(pathToFileURL(join(import.meta.dirname, "../../docs/guide/phong/treo-tuong.html")).href);
    const widths = await page.evaluate(() => [...document.images].map(({ naturalWidth }) => naturalWidth));
    expect(widths).toHaveLength(3);
    expect(Math.min(...widths)).toBeGreaterThan(600);
    const path = join(directory, "sheet.pdf");
    await page.pdf({ path, preferCSSPageSize: true });
    const pdf = await readFile(path, "latin1");
    expect([...pdf.matchAll(/\/Type\s*\/Page\b(?!s)/g)]).toHaveLength(1);
    const box = /\/MediaBox\s*\[\S+ \S+ (\S+) (\S+)\]/.exec(pdf)!;
    const millimetres = [box[1], box[2]].map((points) => Math.round((Number(points) * 25.4) / 72));
    expect(millimetres).toEqual([210, 297]);
  } finally {
    await browser.close();
    await rm(directory, { recursive: true, force: true });
  }
});
