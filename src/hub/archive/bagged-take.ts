import { BAG, type BoxId, type PointId, type SessionId } from "../../protocol/protocol.ts";
import type { HubDatabase } from "../database/database.ts";
import { chainText, takeContents, type BagTake } from "./bag.ts";
import type { Sidecars } from "./sidecars.ts";

/** A take as the database knows it: its records, and its segments that are verified. */
export async function loadTake(
  db: HubDatabase,
  row: { id: BagTake["take"]; boxId: BoxId; pointId: PointId },
): Promise<BagTake> {
  const records = await db
    .selectFrom("record")
    .select(["n", "kind", "record", "signature", "countersignature"])
    .where("takeId", "=", row.id)
    .orderBy("n")
    .execute();
  const segments = await db
    .selectFrom("segment")
    .select(["seq", "n", "sha256", "sizeBytes", "hubReceipt", "hubReceiptSignature"])
    .where("takeId", "=", row.id)
    .where("hubState", "=", "verified")
    .orderBy("seq")
    .execute();
  return {
    take: row.id,
    box: row.boxId,
    point: row.pointId,
    records,
    segments: segments.map(({ hubReceipt, hubReceiptSignature, ...segment }) => ({
      ...segment,
      receipt: { record: hubReceipt!, signature: hubReceiptSignature! },
    })),
  };
}

/** What must lie in the bag of it; the chain's signature that lies there is kept while it holds. */
export async function contentsOf(
  sidecars: Sidecars,
  session: SessionId,
  take: BagTake,
): Promise<ReturnType<typeof takeContents>> {
  const path = `data/${take.point}/${take.take}/${BAG.chainSignature}`;
  return takeContents(take, await sidecars.signatureOf(session, path, chainText(take)));
}
