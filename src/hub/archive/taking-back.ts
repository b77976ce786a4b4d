import type { TakeId } from "../../protocol/protocol.ts";
import type { HubDatabase } from "../database/database.ts";

/**
 * Takes back that a segment is verified: what lies in the archive is not what was recorded any more, or nothing is. Its
 * bag is not finished then, and goes nowhere, until the segment is there again.
 * @returns how often it was refused or taken back so far; undefined where it was not verified
 */
export const takeBack = (db: HubDatabase, take: TakeId, seq: number): Promise<number | undefined> =>
  db.transaction().execute(async (trx) => {
    const row = await trx
      .updateTable("segment")
      .set((eb) => ({ hubState: "waiting", refusals: eb("refusals", "+", 1) }))
      .where("takeId", "=", take)
      .where("seq", "=", seq)
      .where("hubState", "=", "verified")
      .returning(["refusals", "sessionId"])
      .executeTakeFirst();
    if (!row) return undefined;
    await trx
      .updateTable("take")
      .set((eb) => ({ hubSegments: eb("hubSegments", "-", 1), refusedSegments: eb("refusedSegments", "+", 1) }))
      .where("id", "=", take)
      .execute();
    await trx
      .updateTable("bag")
      .set((eb) => ({ additions: eb("additions", "+", 1), manifestSha256: null, tagManifestSha256: null }))
      .where("sessionId", "=", row.sessionId)
      .execute();
    return row.refusals;
  });
