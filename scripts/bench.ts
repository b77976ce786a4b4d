import { readdir, writeFile } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Bench } from "../test/bench/report.ts";

/** npm run bench -- NAME [--report FILE] [--option value …]: figures, never a test that fails by the clock. */
const NUMBERS = ["seconds", "minutes", "seed"] as const;
const root = join(import.meta.dirname, "..");
const { values, positionals } = parseArgs({
  // As in `npm run bench -- storm -- --seed 2`: options behind it would be taken for names, and left out in silence.
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  allowPositionals: true,
  options: {
    report: { type: "string" },
    seconds: { type: "string" },
    minutes: { type: "string" },
    seed: { type: "string" },
    ffmpeg: { type: "string" },
  },
});
const names = (await readdir(join(root, "test/bench")))
  .filter((file) => file.endsWith(".bench.ts"))
  .map((file) => file.slice(0, -".bench.ts".length));
const name = positionals[0];
if (name === undefined || positionals.length > 1 || !names.includes(name)) {
  const options = NUMBERS.map((option) => `[--${option} N]`).join(" ");
  console.error(
    `usage: npm run bench -- NAME [--report FILE] [--ffmpeg PROGRAM] ${options}; NAME is one of: ${names.join(", ")}`,
  );
  process.exit(2);
}
if (spawnSync(join(root, "scripts/setup"), ["bench", name], { stdio: ["ignore", "inherit", "inherit"] }).status !== 0)
  process.exit(1);
const { bench } = (await import(`../test/bench/${name}.bench.ts`)) as { bench: Bench };
const report = await bench.run({
  ...Object.fromEntries(NUMBERS.flatMap((name) => (values[name] === undefined ? [] : [[name, Number(values[name])]]))),
  ffmpeg: values.ffmpeg,
});
const text = JSON.stringify(report, null, 2);
console.log(text);
if (values.report) await writeFile(values.report, `${text}\n`);
for (const goal of report.goals)
  console.log(`${goal.met ? "met   " : "MISSED"} ${goal.name}: ${goal.value} (limit ${goal.limit})`);
// A program that could not be ended, which the report says, holds nobody up.
process.exit();
