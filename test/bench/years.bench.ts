import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withAgedBox, type StartCost } from "../support/aged-box.ts";
import { makeYears } from "../support/made-years.ts";
import { until } from "../support/until.ts";
import { atMost, machineNow, median, round, type Bench } from "./report.ts";

/** 70 sessions of four hours: 280 h. */
const TAKES = 70;
const SEGMENTS = 1_440;
const STARTS = 3;
const MIB = 1024 * 1024;

/** What a box's start takes, and what its agent holds, when it has recorded for years. Beside it: an empty box. */
export const bench: Bench = {
  name: "years",
  async run() {
    const machine = machineNow();
    const home = await mkdtemp(join(tmpdir(), "dc-bench-years-"));
    const boxOf = async (name: string) => {
      const place = join(home, name);
      await mkdir(join(place, "data"), { recursive: true });
      return place;
    };
    const stateBytes = async (place: string) =>
      (await stat(join(place, "data/state.json")).catch(() => undefined))?.size ?? 0;
    const measure = async (place: string) => {
      const first = await withAgedBox(place, async (_, cost) => cost);
      const stateBefore = await stateBytes(place);
      // What the first start has left to do is done in seconds, and then a start is as every day.
      await withAgedBox(place, async () => {
        let before = -1;
        await until(
          "it has nothing left to tidy up",
          async () => {
            const now = await stateBytes(place);
            const isSame = now === before;
            before = now;
            return isSame;
          },
          { withinMs: 60_000, everyMs: 5_000 },
        );
      });
      const costs: StartCost[] = [];
      for (let start = 0; start < STARTS; start++) costs.push(await withAgedBox(place, async (_, cost) => cost));
      return { first: inUnits([first]), daily: inUnits(costs), stateBefore, stateAfter: await stateBytes(place) };
    };
    try {
      const empty = await measure(await boxOf("empty"));
      const figures: Record<string, unknown> = { hours: (TAKES * SEGMENTS * 10) / 3_600 };
      for (const evicted of [false, true]) {
        const place = await boxOf(evicted ? "evicted" : "kept");
        await makeYears({ dataDirectory: join(place, "data"), takes: TAKES, segmentsPerTake: SEGMENTS, evicted });
        figures[evicted ? "media gone" : "media there"] = await measure(place);
      }
      const rss = Object.values(figures).flatMap((figure) =>
        typeof figure === "object" ? [(figure as Awaited<ReturnType<typeof measure>>).daily.rssMb] : [],
      );
      return {
        name: "years",
        machine,
        figures,
        peers: { "an empty box": empty },
        goals: [atMost("agent's resident memory after the start, MiB", Math.max(...rss), 120)],
      };
    } finally {
      await rm(home, { recursive: true });
    }
  },
};

const inUnits = (costs: readonly StartCost[]) => ({
  untilRecordingMs: round(median(costs.map(({ afterMs }) => afterMs)), 0),
  readMb: round(median(costs.map(({ readBytes }) => readBytes)) / 1e6, 1),
  rssMb: round(median(costs.map(({ rssBytes }) => rssBytes)) / MIB, 1),
});
