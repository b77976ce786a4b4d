import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SessionView } from "../../src/hub/http/views.ts";
import { systemClock } from "../../src/platform/platform.ts";
import { raiseStand, standLogs, type Stand } from "../support/stand.ts";
import { until } from "../support/until.ts";

const CENTRE = "Trụ sở Tiếp công dân tỉnh";
const COMMUNE = "UBND xã Ba Tơ";
/** When the hub tests a session of this test, before its time. */
const BEFORE_MINUTES = 120;

/** QC Đ7.1a: rooms are tested before each session, with real boxes, whether somebody thinks of it or not. */
describe("connection tests before a session", () => {
  let directory: string;
  let stand: Stand;
  let session: SessionView;

  const readSession = () => stand.desk.session(session.id);
  const testNow = () => stand.desk.request<SessionView>("POST", `/api/sessions/${session.id}/test`);
  const found = ({ tests }: SessionView) =>
    Object.fromEntries(tests.at(-1)!.rooms.map(({ point, troubles }) => [point.name, troubles]));
  const isConnected = (name: string, wanted: boolean) =>
    until(
      `${name} is ${wanted ? "there" : "away"}`,
      async () => {
        const room = (await stand.desk.rooms()).find(({ point }) => point.name === name);
        return room?.connected === wanted && (!wanted || room.health?.encoder.state === "preview");
      },
      { withinMs: 60_000 },
    ).catch(async (error: unknown) => {
      throw new Error(await standLogs(directory), { cause: error });
    });

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "diemcau-connection-test-"));
    stand = await raiseStand({
      directory,
      hubConfig: { reception: { testsBeforeMinutes: [BEFORE_MINUTES] } },
      rooms: [{ name: CENTRE }, { name: COMMUNE, cable: true }],
    });
    await isConnected(CENTRE, true);
    await isConnected(COMMUNE, true);
  });

  afterAll(async () => {
    await stand?.[Symbol.asyncDispose]();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  test("one is made by itself when it is due, and says which room is away", async () => {
    stand.rooms[1]!.cable!.cut();
    await isConnected(COMMUNE, false);
    const dueMs = systemClock.wallMs() + 1_000;
    session = await stand.desk.createSession(
      "Tiếp công dân định kỳ",
      stand.rooms.map(({ point }, i) => ({ id: point, role: i === 0 ? "central" : "delegate" })),
      new Date(dueMs + BEFORE_MINUTES * 60_000).toISOString(),
    );
    expect(session.testsToCome).toEqual([{ minutesBefore: BEFORE_MINUTES, dueAt: new Date(dueMs).toISOString() }]);
    const tested = await until("the test has been made", async () => {
      const now = await readSession();
      return now.tests.length > 0 && now;
    });
    expect(tested.tests.map(({ minutesBefore, actor }) => [minutesBefore, actor])).toEqual([[BEFORE_MINUTES, null]]);
    expect(found(tested)).toEqual({ [CENTRE]: [], [COMMUNE]: ["offline"] });
    expect(tested.testsToCome).toEqual([]);
    expect(tested.events.at(-1)?.detail?.test).toMatchObject({ clear: 1, rooms: 2, others: [{ name: COMMUNE }] });
  });

  test("once the room is back, one on demand finds all clear", async () => {
    stand.rooms[1]!.cable!.mend();
    await isConnected(COMMUNE, true);
    const tested = await until("all are clear", async () => {
      const now = await testNow();
      return now.tests.at(-1)!.rooms.every(({ clear }) => clear) && now;
    });
    expect(found(tested)).toEqual({ [CENTRE]: [], [COMMUNE]: [] });
    expect(tested.tests.at(-1)).toMatchObject({ minutesBefore: null, actor: (await stand.desk.me()).name });
    expect(tested.tests.filter(({ minutesBefore }) => minutesBefore !== null)).toHaveLength(1);
  });

  test("a session that has begun is refused one", async () => {
    await stand.desk.act(session.id, "start");
    await expect(testNow()).rejects.toThrow("409 wrongState");
    await stand.desk.act(session.id, "end");
  });
});
