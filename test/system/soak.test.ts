import { beforeAll, describe, expect, test } from "vitest";
import { growthOf, soak, type Growth } from "../support/soak.ts";

const DAYS = 14;
const SESSIONS_PER_DAY = 2;

/** A fortnight of a room with a session every five minutes of a morning hour, in made time. */
describe("a fortnight of sessions", () => {
  let growth: Growth;

  beforeAll(async () => {
    const samples = await soak({ days: DAYS, sessionsPerDay: SESSIONS_PER_DAY, sampleEvery: SESSIONS_PER_DAY * 2 });
    growth = growthOf(samples);
  }, 240_000);

  test("leaves no memory, open file, timer or process behind", () => {
    expect(growth.heapBytes).toBeLessThan(8e6);
    expect(growth.rssBytes).toBeLessThan(24e6);
    expect(growth.openFiles).toBeLessThanOrEqual(1);
    expect(growth.timers).toBeLessThanOrEqual(1);
    expect(growth.childProcesses).toBeLessThanOrEqual(0);
  });

  test("leaves on the box what its takes consist of, and nothing else", () => {
    const { sessions, box } = growth.last;
    const takes = box.files["recordings/…/take.json"]!;
    // A machine that is too slow for made time may have an encoder replaced, which is a take more.
    expect(takes).toBeGreaterThanOrEqual(sessions);
    expect(takes).toBeLessThan(4 * sessions);
    const proofs = ["take.json", "records.jsonl", "receipts.jsonl", "summary.json"];
    const media = [0, 1, 2].map((seq) => `00000${seq}.ts`);
    // An encoder that was killed to be replaced may not have come to its list.
    const { "recordings/…/segments.csv": lists, "alarms.json": alarms = 0, ...files } = box.files;
    // There only if there ever was one to keep.
    expect(alarms).toBeLessThanOrEqual(1);
    expect(lists).toBeLessThanOrEqual(takes);
    expect(lists).toBeGreaterThanOrEqual(sessions);
    expect(files).toEqual({
      ...{ "state.json": 1, identity: 2 },
      ...Object.fromEntries([...proofs, ...media].map((name) => [`recordings/…/${name}`, takes])),
    });
    expect(growth.runFiles).toBeLessThanOrEqual(2);
    expect(box.stateBytes).toBeLessThan(60_000);
  });

  test("leaves at the hub its bags and its rows", () => {
    expect(growth.otherHubFiles).toBe(0);
    // Those of the take and those of its session: fewer where a session has several takes.
    expect(growth.archiveFilesPerTake).toBeLessThan(40);
    expect(growth.databaseBytesPerTake).toBeLessThan(20_000);
    expect(growth.last.hub.walBytes).toBeLessThan(17e6);
  });

  test("is told in a few lines of log a take", () => {
    expect(growth.logLinesPerTake).toBeLessThan(15);
    expect(growth.logBytesPerTake).toBeLessThan(3_000);
  });
});
