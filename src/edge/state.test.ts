import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createLog, systemClock } from "../platform/platform.ts";
import { HubAssignment, makeId, type RoomSession } from "../protocol/protocol.ts";
import { addReceipt } from "./ledger.ts";
import { openEdgeState } from "./state.ts";

const id = (i: number) => makeId("session", new Uint8Array(10).fill(i));
const session = (i: number, fields: object) => ({
  id: id(i),
  name: `buổi ${i}`,
  state: "draft",
  role: "delegate",
  scheduledAt: null,
  startedAt: null,
  endedAt: null,
  ...fields,
});
const assignment = (...sessions: object[]) =>
  HubAssignment.parse({
    type: "assignment",
    revision: 1,
    point: { id: makeId("point", new Uint8Array(10)), name: "Xã A" },
    sessions,
  });
const started = "2026-11-21T07:00:00.000Z";

describe("what the box remembers", () => {
  const inFolder = async (use: (directory: string) => Promise<void>) => {
    const directory = await mkdtemp(join(tmpdir(), "diemcau-state-"));
    try {
      await use(directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  };
  const open = (directory: string) =>
    openEdgeState(
      directory,
      createLog(systemClock, () => {}),
      systemClock,
    );
  const revision = (revision: number, ...sessions: object[]) => ({ ...assignment(...sessions), revision });

  test("is there again after a restart: schedule and receipts", () =>
    inFolder(async (directory) => {
      const before = await open(directory);
      const take = makeId("take", new Uint8Array(10));
      expect(await before.takeAssignment(revision(5, session(1, { state: "live", startedAt: started })))).toBe("taken");
      await before.updateLedger((ledgerOf, set) => set(take, addReceipt(ledgerOf(take), 0)));
      const after = await open(directory);
      expect(after.assignment()?.sessions[0]).toMatchObject({ id: id(1), state: "live" });
      expect(after.ledger(take)).toEqual({ records: 0, upTo: 1, also: [] });
    }));

  test("is there again after a restart: what was begun in this room, and the hub's time", () =>
    inFolder(async (directory) => {
      const before = await open(directory);
      const own: RoomSession = {
        ...{ id: id(7), name: "Buổi tiếp tại phòng", adHoc: true, by: "hand", endedAt: null },
        startedAt: { utc: started, monotonicMs: 5, bootId: "b", hubOffsetMs: null, hubOffsetErrorMs: null },
      };
      const time = { utcMs: 1, monotonicMs: 2, bootId: "b", offsetMs: 3 };
      await Promise.all([before.setOwn([own]), before.setHubTime(time)]);
      const after = await open(directory);
      expect(after.own()).toEqual([own]);
      expect(after.hubTime()).toEqual(time);
      await after.forgetAssignment();
      expect((await open(directory)).own()).toEqual([]);
    }));

  test("counts for nothing once the hub was put back: what it confirmed is gone, the schedule and its sessions stay", () =>
    inFolder(async (directory) => {
      const state = await open(directory);
      const take = makeId("take", new Uint8Array(10));
      const reading = { utc: started, monotonicMs: 5, bootId: "b", hubOffsetMs: null, hubOffsetErrorMs: null };
      const begun = (i: number, name: string): RoomSession => ({
        ...{ id: id(i), name, adHoc: true, by: "hand", startedAt: reading, endedAt: null },
      });
      await state.takeAssignment(revision(5, session(1, { state: "live", startedAt: started })));
      await state.setOwn([begun(1, "như phòng biết"), begun(2, "tại phòng")]);
      await state.updateLedger((ledgerOf, set) => set(take, addReceipt(ledgerOf(take), 0)));
      expect(state.hubMemory()).toBe(0);
      await state.startAnew(7, [begun(1, "như máy chủ đã báo")]);
      const after = await open(directory);
      expect(after.hubMemory()).toBe(7);
      expect(after.ledger(take)).toBeUndefined();
      expect(after.own().map(({ name }) => name)).toEqual(["như máy chủ đã báo", "tại phòng"]);
      expect(after.assignment()?.revision).toBe(5);
    }));

  test("is not overwritten by an older schedule, or by the same one come late", () =>
    inFolder(async (directory) => {
      const state = await open(directory);
      await state.takeAssignment(revision(5, session(1, { state: "live" })));
      expect(await state.takeAssignment(revision(5))).toBe("old");
      expect(await state.takeAssignment(revision(4))).toBe("old");
      expect(state.assignment()?.sessions).toHaveLength(1);
      expect(await state.takeAssignment(revision(6))).toBe("taken");
      expect(state.assignment()?.sessions).toHaveLength(0);
    }));

  test("is set aside where it cannot be read, and the box starts all the same", () =>
    inFolder(async (directory) => {
      await writeFile(join(directory, "state.json"), '{"v":1,"takes":');
      expect((await open(directory)).assignment()).toBeNull();
      expect((await readdir(directory)).some((file) => file.startsWith("state.json.unreadable-"))).toBe(true);
    }));
});
