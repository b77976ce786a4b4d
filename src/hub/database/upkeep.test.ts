import { expect, test } from "vitest";
import { createLog, isoUtc } from "../../platform/platform.ts";
import type { BoxId, PointId, SessionId } from "../../protocol/protocol.ts";
import { createUpkeep, openDatabase } from "./database.ts";

const NOW = Date.parse("2026-11-22T01:00:00.000Z");
const daysAgo = (days: number) => isoUtc(NOW - days * 86_400_000);

test("what is over and belongs to no session goes; of sessions and acts nothing does", async () => {
  const db = await openDatabase(":memory:");
  const clock = { wallMs: () => NOW, monotonicMs: () => 0, bootId: "test", sleep: () => Promise.resolve() };
  const [point, box, session] = ["point-a" as PointId, "box-a" as BoxId, "session-a" as SessionId];
  const at = daysAgo(900);
  await db.insertInto("bridgePoint").values({ id: point, name: "Xã A", createdAt: at }).execute();
  await db
    .insertInto("box")
    .values({
      ...{ id: box, pointId: point, serial: "1", certificatePem: "", pairedAt: at, revokedAt: null, seenAt: null },
    })
    .execute();
  const times = { scheduledAt: null, createdAt: at, startedAt: at, endedAt: at };
  await db
    .insertInto("session")
    .values({ id: session, name: "Cũ", state: "ended", ...times })
    .execute();
  const alarm = (id: string, sessionId: SessionId | null, clearedAt: string | null) => ({
    ...{ boxId: box, id, pointId: point, sessionId, cause: "encoderFailed" as const, facts: "" },
    ...{ raisedAt: at, receivedAt: at, clearedAt },
  });
  await db
    .insertInto("alarm")
    .values([
      alarm("long ago", null, daysAgo(401)),
      alarm("of a session", session, daysAgo(800)),
      alarm("lately", null, daysAgo(399)),
      alarm("still there", null, null),
    ])
    .execute();
  await db.insertInto("auditEntry").values({ at, actor: "admin", act: "x", detail: "" }).execute();
  const user = {
    id: "u",
    login: "u",
    name: "U",
    role: "administrator" as const,
    passwordHash: "",
    mustChangePassword: 0 as const,
  };
  await db
    .insertInto("user")
    .values({ ...user, createdAt: at })
    .execute();
  await db
    .insertInto("signIn")
    .values([
      { tokenHash: "over", userId: "u", createdAt: at, expiresAt: daysAgo(0) },
      { tokenHash: "in force", userId: "u", createdAt: at, expiresAt: daysAgo(-1) },
    ])
    .execute();

  await createUpkeep({ db, clock, log: createLog(clock, () => {}) }).runOnce();

  const ids = (rows: { id: string }[]) => rows.map(({ id }) => id).sort();
  expect(ids(await db.selectFrom("alarm").select("id").execute())).toEqual(["lately", "of a session", "still there"]);
  expect(await db.selectFrom("auditEntry").select("act").execute()).toHaveLength(1);
  expect(await db.selectFrom("session").select("id").execute()).toHaveLength(1);
  expect(await db.selectFrom("signIn").select("tokenHash").execute()).toEqual([{ tokenHash: "in force" }]);
  await db.destroy();
});
