import { beforeEach, describe, expect, it } from "vitest";
import { createLog, isoUtc, randomId } from "../../platform/platform.ts";
import { makeId, type Alarm, type BoxId, type SessionId } from "../../protocol/protocol.ts";
import { openDatabase, type HubDatabase } from "../database/database.ts";
import { createReception } from "../reception/reception.ts";
import { createAlarms, type Alarms } from "./alarms.ts";

const NOW_MS = Date.UTC(2026, 10, 21, 8);
const clock = { wallMs: () => NOW_MS, monotonicMs: () => 0, bootId: "", sleep: () => Promise.resolve() };
const log = createLog(clock, () => {});
const at = (seconds: number) => isoUtc(NOW_MS + seconds * 1_000);

let db: HubDatabase;
let alarms: Alarms;
let changes: SessionId[];
const box = makeId("box", randomId());
const point = makeId("point", randomId());
const session = makeId("session", randomId());
const alarm = (over: Partial<Alarm> = {}): Alarm => ({
  ...{ id: "a1", cause: "soundSilent", session, raisedAt: at(-30), clearedAt: null, facts: "at most -∞ LUFS" },
  ...over,
});
const events = async () =>
  (await db.selectFrom("sessionEvent").select(["kind", "cause", "at", "pointId"]).orderBy("id").execute()).map(
    ({ kind, cause, at }) => [kind, cause, at],
  );

beforeEach(async () => {
  db = await openDatabase(":memory:");
  await db
    .insertInto("bridgePoint")
    .values({ id: point, name: "Xã A", createdAt: at(-99) })
    .execute();
  await db
    .insertInto("box")
    .values({
      id: box,
      pointId: point,
      serial: "01",
      certificatePem: "",
      pairedAt: at(-99),
      revokedAt: null,
      seenAt: null,
    })
    .execute();
  await db
    .insertInto("session")
    .values({
      id: session,
      name: "s",
      state: "live",
      scheduledAt: null,
      createdAt: at(-99),
      startedAt: null,
      endedAt: null,
    })
    .execute();
  await db.insertInto("sessionPoint").values({ sessionId: session, pointId: point, role: "central" }).execute();
  alarms = createAlarms({ db, clock, log });
  changes = [];
  alarms.onChange((id) => changes.push(id));
  return () => db.destroy();
});

describe("alarms at the hub", () => {
  it("never-again 1: are stored and noted in the session's log when raised and when cleared, with their times", async () => {
    expect(await alarms.accept(box, [alarm()])).toEqual([{ id: "a1", cleared: false }]);
    expect(await alarms.accept(box, [alarm({ clearedAt: at(-10) })])).toEqual([{ id: "a1", cleared: true }]);
    expect(await events()).toEqual([
      ["alarmRaised", "soundSilent", at(-30)],
      ["alarmCleared", "soundSilent", at(-10)],
    ]);
    expect(await db.selectFrom("alarm").select(["pointId", "sessionId", "clearedAt"]).execute()).toEqual([
      { pointId: point, sessionId: session, clearedAt: at(-10) },
    ]);
    expect(changes).toEqual([session, session]);
  });

  it("never-again 2: stand in the session that the desk is shown, with room and cause", async () => {
    await alarms.accept(box, [alarm({ cause: "notRecording" })]);
    const view = await createReception({ db, clock, log }).session(session);
    expect(view!.events).toMatchObject([
      { kind: "alarmRaised", cause: "notRecording", at: at(-30), point: { id: point, name: "Xã A" } },
    ]);
  });

  it("are noted once, however often they are told and in whatever order", async () => {
    for (const item of [alarm({ clearedAt: at(-10) }), alarm(), alarm({ clearedAt: at(-5) })])
      await alarms.accept(box, [item]);
    expect((await events()).map(([kind]) => kind)).toEqual(["alarmRaised", "alarmCleared"]);
    expect((await db.selectFrom("alarm").select("clearedAt").execute())[0]!.clearedAt).toBe(at(-10));
    expect(await alarms.accept(box, [alarm()])).toEqual([{ id: "a1", cleared: true }]);
  });

  it("of two boxes with the same id are two", async () => {
    const other = makeId("box", randomId());
    await db
      .updateTable("box")
      .set({ revokedAt: at(-50) })
      .execute();
    await db
      .insertInto("box")
      .values({
        id: other,
        pointId: point,
        serial: "02",
        certificatePem: "",
        pairedAt: at(-50),
        revokedAt: null,
        seenAt: null,
      })
      .execute();
    await alarms.accept(box, [alarm()]);
    await alarms.accept(other, [alarm()]);
    expect(await db.selectFrom("alarm").select("boxId").execute()).toHaveLength(2);
  });

  it("outside of sessions, and of sessions that the room is not part of, are stored without a log", async () => {
    await alarms.accept(box, [alarm({ session: null }), alarm({ id: "a2", session: makeId("session", randomId()) })]);
    expect(await events()).toEqual([]);
    expect((await db.selectFrom("alarm").select("sessionId").execute()).map((row) => row.sessionId)).toEqual([
      null,
      null,
    ]);
  });

  it("never put a line into the future, and take causes that only a newer box knows", async () => {
    await alarms.accept(box, [alarm({ raisedAt: at(3_600), cause: "lensFogged" })]);
    expect(await events()).toEqual([["alarmRaised", "lensFogged", at(0)]]);
  });

  it("of a box that the hub does not know are refused", async () => {
    await expect(alarms.accept("box_unknown" as BoxId, [alarm()])).rejects.toThrow("no result");
  });
});
