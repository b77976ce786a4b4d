import { parseArgs } from "node:util";
import { verifyBag } from "./bag.ts";
import { inWords, isNote, WORDS_OF_RESULT as words } from "./differences.ts";

/**
 * Stand-alone command: `node src/evidence/verify.ts <bag> [--ca-sha256 <fingerprint>]`.
 * Exit 0: whole; 1: differences, one line each; 2: wrong use.
 */
async function main(argv: readonly string[], write: (line: string) => void): Promise<number> {
  let bag: string | undefined;
  let caSha256: string | undefined;
  try {
    const { positionals, values } = parseArgs({
      args: [...argv],
      options: { "ca-sha256": { type: "string" } },
      allowPositionals: true,
    });
    if (positionals.length === 1) [bag] = positionals;
    caSha256 = values["ca-sha256"];
  } catch {
    bag = undefined;
  }
  if (bag === undefined) {
    write(words.usage);
    return 2;
  }
  const report = await verifyBag(bag, caSha256 === undefined ? {} : { caSha256 });
  for (const difference of report.differences)
    write(`${isNote(difference) ? words.note : words.fault}: ${inWords(difference)}`);
  if (report.caFingerprint !== null) write(`${words.caFingerprint}: ${report.caFingerprint}`);
  if (report.hubKeySha256 !== null) write(`${words.hubKeySha256}: ${report.hubKeySha256}`);
  write(words.counted(report.takes, report.segments, report.gaps, report.frames));
  if (report.screenTakes > 0) write(words.screenTakes(report.screenTakes));
  if (report.hubCopies > 0) write(words.hubCopies(report.hubCopies));
  write(report.whole ? words.whole : words.notWhole);
  return report.whole ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2), (line) => process.stdout.write(`${line}\n`));
