import { beforeEach, expect, test } from "vitest";
import { createLog, isoUtc, randomId, systemClock, type Clock } from "../../platform/platform.ts";
import { makeId, type PointId, type SessionId } from "../../protocol/protocol.ts";
import { steppedClock } from "../../../test/support/stepped-clock.ts";
import { openDatabase, type HubDatabase } from "../database/database.ts";
import type { RoomLink } from "../fleet/fleet.ts";
import { createConnectionTests } from "./connection-tests.ts";
import { createReception, type Reception } from "./reception.ts";

const DAY_MS = 24 * 3_600_000;
const PLANNED_MS = Date.UTC(2026, 10, 20);
const SCHEDULED_MS = PLANNED_MS + 3 * DAY_MS;
const stepped = steppedClock();
let offsetMs = 0;
const clock: Clock = { ...stepped, wallMs: () => stepped.wallMs() + offsetMs };
let db: HubDatabase;
let reception: Reception;
let points: PointId[];
let session: SessionId;
const options = () => ({ db, clock, log: createLog(systemClock, () => {}), testsBefore: [1_440, 120] });
const setTime = (ms: number) => void (offsetMs = ms - stepped.wallMs());

beforeEach(async () => {
  db = await openDatabase(":memory:");
  setTime(PLANNED_MS);
  reception = createReception(options());
  points = [];
  for (const name of ["Trung tâm", "Xã B"]) {
    const id = makeId("point", randomId());
    points.push(id);
    await db.insertInto("bridgePoint").values({ id, name, createdAt: "" }).execute();
  }
  const planned = await reception.create(
    {
      ...{ name: "Định kỳ", scheduledAt: isoUtc(SCHEDULED_MS) },
      points: points.map((id, i) => ({ id, role: i === 0 ? "central" : "delegate" })),
    },
    "Lan",
  );
  if (!planned.ok) throw new Error(planned.detail);
  session = planned.session.id;
  return () => db.destroy();
});

/** No box is paired anywhere: that is what each test finds. */
const rooms = async (): Promise<(RoomLink & { live: [] })[]> =>
  points.map((id, i) => ({
    ...{ point: { id, name: ["Trung tâm", "Xã B"][i]! }, box: null, connected: false },
    ...{ seenAt: null, health: null, alarms: [], live: [] },
  }));
const start = () => createConnectionTests({ ...options(), before: [1_440, 120], rooms, reception });
const view = async () => (await reception.session(session))!;
const made = async () => (await view()).tests.map(({ minutesBefore, at }) => [minutesBefore, at]);

/** One life of the hub, long enough for its boxes to come back and for one look. */
async function live(tests = start()): Promise<void> {
  const stopping = new AbortController();
  const running = tests.run(stopping.signal);
  stepped.step(15_000);
  // Its look has ended when it sleeps again.
  while (stepped.sleepers() === 0) await stepped.slept();
  stopping.abort();
  await running;
}

test("each is made when it is due, once, and stands in the log with what was found", async () => {
  await live();
  expect(await made()).toEqual([]);
  expect((await view()).testsToCome).toEqual([
    { minutesBefore: 1_440, dueAt: isoUtc(SCHEDULED_MS - DAY_MS) },
    { minutesBefore: 120, dueAt: isoUtc(SCHEDULED_MS - DAY_MS / 12) },
  ]);
  setTime(SCHEDULED_MS - DAY_MS);
  const told: SessionId[] = [];
  const tests = start();
  tests.onChange((id) => told.push(id));
  await live(tests);
  await live();
  const { tests: found, testsToCome, events } = await view();
  expect(told).toEqual([session]);
  expect(found.map(({ minutesBefore, rooms, actor }) => [minutesBefore, actor, rooms.map((r) => r.troubles)])).toEqual([
    [1_440, null, [["noBox"], ["noBox"]]],
  ]);
  expect(found[0]!.rooms.map(({ point }) => point.name)).toEqual(["Trung tâm", "Xã B"]);
  expect(testsToCome.map(({ minutesBefore }) => minutesBefore)).toEqual([120]);
  expect(events.at(-1)).toMatchObject({
    ...{ kind: "tested", actor: null },
    detail: { test: { minutesBefore: 1_440, clear: 0, rooms: 2, others: [{ name: "Trung tâm" }, { name: "Xã B" }] } },
  });
});

test("after its start the hub waits for its boxes before it finds any of them away", async () => {
  setTime(SCHEDULED_MS - DAY_MS);
  let looks = 0;
  const counted = () => (looks++, rooms());
  const stopping = new AbortController();
  const tests = createConnectionTests({ ...options(), before: [1_440, 120], rooms: counted, reception });
  const running = tests.run(stopping.signal);
  stepped.step(14_999);
  for (let turn = 0; turn < 100; turn++) await stepped.slept();
  expect(looks).toBe(0);
  stepped.step(1);
  while (stepped.sleepers() === 0) await stepped.slept();
  expect(looks).toBe(1);
  stopping.abort();
  await running;
});

test("a hub that was off when it was due makes it late, and states what it missed", async () => {
  setTime(SCHEDULED_MS - 3_600_000);
  await live();
  expect(await made()).toEqual([
    [1_440, null],
    [120, isoUtc(SCHEDULED_MS - 3_600_000 + 15_000)],
  ]);
  expect((await view()).events.map(({ kind }) => kind)).toEqual(["created", "testMissed", "tested"]);
});

test("when the time has come nothing is made any more, and nothing hidden", async () => {
  setTime(SCHEDULED_MS + 60_000);
  await live();
  expect(await made()).toEqual([
    [1_440, null],
    [120, null],
  ]);
});

test("somebody may ask at any time before it begins, and their name stands there", async () => {
  const tests = start();
  for (let i = 0; i < 2; i++) {
    const outcome = await tests.testNow(session, "Lan");
    expect(outcome.ok && outcome.session.tests.at(-1)).toMatchObject({
      minutesBefore: null,
      dueAt: null,
      actor: "Lan",
    });
  }
  expect((await view()).tests).toHaveLength(2);
  await reception.start(session, "Lan");
  expect(await tests.testNow(session, "Lan")).toMatchObject({ ok: false, code: "wrongState" });
  expect(await tests.testNow(makeId("session", randomId()), "Lan")).toMatchObject({ ok: false, code: "notFound" });
  const { events, tests: shown } = await view();
  expect(events.filter(({ kind }) => kind === "tested")).toHaveLength(2);
  expect(shown).toEqual([]);
});

test("a session that has begun is tested no more, and has missed nothing", async () => {
  await reception.start(session, "Lan");
  setTime(SCHEDULED_MS + 60_000);
  await live();
  expect((await view()).events.map(({ kind }) => kind)).toEqual(["created", "started"]);
});
