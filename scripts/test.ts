import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

/** Runs the named groups one after another and ends with the line `N passed, N failed`. */
let passed = 0;
let failed = 0;
/** What failed, told once more at the end: where a log is cut, the end is what is kept. */
const failures: string[] = [];

const run = (argv: string[]): boolean =>
  spawnSync(argv[0]!, argv.slice(1), { stdio: ["ignore", "inherit", "inherit"] }).status === 0;

/** A step that is one test by itself. */
function step(name: string, argv: string[]): void {
  console.log(`\n— ${name}`);
  if (run(argv)) passed++;
  else {
    failed++;
    failures.push(`${name}: see its output above`);
  }
}

/** The part of Vitest's JSON report that is read here. */
interface Result {
  numPassedTests: number;
  numFailedTests: number;
  numFailedTestSuites: number;
  numPendingTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] | null }[];
  }[];
}

async function vitest(project: string): Promise<void> {
  console.log(`\n— ${project}`);
  const directory = await mkdtemp(join(tmpdir(), "diemcau-test-"));
  const file = join(directory, "result.json");
  try {
    const clean = run([
      "vitest",
      "run",
      "--project",
      project,
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${file}`,
    ]);
    const result = JSON.parse(await readFile(file, "utf8")) as Result;
    passed += result.numPassedTests;
    // A suite that failed to load has no tests of its own to fail; a skipped test is no test.
    const lost = result.numFailedTests + result.numPendingTests;
    failed += lost > 0 ? lost : clean ? 0 : Math.max(1, result.numFailedTestSuites);
    for (const suite of result.testResults) {
      const test = `${project} ${relative(".", suite.name)}`;
      const wrong = suite.assertionResults.filter((one) => one.status !== "passed");
      for (const one of wrong)
        failures.push(`${test} > ${one.fullName} (${one.status})\n${(one.failureMessages ?? []).join("\n")}`);
      if (suite.status === "failed" && wrong.length === 0) failures.push(`${test}\n${suite.message}`);
    }
    if (clean && result.numPassedTests === 0) {
      failures.push(`${project} ran no test`);
      failed++;
    }
  } catch (error) {
    failures.push(`${project} left no result: ${String(error)}`);
    failed++;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

for (const group of process.argv.slice(2)) {
  if (group === "check") {
    step("format", ["oxfmt", "--check", "."]);
    step("lint", ["oxlint", "--type-aware", "--deny-warnings"]);
    step("types", ["tsc", "-b"]);
    step("dead code", ["knip"]);
  } else if (group === "fresh") {
    step("fresh bookworm", ["bash", "test/fresh/run", "bookworm"]);
    step("fresh trixie", ["bash", "test/fresh/run", "trixie"]);
  } else if (group === "appliance") {
    step("image", ["scripts/image", "--flavour", process.env["DIEMCAU_IMAGE_FLAVOUR"] ?? "screen"]);
    await vitest(group);
  } else if (group === "update") {
    const key = "build/image/publisher.key";
    if (!existsSync(key)) {
      await mkdir(dirname(key), { recursive: true });
      step("publisher's key", ["node", "scripts/release.ts", "new-key", key]);
    }
    const image = (out: string) => [
      "scripts/image",
      "--flavour",
      "headless",
      "--release-keys",
      `${key}.pub.pem`,
      "--out",
      out,
    ];
    step("image", image("build/image/update-from"));
    step("image of the next release", [...image("build/image/update-to"), "--version", "0.1.1"]);
    await vitest(group);
  } else await vitest(group);
}
for (const failure of failures) console.log(`\nFAILED ${failure.split("\n").slice(0, 12).join("\n")}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
