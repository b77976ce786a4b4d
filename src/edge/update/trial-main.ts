import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { createLog, makeDirectory, systemClock, type Clock, type Log } from "../../platform/platform.ts";
import { readEdgeConfig, type EdgeConfig } from "../config.ts";
import { hubNow } from "../hub-time.ts";
import { AWAY_MS, decide } from "../schedule.ts";
import { openEdgeState } from "../state.ts";
import { watchGate } from "./gate.ts";
import { readRunningImage } from "./image.ts";
import { memoryFile, readUpdateMemory, updateFolder, writeTrialReport, type TrialReport } from "./kept.ts";
import { runTrial, type TrialVerdict } from "./trial.ts";

const USAGE = "usage: trial-main.ts trial|gate --config FILE (docs/design/updates.md)\n";

/** Whether the room's cached schedule has something for this minute: then that is recorded, and is the trial. */
async function isInSession(config: EdgeConfig, log: Log, clock: Clock): Promise<boolean> {
  const state = await openEdgeState(config.dataDirectory, log, clock);
  const now = hubNow(clock, state.hubTime(), () => null);
  const { goal, begin } = decide({ assignment: state.assignment(), own: state.own(), now, awayMs: AWAY_MS });
  return goal.session !== null || begin !== undefined;
}

async function trial(config: EdgeConfig, agentVersion: string, log: Log, clock: Clock): Promise<TrialVerdict> {
  if (await isInSession(config, log, clock)) return { ok: true, detail: "a session is on: its recording is the trial" };
  const { tried } = await readUpdateMemory(memoryFile(config.dataDirectory));
  const { dataDirectory, runDirectory, capture } = config;
  return runTrial({
    ...{ log, clock, capture, dataDirectory, runDirectory, agentVersion, cores: availableParallelism() },
    fitted: tried?.fitted ?? { camera: false, microphone: false },
  });
}

/**
 * Two oneshot services of a box that has started a release for the first time (appliance/root): `trial` before the agent, `gate`
 * after it. Exit code 0: so far it is fit to stay. Not 0: systemd starts the machine anew, and after the third time
 * systemd-boot takes the former release.
 */
async function main(argv: string[]): Promise<number> {
  const { positionals, values } = parseArgs({
    args: argv,
    options: { config: { type: "string" } },
    allowPositionals: true,
  });
  const by = positionals[0];
  if (values.config === undefined || (by !== "trial" && by !== "gate")) {
    process.stderr.write(USAGE);
    return 2;
  }
  const clock = systemClock;
  const log = createLog(clock);
  const config = await readEdgeConfig(values.config);
  if (!config.update) throw new Error(`${values.config} has no update`);
  const { version } = await readRunningImage(config.update.osRelease);
  await makeDirectory(updateFolder(config.dataDirectory));
  const verdict =
    by === "trial"
      ? await trial(config, version, log, clock)
      : await watchGate({ clock, port: config.room.port, version, dataDirectory: config.dataDirectory });
  const report: TrialReport = {
    ...{ v: 1, version, bootId: clock.bootId, by, ok: verdict.ok, detail: verdict.detail.slice(0, 300) },
    reason: verdict.ok ? null : verdict.reason,
  };
  await writeTrialReport(config.dataDirectory, report);
  log[verdict.ok ? "info" : "error"](`update.${by}`, {
    version,
    ok: report.ok,
    reason: report.reason,
    detail: report.detail,
  });
  return verdict.ok ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
