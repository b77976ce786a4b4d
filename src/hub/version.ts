import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readIfExists } from "../platform/platform.ts";

const root = join(import.meta.dirname, "../..");

/** Written into each installed version: its name says what is in it (installation/tree.ts). */
export const VERSION_FILE = "version";

/** Of the code that runs: as it was installed, or the package's with `-dev` where it runs out of a repository. */
export async function versionOf(directory: string = root): Promise<string> {
  const installed = await readIfExists(join(directory, VERSION_FILE));
  if (installed) return installed.toString("utf8").trim();
  const { version } = JSON.parse(await readFile(join(directory, "package.json"), "utf8")) as { version: string };
  return `${version}-dev`;
}
