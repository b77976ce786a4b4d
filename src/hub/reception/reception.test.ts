import { beforeEach, expect, test } from "vitest";
import { makeId, type BoxId, type PointId, type SessionId } from "../../protocol/protocol.ts";
import { createLog, randomId, systemClock, type Clock } from "../../platform/platform.ts";
import { openDatabase, type HubDatabase } from "../database/database.ts";
import { createReception, type Reception, type SessionOutcome } from "./reception.ts";

let db: HubDatabase;
let reception: Reception;
let wallMs = 0;
let points: PointId[] = [];
let box: BoxId;
const clock: Clock = { ...systemClock, bootId: "boot", wallMs: () => wallMs };

beforeEach(async () => {
  wallMs = Date.UTC(2026, 10, 21);
  db = await openDatabase(":memory:");
  reception = createReception({ db, clock, log: createLog(clock, () => {}) });
  points = [];
  for (const name of ["Trung tâm", "Sở A", "Xã B"]) {
    const id = makeId("point", randomId());
    points.push(id);
    await db.insertInto("bridgePoint").values({ id, name, createdAt: "" }).execute();
  }
  box = makeId("box", randomId());
  await db
    .insertInto("box")
    .values({
      id: box,
      pointId: points[0]!,
      serial: "01",
      certificatePem: "",
      pairedAt: "",
      revokedAt: null,
      seenAt: null,
    })
    .execute();
  return () => db.destroy();
});

const made = (outcome: SessionOutcome) => {
  if (!outcome.ok) throw new Error(`${outcome.code}: ${outcome.detail}`);
  return outcome.session;
};
const create = async (name: string, ...ids: PointId[]) =>
  made(
    await reception.create(
      { name, scheduledAt: null, points: ids.map((id, i) => ({ id, role: i === 0 ? "central" : "delegate" })) },
      "Lan",
    ),
  );

test("a box is told which other system carries a session, and nothing where none does", async () => {
  const companion = { url: "https://hop.vn/1", name: "Họp" };
  const plan = { scheduledAt: null, points: [{ id: points[0]!, role: "central" as const }] };
  expect(made(await reception.create({ ...plan, name: "Buổi 1", companion }, "Lan")).companion).toEqual(companion);
  await reception.create({ ...plan, name: "Buổi 2" }, "Lan");
  const { sessions } = await reception.forBox(box);
  expect(sessions.map((session) => session.companion)).toEqual([companion, undefined]);
  expect(Object.keys(sessions[0]!)).not.toContain("companionUrl");
});

test("a session runs through its states, each with its time and actor", async () => {
  const { id } = await create("Buổi 1", points[0]!, points[1]!);
  wallMs += 1_000;
  await reception.start(id, "Lan");
  wallMs += 1_000;
  await reception.pause(id, "Minh");
  wallMs += 1_000;
  await reception.resume(id, "Lan");
  wallMs += 1_000;
  const ended = made(await reception.end(id, "Minh"));
  expect(ended.events.map(({ kind, actor }) => `${kind} ${actor}`)).toEqual([
    "created Lan",
    "started Lan",
    "paused Minh",
    "resumed Lan",
    "ended Minh",
  ]);
  expect(ended).toMatchObject({
    state: "ended",
    startedAt: "2026-11-21T00:00:01.000Z",
    endedAt: "2026-11-21T00:00:04.000Z",
  });
});

test("two operators who press start at once both see a live session with one start", async () => {
  const { id } = await create("Buổi 1", points[0]!);
  const heard: SessionId[] = [];
  reception.onChange((session) => heard.push(session));
  const both = await Promise.all([reception.start(id, "Lan"), reception.start(id, "Minh")]);
  expect(both.map((outcome) => made(outcome).state)).toEqual(["live", "live"]);
  expect(made(both[1]).events.filter((event) => event.kind === "started")).toHaveLength(1);
  expect(heard).toEqual([id]);
});

