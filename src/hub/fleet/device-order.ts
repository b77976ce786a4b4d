import { isoUtc, type Clock } from "../../platform/platform.ts";
import { DeviceOrder, type PointId } from "../../protocol/protocol.ts";
import type { HubDatabase } from "../database/database.ts";

/** What cannot be read any more is no order: the box then chooses by itself. */
export function readDeviceOrder(text: string | null): DeviceOrder | null {
  if (text === null) return null;
  try {
    return DeviceOrder.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/**
 * Of the point and not of its box: who replaces the box finds the same camera in the room.
 * @returns the whole order as it is now; undefined where there is no such point
 */
export const changeDeviceOrder = (
  db: HubDatabase,
  clock: Clock,
  point: PointId,
  change: Partial<DeviceOrder>,
  actor: string,
): Promise<DeviceOrder | null | undefined> =>
  db.transaction().execute(async (trx) => {
    const was = await trx.selectFrom("bridgePoint").select("deviceOrder").where("id", "=", point).executeTakeFirst();
    if (!was) return undefined;
    const next = { cameras: [], microphones: [], ...readDeviceOrder(was.deviceOrder), ...change };
    const order = next.cameras.length + next.microphones.length > 0 ? next : null;
    const deviceOrder = order && JSON.stringify(order);
    await trx.updateTable("bridgePoint").set({ deviceOrder }).where("id", "=", point).execute();
    await trx
      .insertInto("auditEntry")
      .values({ at: isoUtc(clock.wallMs()), actor, act: "devices.ordered", detail: JSON.stringify({ point, order }) })
      .execute();
    return order;
  });
