import { readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { execFileSync } from "node:child_process";

export const root = join(import.meta.dirname, "../..");

/** Files that git tracks or would track, relative to the repository. */
export const trackedFiles = (): string[] =>
  execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" })
    .split("\n")
    .filter((file) => file !== "");

export const read = (file: string): string => readFileSync(join(root, file), "utf8");

export interface Import {
  file: string;
  specifier: string;
  /** Path of the imported file relative to the repository; undefined for packages. */
  target: string | undefined;
  typeOnly: boolean;
}

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g;

export function importsOf(file: string): Import[] {
  return [...read(file).matchAll(IMPORT)].map((match) => {
    const specifier = (match[2] ?? match[3])!;
    const target = specifier.startsWith(".")
      ? relative(root, normalize(join(root, dirname(file), specifier.split("?")[0]!)))
      : undefined;
    return { file, specifier, target, typeOnly: match[1] !== undefined };
  });
}