test("an act that does not fit is refused with the state's name and leaves no trace", async () => {
  const { id } = await create("Buổi 1", points[0]!);
  expect(await reception.end(id, "Lan")).toMatchObject({ ok: false, code: "wrongState" });
  expect((await reception.session(id))?.events).toHaveLength(1);
  expect(await reception.end(makeId("session", randomId()), "Lan")).toMatchObject({ ok: false, code: "notFound" });
});

test("a room in a running session, paused too, cannot start another, and both are named", async () => {
  const first = await create("Buổi 1", points[0]!, points[1]!);
  const second = await create("Buổi 2", points[2]!, points[1]!);
  await reception.start(first.id, "Lan");
  await reception.pause(first.id, "Lan");
  const refused = await reception.start(second.id, "Lan");
  expect(refused).toMatchObject({ ok: false, code: "roomBusy" });
  expect(refused.ok || refused.detail).toBe("Sở A is in session Buổi 1");
  await reception.end(first.id, "Lan");
  expect(made(await reception.start(second.id, "Lan")).state).toBe("live");
});

test("a session with an unknown point is not made", async () => {
  const outcome = await reception.create(
    { name: "x", scheduledAt: null, points: [{ id: makeId("point", randomId()), role: "central" }] },
    "Lan",
  );
  expect(outcome).toMatchObject({ ok: false, code: "notFound" });
  expect(await reception.sessions()).toEqual([]);
});

test("a box is told of its own sessions only, with a revision that rises at every change", async () => {
  await create("other", points[1]!);
  const { id } = await create("Buổi 1", points[1]!, points[0]!);
  const draft = await reception.forBox(box);
  expect(draft.sessions).toMatchObject([{ id, role: "delegate", state: "draft", startedAt: null }]);
  await reception.start(id, "Lan");
  const live = await reception.forBox(box);
  expect(live.sessions).toMatchObject([{ state: "live", startedAt: "2026-11-21T00:00:00.000Z" }]);
  expect(live.revision).toBeGreaterThan(draft.revision);
  await reception.start(id, "Lan");
  expect((await reception.forBox(box)).revision).toBe(live.revision);
});

test("the revision rises even when the clock goes back, and jumps over a restored backup", async () => {
  const { id } = await create("Buổi 1", points[0]!);
  const before = (await reception.forBox(box)).revision;
  wallMs -= 3_600_000;
  await reception.start(id, "Lan");
  expect((await reception.forBox(box)).revision).toBe(before + 1);
  wallMs += 48 * 3_600_000;
  await db.updateTable("counter").set({ value: 7 }).execute();
  await reception.end(id, "Lan");
  expect((await reception.forBox(box)).revision).toBeGreaterThan(before + 1);
});

test("an ended session stays with its boxes for 30 days", async () => {
  const { id } = await create("Buổi 1", points[0]!);
  await reception.start(id, "Lan");
  await reception.end(id, "Lan");
  wallMs += 30 * 24 * 3_600_000;
  expect((await reception.forBox(box)).sessions).toHaveLength(1);
  wallMs += 1;
  expect((await reception.forBox(box)).sessions).toHaveLength(0);
});

test("of many ended sessions the last hundred stay with a box, and all that have not ended", async () => {
  const { id: waiting } = await create("Còn chờ", points[0]!);
  const ended: SessionId[] = [];
  for (let n = 0; n < 103; n++) {
    wallMs += 60_000;
    const { id } = await create(`Buổi ${n}`, points[0]!);
    await reception.start(id, "Lan");
    await reception.end(id, "Lan");
    ended.push(id);
  }
  const told = (await reception.forBox(box)).sessions.map(({ id }) => id);
  expect(told).toEqual([waiting, ...ended.slice(3)]);
});

test("a lost room is noted once, only in a running session, and its return after it", async () => {
  const { id } = await create("Buổi 1", points[0]!);
  await reception.noteRoom(points[0]!, "roomLost");
  await reception.start(id, "Lan");
  for (const kind of ["roomBack", "roomLost", "roomLost", "roomBack", "roomBack"] as const)
    await reception.noteRoom(points[0]!, kind);
  expect((await reception.session(id))?.events.slice(2)).toMatchObject([
    { kind: "roomLost", actor: null, point: { name: "Trung tâm" } },
    { kind: "roomBack", actor: null, point: { name: "Trung tâm" } },
  ]);
});

