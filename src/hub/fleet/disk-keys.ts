import { isoUtc, type Clock } from "../../platform/platform.ts";
import { diskCode, type BoxId, type DiskKey, type PointId } from "../../protocol/protocol.ts";
import type { HubDatabase } from "../database/database.ts";
import type { DiskView } from "../http/views.ts";

/** Said on each connection; written when it is another one than before. */
export async function keepDiskKey(
  db: HubDatabase,
  clock: Clock,
  boxId: BoxId,
  { volume, key }: DiskKey,
): Promise<void> {
  const known = await db.selectFrom("diskKey").select(["volume", "key"]).where("boxId", "=", boxId).executeTakeFirst();
  if (known?.volume === volume && known.key === key) return;
  const row = { volume, key, keptAt: isoUtc(clock.wallMs()) };
  await db
    .insertInto("diskKey")
    .values({ boxId, ...row })
    .onConflict((conflict) => conflict.column("boxId").doUpdateSet(row))
    .execute();
}

export async function disksOf(db: HubDatabase, point: PointId): Promise<DiskView[]> {
  const rows = await db
    .selectFrom("diskKey")
    .innerJoin("box", "box.id", "diskKey.boxId")
    .select(["diskKey.boxId as box", "diskKey.volume", "diskKey.keptAt", "box.revokedAt"])
    .where("box.pointId", "=", point)
    .execute();
  return rows
    .map(({ volume, ...row }) => ({ ...row, code: diskCode(volume) }))
    .toSorted((a, b) => (b.revokedAt ?? "9").localeCompare(a.revokedAt ?? "9"));
}

export const diskKeyOf = (db: HubDatabase, box: BoxId): Promise<(DiskKey & { pointName: string }) | undefined> =>
  db
    .selectFrom("diskKey")
    .innerJoin("box", "box.id", "diskKey.boxId")
    .innerJoin("bridgePoint", "bridgePoint.id", "box.pointId")
    .select(["diskKey.volume", "diskKey.key", "bridgePoint.name as pointName"])
    .where("diskKey.boxId", "=", box)
    .executeTakeFirst();
