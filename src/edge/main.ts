import { flushCompileCache } from "node:module";
import { parseArgs } from "node:util";

/** As the hub: a command line or configuration that it refuses; starting again does not help. */
const EXIT_REFUSED = 2;
/** As often as the open segment is synced. */
const BEAT_MS = 100;
/** By then what is imported late has been imported. */
const FLUSH_AFTER_MS = 10_000;

export async function main(): Promise<number> {
  const { values } = parseArgs({ options: { config: { type: "string" } } });
  if (values.config === undefined) {
    process.stderr.write("usage: main.ts --config FILE (docs/ref/box-config.md)\n");
    return EXIT_REFUSED;
  }
  const [{ runAgent }, { readEdgeConfig }, { ConfigError, createLog, inBeats, processLifetime, systemClock }] =
    await Promise.all([import("./agent.ts"), import("./config.ts"), import("../platform/platform.ts")]);
  try {
    const config = await readEdgeConfig(values.config);
    const log = createLog(systemClock);
    const stopped = processLifetime(log);
    // Written by itself only at an orderly end, which a killed agent has not.
    setTimeout(flushCompileCache, FLUSH_AFTER_MS).unref();
    return await runAgent(config, { log, clock: inBeats(systemClock, BEAT_MS), stopped, configFile: values.config });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT_REFUSED;
  }
}
