import { expect, it } from "vitest";
import { isoUtc, randomId, systemClock } from "../../platform/platform.ts";
import { makeId } from "../../protocol/protocol.ts";
import { openDatabase } from "../database/database.ts";
import { changeDeviceOrder, readDeviceOrder } from "./device-order.ts";

it("a room's order of devices is kept by kind, taken back by an empty list, and written down with who did it", async () => {
  const db = await openDatabase(":memory:");
  const point = makeId("point", randomId());
  await db
    .insertInto("bridgePoint")
    .values({ id: point, name: "Xã A", createdAt: isoUtc(0) })
    .execute();
  const change = (order: Parameters<typeof changeDeviceOrder>[3]) =>
    changeDeviceOrder(db, systemClock, point, order, "Lan");
  const kept = async () =>
    readDeviceOrder((await db.selectFrom("bridgePoint").select("deviceOrder").executeTakeFirstOrThrow()).deviceOrder);
  expect(await kept()).toBeNull();
  const [camera, microphone] = [
    { id: "usb:046d:0825:A@x/1#1.0", name: "C920" },
    { id: "usb:0b0e:0420@x/2#1.0", name: "Jabra" },
  ];
  await change({ cameras: [camera] });
  const both = { cameras: [camera], microphones: [microphone] };
  expect(await change({ microphones: [microphone] })).toEqual(both);
  expect(await kept()).toEqual(both);
  await change({ cameras: [] });
  expect(await change({ microphones: [] })).toBeNull();
  expect(await kept()).toBeNull();
  const acts = await db.selectFrom("auditEntry").select(["actor", "act"]).execute();
  expect(acts).toEqual(Array.from({ length: 4 }, () => ({ actor: "Lan", act: "devices.ordered" })));
  const unknown = makeId("point", randomId());
  expect(await changeDeviceOrder(db, systemClock, unknown, { cameras: [camera] }, "Lan")).toBeUndefined();
});

it("an order that cannot be read leaves the choice to the box", () => {
  expect(readDeviceOrder("{")).toBeNull();
  expect(readDeviceOrder('{"cameras": 1}')).toBeNull();
});
