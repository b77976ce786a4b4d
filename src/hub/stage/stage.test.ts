import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeId, type BoxId, type HubMessage, type PointId, type SessionId } from "../../protocol/protocol.ts";
import { createLog, type Clock } from "../../platform/platform.ts";
import { openDatabase, type HubDatabase } from "../database/database.ts";
import { createReception, type Reception } from "../reception/reception.ts";
import { createStages, type Stages } from "./stage.ts";

const START_MS = Date.parse("2026-11-21T07:00:00Z");
let nowMs: number;
const sleepers: (() => void)[] = [];
const clock: Clock = {
  bootId: "boot",
  wallMs: () => nowMs,
  monotonicMs: () => nowMs - START_MS,
  sleep: () => new Promise((resolve) => sleepers.push(resolve)),
};
const log = createLog(clock, () => {});
const point = (n: number): PointId => makeId("point", new Uint8Array(10).fill(n));
const box = (n: number): BoxId => makeId("box", new Uint8Array(10).fill(n));

let db: HubDatabase;
let reception: Reception;
let stages: Stages;
let away: Set<number>;
let silenced: ReadonlySet<BoxId>;
let sent: { box: BoxId; message: HubMessage }[];

const openStages = async () => {
  const rows = await db.selectFrom("bridgePoint").select(["id", "name"]).orderBy("name").execute();
  stages = createStages({
    ...{ db, clock, log, running: () => reception.running() },
    rooms: async () => rows.map((row, n) => ({ point: row, box: box(n), connected: !away.has(n) })),
    publishing: () => ["video", "small", "audio"],
    send: (box, message) => sent.push({ box, message }) > 0,
    silence: (boxes) => (silenced = boxes),
  });
  await stages.refresh();
};
const begin = async (rooms: number): Promise<SessionId> => {
  const points = Array.from({ length: rooms }, (_, n) => ({
    id: point(n),
    role: n === 0 ? ("central" as const) : ("delegate" as const),
  }));
  const made = await reception.create({ name: "Định kỳ", scheduledAt: null, points }, "Lan");
  if (!made.ok) throw new Error(made.detail);
  await reception.start(made.session.id, "Lan");
  await stages.refresh();
  return made.session.id;
};
/** The log after the start, in short. */
const logged = async (session: SessionId) =>
  (await reception.session(session))!.events
    .slice(2)
    .map(({ kind, actor, point, detail }) => [kind, actor, point?.name, detail].filter((part) => part != null));
const accept = async (outcome: ReturnType<Stages["act"]>) => {
  const done = await outcome;
  if (!done.ok) throw new Error(done.detail);
  return done.stage;
};

beforeEach(async () => {
  nowMs = START_MS;
  away = new Set();
  sent = [];
  sleepers.length = 0;
  db = await openDatabase(":memory:");
  for (let n = 0; n < 12; n++) {
    const name = `Phòng ${String(n).padStart(2, "0")}`;
    await db
      .insertInto("bridgePoint")
      .values({ id: point(n), name, createdAt: "2026" })
      .execute();
  }
  reception = createReception({ db, clock, log });
  await openStages();
});
afterEach(() => db.destroy());

test("there is a stage while the session runs, and none before or after", async () => {
  const session = await begin(3);
  expect(stages.stage(session)).toMatchObject({
    layout: { mode: "auto", onScreen: [] },
    rooms: [{ role: "central", place: "in", muted: null, gainDb: 0 }, { place: "in" }, { place: "in" }],
    paused: null,
  });
  await reception.end(session, "Lan");
  await stages.refresh();
  expect(stages.all()).toEqual([]);
  expect(await stages.act(session, point(1), { act: "mute", reason: null }, "Lan")).toMatchObject({
    ok: false,
    code: "wrongState",
  });
  expect(await db.selectFrom("stage").selectAll().execute()).toEqual([]);
});

test("delegates beyond the eighth wait until they are called", async () => {
  const session = await begin(11);
  const places = () => stages.stage(session)!.rooms.map(({ place }) => place);
  expect(places().slice(7)).toEqual(["in", "in", "standby", "standby"]);
  await accept(stages.act(session, point(10), { act: "raiseHand" }, null));
  const called = await accept(stages.act(session, point(10), { act: "callUp" }, "Lan"));
  expect(called.rooms[10]).toMatchObject({ place: "in", hand: null });
  expect(places()[9]).toBe("standby");
});

