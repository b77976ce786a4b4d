import type { SegmentName } from "../../protocol/protocol.ts";
import type { HubDatabase } from "../database/database.ts";

/** The province's copy of a segment is not what it was signed for: it counts as not copied, and is copied again. */
export const takeBackCopy = (db: HubDatabase, { session, take, seq }: SegmentName): Promise<void> =>
  db.transaction().execute(async (trx) => {
    const row = await trx
      .updateTable("segment")
      .set({ provinceState: "waiting", provinceReceipt: null, provinceReceiptSignature: null })
      .where("takeId", "=", take)
      .where("seq", "=", seq)
      .where("provinceState", "=", "verified")
      .returning("seq")
      .executeTakeFirst();
    if (!row) return;
    await trx
      .updateTable("take")
      .set((eb) => ({ provinceSegments: eb("provinceSegments", "-", 1) }))
      .where("id", "=", take)
      .execute();
    await trx.updateTable("bag").set({ provinceTagManifestSha256: null }).where("sessionId", "=", session).execute();
  });
