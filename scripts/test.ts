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
/** What failed once and passed when its file was run again. */
const unsteady: string[] = [];

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
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] | null }[];
  }[];
}

/** A file's tests as one run of Vitest left them. */
interface Outcome {
  passed: number;
  failed: number;
  /** One text for each failure; a file whose preparation failed is one. */
  failures: string[];
}

/** Runs tests of one project, all or those files. Throws where Vitest leaves no result. */
async function runVitest(project: string, files: readonly string[] = []): Promise<Map<string, Outcome>> {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-test-"));
  const report = join(directory, "result.json");
  try {
    const clean = run([
      ...["vitest", "run", "--project", project, "--reporter=default", "--reporter=json"],
      ...[`--outputFile.json=${report}`, ...files],
    ]);
    const { testResults } = JSON.parse(await readFile(report, "utf8")) as Result;
    const outcomes = new Map(testResults.map((suite) => [relative(".", suite.name), outcomeOf(project, suite)]));
    if (clean && testResults.length === 0) throw new Error("there is no test");
    if (!clean && [...outcomes.values()].every(({ failed }) => failed === 0))
      throw new Error("Vitest failed, and none of its tests");
    return outcomes;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function outcomeOf(project: string, suite: Result["testResults"][number]): Outcome {
  const name = `${project} ${relative(".", suite.name)}`;
  const lost = suite.assertionResults.filter(({ status }) => status !== "passed");
  const failures = lost
    .filter(({ status }) => status === "failed")
    .map((one) => `${name} > ${one.fullName}\n${(one.failureMessages ?? []).join("\n")}`);
  // A skipped test is no test; those of a file whose preparation failed are skipped, and the reason is the file's.
  const skipped = lost.length - failures.length;
  if (skipped > 0 || (suite.status === "failed" && failures.length === 0))
    failures.push(`${name} (${skipped} not run)\n${suite.message}`);
  const passed = suite.assertionResults.length - lost.length;
  return { passed, failed: suite.status === "failed" ? Math.max(1, lost.length) : lost.length, failures };
}

/**
 * Files of these groups run real programs against the clock, beside whatever else the machine does, so a few that failed
 * are run once more by themselves. What passes then is not silent about it: it is told at the end, with its failure.
 */
const SECOND_TRY = new Set(["system", "media", "fault"]);
const SECOND_TRY_FILES = 3;

async function vitest(project: string): Promise<void> {
  console.log(`\n— ${project}`);
  try {
    const outcomes = await runVitest(project);
    const wrong = [...outcomes].filter(([, { failed }]) => failed > 0);
    if (wrong.length > 0 && wrong.length <= SECOND_TRY_FILES && SECOND_TRY.has(project)) {
      console.log(`\n— ${project}, what failed once more`);
      const again = await runVitest(
        project,
        wrong.map(([file]) => file),
      );
      for (const [file, first] of wrong) {
        const second = again.get(file);
        if (second?.failed === 0) unsteady.push(...first.failures);
        if (second) outcomes.set(file, second);
      }
    }
    for (const outcome of outcomes.values()) {
      passed += outcome.passed;
      failed += outcome.failed;
      failures.push(...outcome.failures);
    }
  } catch (error) {
    failures.push(`${project} left no result: ${String(error)}`);
    failed++;
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
for (const text of unsteady) console.log(`\nUNSTEADY ${text.split("\n").slice(0, 6).join("\n")}`);
for (const failure of failures) console.log(`\nFAILED ${failure.split("\n").slice(0, 12).join("\n")}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
