import { beforeEach, describe, expect, test } from "vitest";
import { isoUtc, randomId, systemClock } from "../../platform/platform.ts";
import { GENESIS, makeId, type BoxId, type PointId, type SessionId } from "../../protocol/protocol.ts";
import { openDatabase, type HubDatabase } from "../database/database.ts";
import { createRecordings, type Recordings } from "./recordings.ts";

const NOW = Date.parse("2026-11-21T08:00:00.000Z");
const at = (minutes: number) => isoUtc(NOW + minutes * 60_000);

let db: HubDatabase;
let recordings: Recordings;
let rooms: { point: PointId; box: BoxId }[];

beforeEach(async () => {
  db = await openDatabase(":memory:");
  recordings = createRecordings({ db, clock: { ...systemClock, bootId: "", wallMs: () => NOW }, archive: "" });
  rooms = [];
  for (const name of ["Xã A", "Xã B"]) {
    const [point, box] = [makeId("point", randomId()), makeId("box", randomId())];
    await db.insertInto("bridgePoint").values({ id: point, name, createdAt: "" }).execute();
    await db
      .insertInto("box")
      .values({
        id: box,
        pointId: point,
        serial: name,
        certificatePem: "",
        pairedAt: "",
        revokedAt: null,
        seenAt: null,
      })
      .execute();
    rooms.push({ point, box });
  }
  return () => db.destroy();
});

async function session(fields: { state: "draft" | "live" | "ended"; scheduledAt?: string; startedAt?: string }) {
  const id = makeId("session", randomId());
  const none = { scheduledAt: null, startedAt: null, endedAt: null };
  await db
    .insertInto("session")
    .values({ id, name: "Định kỳ", createdAt: "", ...none, ...fields })
    .execute();
  for (const { point } of rooms)
    await db.insertInto("sessionPoint").values({ sessionId: id, pointId: point, role: "delegate" }).execute();
  return id;
}
const record = (sessionId: SessionId, { point, box }: (typeof rooms)[number]) =>
  db
    .insertInto("take")
    .values({
      ...{
        id: makeId("take", randomId()),
        boxId: box,
        sessionId,
        pointId: point,
        startedAt: at(-1),
        prevHash: GENESIS,
      },
      ...{ nextN: 1, tipHash: null, nextSeq: 0, ended: 0 },
      ...{ firstFrameAt: null, bootId: null, firstMonotonicMs: null },
      ...{ hubOffsetMs: null, hubOffsetErrorMs: null },
    })
    .execute();
const ledger = async () =>
  (await recordings.summaries()).map(({ session, rooms, unrecorded }) => [session.id, rooms, unrecorded]);

describe("never-again 13: the ledger of what should be recorded", () => {
  test("names a scheduled session that nobody began and no room recorded, once its time has passed", async () => {
    await session({ state: "draft" });
    await session({ state: "draft", scheduledAt: at(60) });
    await session({ state: "draft", scheduledAt: at(-14) });
    const missed = await session({ state: "draft", scheduledAt: at(-15) });
    expect(await ledger()).toEqual([[missed, 2, 2]]);
  });

  test("names the rooms of a running or ended session of which there is nothing", async () => {
    const running = await session({ state: "live", startedAt: at(-2) });
    await record(running, rooms[0]!);
    const ended = await session({ state: "ended", startedAt: at(-1) });
    await record(ended, rooms[0]!);
    await record(ended, rooms[1]!);
    const justBegun = await session({ state: "live", startedAt: at(0) });
    expect(await ledger()).toEqual([
      [justBegun, 2, 0],
      [ended, 2, 0],
      [running, 2, 1],
    ]);
  });

  test("keeps what a room recorded by itself of a session that the hub never began", async () => {
    const id = await session({ state: "draft", scheduledAt: at(-10) });
    await record(id, rooms[1]!);
    expect(await ledger()).toEqual([[id, 2, 0]]);
    expect((await recordings.recording(id))?.session.state).toBe("draft");
  });
});