test("running rooms are those of live and paused sessions", async () => {
  const { id } = await create("Buổi 1", points[0]!, points[1]!);
  expect(await reception.running()).toEqual([]);
  await reception.start(id, "Lan");
  expect((await reception.running()).map((room) => room.session.role).sort()).toEqual(["central", "delegate"]);
});

test("rooms that are missing when a session starts are noted, and those that are there are not", async () => {
  const { id } = await create("Buổi 1", points[0]!, points[1]!);
  expect(await reception.noteRooms(() => false)).toEqual([]);
  await reception.start(id, "Lan");
  expect(await reception.noteRooms((point) => point === points[0])).toEqual([points[1]]);
  await reception.noteRooms((point) => point === points[0]);
  expect((await reception.session(id))?.events.slice(2)).toMatchObject([{ kind: "roomLost", point: { name: "Sở A" } }]);
});

test("a session's planned length reaches its boxes, four hours where nobody said another", async () => {
  const plan = { name: "Buổi 1", scheduledAt: null, points: [{ id: points[0]!, role: "central" as const }] };
  made(await reception.create(plan, "Lan"));
  made(await reception.create({ ...plan, plannedMinutes: 90 }, "Lan"));
  const { sessions } = await reception.forBox(box);
  expect(new Set(sessions.map(({ plannedMinutes }) => plannedMinutes))).toEqual(new Set([240, 90]));
});

test("what the hub has forgotten comes back by the word of its rooms; what it began after it was put back nobody ends", async () => {
  const START = "2026-11-20T01:00:00.000Z";
  const reading = (utc: string) => ({ utc, monotonicMs: 0, bootId: "", hubOffsetMs: null, hubOffsetErrorMs: null });
  const other = makeId("box", randomId());
  const boxOf = { serial: "02", certificatePem: "", pairedAt: "", revokedAt: null, seenAt: null };
  await db
    .insertInto("box")
    .values({ ...boxOf, id: other, pointId: points[1]! })
    .execute();
  const say = (from: BoxId, id: SessionId, role: "central" | "delegate", endedAt: string | null, startedAt = START) =>
    reception.adopt(from, {
      ...{ type: "roomSessions", at: { ...reading(START), bootId: "box" } },
      sessions: [
        {
          ...{ id, name: "Định kỳ", adHoc: false, by: "schedule", remembered: { role } },
          ...{ startedAt: reading(startedAt), endedAt: endedAt === null ? null : reading(endedAt) },
        },
      ],
    });
  const lost = makeId("session", randomId());
  await say(box, lost, "central", null);
  expect(await reception.sessions()).toEqual([]);

  await db
    .insertInto("counter")
    .values({ name: "memory", value: wallMs / 1_000 })
    .execute();
  await say(other, lost, "delegate", null);
  await say(box, lost, "central", null);
  await say(box, lost, "central", null);
  const back = (await reception.session(lost))!;
  expect(back).toMatchObject({ name: "Định kỳ", state: "live", startedAt: START });
  expect(back.points.map(({ id, role }) => [id, role])).toEqual(
    expect.arrayContaining([
      [points[0]!, "central"],
      [points[1]!, "delegate"],
    ]),
  );
  expect(back.events.map(({ kind }) => kind).sort()).toEqual(["rememberedByRoom", "rememberedByRoom", "started"]);
  await say(box, lost, "central", "2026-11-20T02:00:00.000Z");
  expect(await reception.session(lost)).toMatchObject({ state: "ended", endedAt: "2026-11-20T02:00:00.000Z" });

  const since = await create("Sau đó", points[0]!);
  made(await reception.start(since.id, "Lan"));
  await say(box, since.id, "central", "2026-11-20T02:00:00.000Z");
  expect((await reception.session(since.id))!.state).toBe("live");
});
