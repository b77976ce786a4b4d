import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { startProcess, systemClock } from "../../src/platform/platform.ts";
import { encoderPid } from "../support/encoder.ts";
import { cpuMs, rssMb } from "../support/process-cost.ts";
import { raiseStand } from "../support/stand.ts";
import { until } from "../support/until.ts";
import { atMost, machineNow, median, round, type Bench } from "./report.ts";

const WINDOWS = 6;
const WINDOW_SECONDS = 10;
/** The page's and the synchroniser's modules have been loaded, and the first compilations are over. */
const WARM_UP_MS = 60_000;
const CAPTURE = {
  source: { kind: "virtual", label: "bench" },
  record: { width: 1280, height: 720, frameRate: 25, maxBitrateKbps: 3_000 },
  live: { width: 1280, height: 720, bitrateKbps: 800 },
};

/**
 * What the agent costs while its room is in session: recorded, streamed and sent to a hub at 720p25. Each window holds
 * the closing, hashing, signing and sending of one segment. Beside it: its own encoder, a Node.js that does nothing, and the
 * agent once more while programs of the lowest priority keep the cores from sleeping.
 */
export const bench: Bench = {
  name: "edge",
  async run({ seconds = WINDOW_SECONDS }) {
    const machine = machineNow();
    const directory = await mkdtemp(join(tmpdir(), "dc-bench-edge-"));
    try {
      await using stand = await raiseStand({ directory, rooms: [{ name: "UBND xã Ba Tơ", capture: CAPTURE }] });
      const room = stand.rooms[0]!;
      await using stack = new AsyncDisposableStack();
      const idle = await startProcess([process.execPath, "-e", "setInterval(() => {}, 1 << 30)"]);
      stack.defer(async () => void (await idle.stop(1_000)));
      // The first start after an installation compiles everything; what runs day by day is a later one.
      const firstPid = room.process.pid;
      room.process.kill("SIGTERM");
      await until("the agent has started again", () => room.process.pid !== firstPid, { withinMs: 20_000 });
      await until("its picture is live", async () => (await stand.desk.rooms()).every(({ live }) => live.length > 1), {
        withinMs: 30_000,
      });
      const { id } = await stand.desk.createSession("Đo", [{ id: room.point, role: "central" }]);
      await stand.desk.act(id, "start");
      await until(
        "the room records",
        async () => (await stand.desk.rooms()).every((view) => view.health?.recording.growing === true),
        { withinMs: 30_000 },
      );
      await systemClock.sleep(WARM_UP_MS);

      const processes: Record<Name, number> = { agent: room.process.pid, encoder: encoderPid(room), idle: idle.pid };
      const asleep = await measure(processes, WINDOWS, seconds);
      // A core of a virtual machine that has gone to sleep is woken by way of its host: 60 to 140 µs each time.
      await using awake = new AsyncDisposableStack();
      for (let core = 0; core < cpus().length; core++) {
        const spinner = await startProcess(["chrt", "--idle", "0", "sh", "-c", "while :; do :; done"]);
        awake.defer(async () => void (await spinner.stop(1_000)));
      }
      const kept = await measure(processes, WINDOWS / 2, seconds);
      await awake.disposeAsync();
      if (room.process.pid !== processes.agent) throw new Error("the agent did not live through the bench");
      await stand.desk.act(id, "end");
      const [agent, encoder, node] = NAMES.map((name) => summary(asleep[name])) as [Cost, Cost, Cost];
      return {
        name: "edge",
        machine,
        figures: {
          ...{ unit: "% of one core, MiB", ...agent },
          cpuPercentWithCoresKeptAwake: summary(kept.agent).cpuPercent,
        },
        peers: { "its encoder": encoder, "an idle Node.js": node },
        goals: [
          atMost("agent's CPU, % of one core", agent.cpuPercent, 3),
          atMost("agent's resident memory, MiB", agent.rssMb, 120),
        ],
      };
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};

const NAMES = ["agent", "encoder", "idle"] as const;
type Name = (typeof NAMES)[number];

async function measure(
  processes: Record<Name, number>,
  windows: number,
  seconds: number,
): Promise<Record<Name, Cost[]>> {
  const costs: Record<Name, Cost[]> = { agent: [], encoder: [], idle: [] };
  for (let window = 0; window < windows; window++) {
    const startMs = systemClock.monotonicMs();
    const before = NAMES.map((name) => cpuMs(processes[name]));
    await systemClock.sleep(seconds * 1_000);
    const spentMs = systemClock.monotonicMs() - startMs;
    for (const [at, name] of NAMES.entries())
      costs[name].push({
        cpuPercent: ((cpuMs(processes[name]) - before[at]!) / spentMs) * 100,
        rssMb: rssMb(processes[name]),
      });
  }
  return costs;
}

interface Cost {
  cpuPercent: number;
  rssMb: number;
}

const summary = (costs: readonly Cost[]): Cost => ({
  cpuPercent: round(median(costs.map(({ cpuPercent }) => cpuPercent))),
  rssMb: round(median(costs.map(({ rssMb }) => rssMb)), 1),
});
