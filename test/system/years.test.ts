import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withAgedBox, type StartCost } from "../support/aged-box.ts";
import { makeYears } from "../support/made-years.ts";
import { until } from "../support/until.ts";

const TAKES = 60;
const SEGMENTS = 1_000;
/** One take's summary with room to spare: sizes of a thousand segments. */
const SUMMARY_BYTES = 12_000;
/** What one start of the same box reads and holds more than another by chance. */
const CHANCE_BYTES = 4e6;
const CHANCE_RSS = 20e6;

/** A box as it is after years: what its start reads and what the agent holds do not grow with what was once recorded. */
describe("a box with years behind it", () => {
  let home: string;
  let empty: StartCost;

  const newHome = async () => {
    const place = await mkdtemp(join(home, "box-"));
    await mkdir(join(place, "data"));
    return place;
  };
  const takesIn = async (folder: string): Promise<string[]> => {
    const sessions = await readdir(folder).catch(() => []);
    return (await Promise.all(sessions.map((session) => readdir(join(folder, session))))).flat();
  };
  const rows = async (place: string) =>
    Object.keys((JSON.parse(await readFile(join(place, "data/state.json"), "utf8")) as { takes: object }).takes);
  const cost = (place: string) => withAgedBox(place, async (_, cost) => cost);

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "diemcau-years-"));
    const place = await newHome();
    await cost(place);
    empty = await cost(place);
  });
  afterAll(() => rm(home, { recursive: true, force: true }));

  test("whose media two stores have taken over reads and holds no more than an empty one, and keeps every proof", async () => {
    const place = await newHome();
    const data = join(place, "data");
    const made = await makeYears({
      ...{ dataDirectory: data, takes: TAKES, segmentsPerTake: SEGMENTS, evicted: true },
    });
    const before = new Map<string, number>();
    for (const session of await readdir(join(data, "recordings")))
      for (const take of await readdir(join(data, "recordings", session)))
        for (const file of await readdir(join(data, "recordings", session, take)))
          before.set(`${session}/${take}/${file}`, (await stat(join(data, "recordings", session, take, file))).size);
    const newest = made.at(-1)!;
    await withAgedBox(place, () =>
      until("all but the newest are past", async () => (await rows(place)).length === 1, { withinMs: 60_000 }),
    );
    expect(await takesIn(join(data, "recordings"))).toEqual([newest]);
    expect((await takesIn(join(data, "past"))).sort()).toEqual(made.filter((take) => take !== newest).sort());
    expect(await rows(place)).toEqual([newest]);
    for (const [path, sizeBytes] of before) {
      const where = path.includes(newest) ? "recordings" : "past";
      expect((await stat(join(data, where, path))).size).toBe(sizeBytes);
    }
    const later = await cost(place);
    expect(later.readBytes - empty.readBytes).toBeLessThan(CHANCE_BYTES);
    expect(later.rssBytes - empty.rssBytes).toBeLessThan(CHANCE_RSS);
  });

  test("that has all its media still reads the summaries of its takes, and holds little more than their sizes", async () => {
    const place = await newHome();
    const data = join(place, "data");
    const made = await makeYears({
      ...{ dataDirectory: data, takes: TAKES, segmentsPerTake: SEGMENTS, evicted: false },
    });
    const folderOf = new Map<string, string>();
    for (const session of await readdir(join(data, "recordings")))
      for (const take of await readdir(join(data, "recordings", session)))
        folderOf.set(take, join(data, "recordings", session, take));
    const summaries = async () =>
      (await Promise.all([...folderOf.values()].map((folder) => readdir(folder)))).filter((files) =>
        files.includes("summary.json"),
      ).length;
    await withAgedBox(place, () =>
      until("all are summarised", async () => (await summaries()) === made.length, { withinMs: 60_000 }),
    );
    const later = await cost(place);
    expect(await takesIn(join(data, "recordings"))).toHaveLength(TAKES);
    expect(later.readBytes - empty.readBytes).toBeLessThan(TAKES * SUMMARY_BYTES + CHANCE_BYTES);
    expect(later.rssBytes - empty.rssBytes).toBeLessThan(CHANCE_RSS);
  });

  test("goes on after a power cut between the move of a take and the loss of its ledger row, each track with its newest", async () => {
    const place = await newHome();
    const data = join(place, "data");
    const tracks = ["room", "screen"] as const;
    const made = await makeYears({ ...{ dataDirectory: data, takes: 4, segmentsPerTake: 3, evicted: true }, tracks });
    const oldest = made[0]!;
    const newest = made.slice(-tracks.length).sort();
    for (const name of await readdir(join(data, "recordings"))) {
      const from = join(data, "recordings", name, oldest);
      const to = join(data, "past", name, oldest);
      if ((await readdir(dirname(from))).includes(oldest)) {
        await mkdir(dirname(to), { recursive: true });
        await rename(from, to);
      }
    }
    await withAgedBox(place, () =>
      until("rows and takes are as they should be", async () => (await rows(place)).length === newest.length),
    );
    expect((await rows(place)).sort()).toEqual(newest);
    expect(await takesIn(join(data, "past"))).toHaveLength(made.length - newest.length);
    expect((await takesIn(join(data, "recordings"))).sort()).toEqual(newest);
  });
});
