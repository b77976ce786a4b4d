import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readIfExists, runChecked, startProcess, type Clock } from "../../platform/platform.ts";
import { copyDatabase } from "../backup/backup.ts";
import type { HubConfig } from "../config.ts";
import { waitForHub, type Verdict } from "./health.ts";
import { PLACES } from "./places.ts";
import { asHub, giveDatabaseBack } from "./system.ts";

/** Enough to see it stand, on a copy that nobody uses. */
const STEADY_MS = 1_000;
const STOP_MS = 10_000;

/**
 * Starts a version on a copy of database, keys and configuration, on other ports and without the province's storage,
 * beside the hub that is running: a schema change that fails on this province's data is seen before anything is
 * stopped.
 */
export async function rehearse(options: {
  directory: string;
  config: HubConfig;
  version: string;
  clock: Clock;
  withinMs: number;
}): Promise<Verdict> {
  const { directory, version, clock, withinMs } = options;
  const work = join(PLACES.data, ".rehearsal");
  // Of an installer that was killed: keys are in it.
  await rm(work, { recursive: true, force: true });
  try {
    await mkdir(work, { mode: 0o700 });
    const data = join(work, "data");
    await cp(join(PLACES.data, "authority"), join(data, "authority"), { recursive: true });
    copyDatabase(join(PLACES.data, "hub.db"), join(data, "hub.db"));
    await giveDatabaseBack();
    const identity = await readIfExists(join(PLACES.data, "archive/diemcau-storage.json"));
    if (identity) {
      await runChecked(["mkdir", "-p", join(data, "archive")]);
      await writeFile(join(data, "archive/diemcau-storage.json"), identity);
    }
    const config = {
      ...(JSON.parse(await readFile(PLACES.config, "utf8")) as object),
      dataDirectory: data,
      listen: { host: "127.0.0.1", port: 0 },
      loopback: { port: 0 },
      province: null,
    };
    const file = join(work, "hub.json");
    await writeFile(file, JSON.stringify(config));
    await runChecked(["chown", "--recursive", `${PLACES.user}:${PLACES.user}`, work]);
    const log: string[] = [];
    const argv = asHub([join(directory, "bin/node"), join(directory, "src/hub/main.ts"), "--config", file]);
    const child = await startProcess(argv, { cwd: work });
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => log.push(text));
    let ended = false;
    void child.exited.then(() => (ended = true));
    const verdict = await waitForHub({
      config: { ...options.config, dataDirectory: data, listen: { host: "127.0.0.1", port: 0 } },
      ...{ version, clock, withinMs, steadyMs: STEADY_MS },
      process: () => Promise.resolve(ended ? 0 : child.pid),
      gone: () => ended,
    });
    await child.stop(STOP_MS);
    const last = log.join("").trim().split("\n").slice(-3).join(" | ");
    return verdict.ok ? verdict : { ok: false, reason: `${verdict.reason}: ${last}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