describe("acts", () => {
  test("are in the log with actor, room and what belongs to them; what is so already is not", async () => {
    const session = await begin(3);
    const act = (n: number, act: Parameters<Stages["act"]>[2]) => accept(stages.act(session, point(n), act, "Lan"));
    await act(1, { act: "mute", reason: "ồn" });
    await act(1, { act: "mute", reason: "ồn" });
    await act(1, { act: "unmute" });
    await act(1, { act: "unmute" });
    await act(2, { act: "standBy" });
    await act(2, { act: "callUp" });
    await accept(stages.act(session, point(2), { act: "raiseHand" }, null));
    await act(2, { act: "lowerHand" });
    await act(2, { act: "message", text: "Mời nói gần micrô" });
    await act(2, { act: "message", text: null });
    await accept(stages.interrupt(session, "mất điện", "Hà"));
    await accept(stages.interrupt(session, "mất điện", "Hà"));
    await accept(stages.endInterruption(session, "Hà"));
    await accept(stages.endInterruption(session, "Hà"));
    await accept(stages.mark(session, "Kiến nghị thứ nhất", "Hà"));
    expect(await logged(session)).toEqual([
      ["muted", "Lan", "Phòng 01", { text: "ồn" }],
      ["unmuted", "Lan", "Phòng 01"],
      ["sentToStandby", "Lan", "Phòng 02"],
      ["calledUp", "Lan", "Phòng 02"],
      ["handRaised", "Phòng 02"],
      ["handLowered", "Lan", "Phòng 02"],
      ["messageShown", "Lan", "Phòng 02", { text: "Mời nói gần micrô" }],
      ["messageTaken", "Lan", "Phòng 02"],
      ["interrupted", "Hà", { text: "mất điện" }],
      ["interruptionEnded", "Hà"],
      ["marked", "Hà", { text: "Kiến nghị thứ nhất" }],
    ]);
  });

  test("turning one room's gain is one entry, with where it came to rest", async () => {
    const session = await begin(3);
    for (const gainDb of [-3, -6, -9]) {
      await accept(stages.act(session, point(1), { act: "gain", gainDb }, "Lan"));
      nowMs += 4_000;
    }
    nowMs += 2_000;
    await accept(stages.act(session, point(1), { act: "gain", gainDb: -12 }, "Lan"));
    await accept(stages.act(session, point(2), { act: "gain", gainDb: -1 }, "Lan"));
    await accept(stages.act(session, point(2), { act: "gain", gainDb: -2 }, "Hà"));
    expect(await logged(session)).toEqual([
      ["gainChanged", "Lan", "Phòng 01", { gainDb: -9 }],
      ["gainChanged", "Lan", "Phòng 01", { gainDb: -12 }],
      ["gainChanged", "Lan", "Phòng 02", { gainDb: -1 }],
      ["gainChanged", "Hà", "Phòng 02", { gainDb: -2 }],
    ]);
    expect(stages.stage(session)!.rooms[1]!.gainDb).toBe(-12);
  });

  test("on rooms of other sessions are refused", async () => {
    const session = await begin(2);
    const refused = await stages.act(session, point(5), { act: "unmute" }, "Lan");
    expect(refused).toMatchObject({ ok: false, code: "notFound" });
  });
});

describe("the layout", () => {
  test("of whoever has seen the present one is taken; an older view is refused with who changed it", async () => {
    const session = await begin(3);
    const { revision: seen } = stages.stage(session)!;
    nowMs += 1_000;
    const first = await accept(stages.setLayout(session, { mode: "spotlight", onScreen: [point(1)], seen }, "Lan"));
    expect(first.layout).toMatchObject({ mode: "spotlight", onScreen: [point(1)], by: "Lan" });
    expect(await stages.setLayout(session, { mode: "grid", onScreen: [], seen }, "Hà")).toMatchObject({
      ...{ ok: false, code: "stageConflict" },
      by: { name: "Lan", at: "2026-11-21T07:00:01.000Z" },
    });
    // The same wish is no quarrel.
    await accept(stages.setLayout(session, { mode: "spotlight", onScreen: [point(1)], seen }, "Hà"));
    // What else has changed meanwhile is no reason to refuse.
    await accept(stages.act(session, point(2), { act: "mute", reason: null }, "Hà"));
    await accept(stages.setLayout(session, { mode: "grid", onScreen: [point(2)], seen: first.revision }, "Hà"));
    expect(await logged(session)).toEqual([
      ["layoutChanged", "Lan", { mode: "spotlight", onScreen: ["Phòng 01"] }],
      ["muted", "Hà", "Phòng 02"],
      ["layoutChanged", "Hà", { mode: "grid", onScreen: ["Phòng 02"] }],
    ]);
  });

  test("of strangers or of one room twice is refused", async () => {
    const session = await begin(2);
    for (const onScreen of [[point(7)], [point(1), point(1)]])
      expect(await stages.setLayout(session, { mode: "grid", onScreen, seen: 9e15 }, "Lan")).toMatchObject({
        code: "badRequest",
      });
  });
});

