import { rm, mkdtemp, readFile } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs the named groups one after another and ends with the line `N passed, N failed`. */
let passed = 0;
let failed = 0;

const run = (argv: string[]): boolean =>
  spawnSync(argv[0]!, argv.slice(1), { stdio: ["ignore", "inherit", "inherit"] }).status === 0;

/** A step that is one test by itself. */
function step(name: string, argv: string[]): void {
  console.log(`\n— ${name}`);
  if (run(argv)) passed++;
  else {
    failed++;
    console.error(`${name} failed`);
  }
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
    const result = JSON.parse(await readFile(file, "utf8")) as {
      numPassedTests: number;
      numFailedTests: number;
      numFailedTestSuites: number;
      numPendingTests: number;
    };
    passed += result.numPassedTests;
    // A suite that failed to load has no tests of its own to fail; a skipped test is no test.
    const lost = result.numFailedTests + result.numPendingTests;
    failed += lost > 0 ? lost : clean ? 0 : Math.max(1, result.numFailedTestSuites);
    if (clean && result.numPassedTests === 0) {
      console.error(`${project} ran no test`);
      failed++;
    }
  } catch (error) {
    console.error(`${project} left no result: ${String(error)}`);
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
  } else await vitest(group);
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
