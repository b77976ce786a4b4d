import type { PointId, SessionId } from "../../protocol/protocol.ts";
import type { HubDatabase } from "../database/database.ts";

/** Rooms of a session whose box was declared lost. */
export const lostRooms = (db: HubDatabase, session: SessionId) =>
  db.selectFrom("lostRoom").selectAll().where("sessionId", "=", session).orderBy("pointId").execute();
export type LostRoom = Awaited<ReturnType<typeof lostRooms>>[number];

/** What the hub's own copy fills in one of them, in the order of time. */
export const hubCopies = (db: HubDatabase, session: SessionId, point: PointId) =>
  db
    .selectFrom("hubCopy")
    .selectAll()
    .where("sessionId", "=", session)
    .where("pointId", "=", point)
    .orderBy("n")
    .execute();