test("a hub that starts again has the stage as it was, with a higher revision", async () => {
  const session = await begin(3);
  await accept(stages.act(session, point(1), { act: "mute", reason: "ồn" }, "Lan"));
  await accept(stages.setLayout(session, { mode: "grid", onScreen: [point(2)], seen: 9e15 }, "Lan"));
  await accept(stages.interrupt(session, "mất điện", "Lan"));
  const before = stages.stage(session)!;
  await openStages();
  const after = stages.stage(session)!;
  expect({ ...after, revision: 0 }).toEqual({ ...before, revision: 0 });
  expect(after.revision).toBeGreaterThan(before.revision);
});

test("connections that come and go while an act is written never turn the revision back", async () => {
  const session = await begin(3);
  const { revision: seen } = stages.stage(session)!;
  const laid = accept(stages.setLayout(session, { mode: "grid", onScreen: [point(1)], seen }, "Lan"));
  let meanwhile = seen;
  for (let n = 0; n < 1_000 && stages.stage(session)!.layout.mode === "auto"; n++) {
    stages.liveChanged(box(1));
    meanwhile = stages.stage(session)!.revision;
    await Promise.resolve();
  }
  const after = await laid;
  expect(meanwhile).toBeGreaterThan(seen + 1);
  expect(after.revision).toBeGreaterThan(meanwhile);
  // Whoever saw only what came meanwhile has not seen the new layout.
  expect(await stages.setLayout(session, { mode: "spotlight", onScreen: [], seen: meanwhile }, "Hà")).toMatchObject({
    code: "stageConflict",
  });
});

test("a stage that another version wrote begins anew", async () => {
  const session = await begin(2);
  await accept(stages.act(session, point(1), { act: "mute", reason: null }, "Lan"));
  await db.updateTable("stage").set({ body: '{"revision":"later"}' }).where("sessionId", "=", session).execute();
  await openStages();
  expect(stages.stage(session)!.rooms[1]).toMatchObject({ muted: null, place: "in" });
});

test("a pause states its reason, and the end of it takes it away", async () => {
  const session = await begin(2);
  await reception.pause(session, "Lan", "chờ luật sư");
  await stages.refresh();
  expect(stages.stage(session)!.paused).toMatchObject({ reason: "chờ luật sư", by: "Lan" });
  expect(await logged(session)).toEqual([["paused", "Lan", { text: "chờ luật sư" }]]);
  await reception.resume(session, "Lan");
  await stages.refresh();
  expect(stages.stage(session)!.paused).toBeNull();
});

describe("boxes", () => {
  const told = (n: number) =>
    sent.flatMap(({ box: to, message }) => (to === box(n) && message.type === "stage" ? [message.stage] : []));
  const wake = async () => {
    nowMs += 100;
    for (const each of sleepers.splice(0)) each();
    await Promise.resolve();
  };

  test("are told of their own room's part when it changes, and of the end", async () => {
    const session = await begin(3);
    await wake();
    expect(told(1).at(-1)).toMatchObject({ session, own: { point: { id: point(1) } }, rooms: [{}, {}] });
    expect(told(5)).toEqual([]);
    const before = sent.length;
    await stages.refresh();
    await wake();
    expect(sent.length).toBe(before);
    await accept(stages.act(session, point(1), { act: "mute", reason: "ồn" }, "Lan"));
    await wake();
    expect(told(1).at(-1)!.own.muted).toMatchObject({ reason: "ồn", by: "Lan" });
    expect(
      told(2)
        .at(-1)!
        .rooms.find(({ point: { id } }) => id === point(1)),
    ).toMatchObject({ audible: false });
    expect([...silenced]).toEqual([box(1)]);
    await reception.end(session, "Lan");
    await stages.refresh();
    await wake();
    expect([told(0).at(-1), told(1).at(-1), told(2).at(-1)]).toEqual([null, null, null]);
    expect(silenced.size).toBe(0);
  });

  test("that come back are told anew", async () => {
    await begin(2);
    await wake();
    const before = told(1).length;
    away.add(1);
    await stages.refresh();
    await wake();
    away.delete(1);
    await stages.refresh();
    await wake();
    expect(told(1).length).toBe(before + 1);
    expect(told(0).at(-1)!.rooms[0]).toMatchObject({ connected: true });
  });
});
