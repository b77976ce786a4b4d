import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  causeOf,
  ConfigError,
  makeDirectory,
  removeDurable,
  runChecked,
  writeDurable,
} from "../../platform/platform.ts";
import { readStick } from "../../protocol/protocol.ts";
import { KEPT_STICK } from "./kept-stick.ts";
import { NETWORK_FOLDER, OWN_PREFIX, planNetwork, TIME_FOLDER } from "./network-plan.ts";

/**
 * Run as root, at boot before systemd-networkd and whenever the agent asks: writes the network that the kept stick wants.
 * The agent's word is not taken for it: the file is judged here again.
 */
async function applyNetwork(dataDirectory: string, root: string): Promise<string[]> {
  const files = await plannedOf(join(dataDirectory, KEPT_STICK));
  const changed: string[] = [];
  for (const folder of [NETWORK_FOLDER, TIME_FOLDER]) {
    await makeDirectory(join(root, folder), 0o755);
    for (const name of await readdir(join(root, folder))) {
      const path = `${folder}/${name}`;
      if (!name.startsWith(OWN_PREFIX) || files.some((file) => file.path === path)) continue;
      await removeDurable(join(root, path));
      changed.push(path);
    }
  }
  for (const { path, text } of files) {
    if ((await readFile(join(root, path), "utf8").catch(() => undefined)) === text) continue;
    await writeDurable(join(root, path), text, 0o644);
    changed.push(path);
  }
  return changed;
}

async function plannedOf(file: string) {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return [];
  const reading = readStick(text);
  if (!reading.ok)
    throw new ConfigError("invalid", `${file}: ${JSON.stringify(reading.faults)}; see docs/ref/stick.md`);
  return planNetwork(reading.stick);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { data: { type: "string", default: "/var/lib/diemcau" }, root: { type: "string", default: "/" } },
  });
  let changed: string[];
  try {
    changed = await applyNetwork(values.data, values.root);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  // At boot neither runs yet, and both read their files when they start.
  const tell = async (argv: string[]) =>
    runChecked(argv).catch((error: unknown) => void process.stderr.write(`${argv[0]}: ${causeOf(error)}\n`));
  const touches = (folder: string) => values.root === "/" && changed.some((path) => path.startsWith(folder));
  if (touches(NETWORK_FOLDER)) await tell(["networkctl", "reload"]);
  if (touches(TIME_FOLDER)) await tell(["chronyc", "-n", "reload", "sources"]);
  process.stdout.write(`${changed.join("\n")}\n`);
  return 0;
}

if (import.meta.main) process.exitCode = await main();
