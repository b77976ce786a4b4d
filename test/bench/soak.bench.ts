import { growthOf, soak } from "../support/soak.ts";
import { atMost, machineNow, round, type Bench } from "./report.ts";

const DAYS = 14;
const SESSIONS_PER_DAY = 12;

/** What a fortnight of sessions leaves behind in box and hub, in made time: `test/support/soak.ts`. */
export const bench: Bench = {
  name: "soak",
  async run() {
    const machine = machineNow();
    const samples = await soak({ days: DAYS, sessionsPerDay: SESSIONS_PER_DAY, sampleEvery: SESSIONS_PER_DAY * 2 });
    const { first: _first, last: _last, ...growth } = growthOf(samples);
    const figures = Object.fromEntries(Object.entries(growth).map(([name, value]) => [name, round(value, 1)]));
    return {
      name: "soak",
      machine,
      figures: { ...figures, samples },
      peers: {},
      goals: [
        atMost("memory of box and hub after the warming up, bytes", growth.rssBytes, 24e6),
        atMost("heap after the warming up, bytes", growth.heapBytes, 8e6),
        atMost("open files", growth.openFiles, 1),
        atMost("timers", growth.timers, 1),
        atMost("lines of log a take, box alone", round(growth.logLinesPerTake, 1), 15),
      ],
    };
  },
};
