import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createLog, systemClock } from "../platform/platform.ts";
import { HubAssignment, makeId } from "../protocol/protocol.ts";
import { addReceipt } from "./ledger.ts";
import { currentSession, nextSession, openEdgeState, recordingGoal } from "./state.ts";

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
const NOW = "2026-11-21T08:00:00.000Z";
const started = "2026-11-21T07:00:00.000Z";

describe("what the box does by its schedule", () => {
  test("without a schedule it records nothing", () => {
    expect(recordingGoal(null, NOW)).toEqual({ session: null, why: "sessionEnded" });
  });

  test("a live session is recorded from its own start", () => {
    const live = assignment(session(1, {}), session(2, { state: "live", startedAt: started }));
    expect(recordingGoal(live, NOW)).toEqual({ session: { id: id(2), startedAt: started }, why: "sessionEnded" });
  });

  test("a paused session stops the recording and says so", () => {
    expect(recordingGoal(assignment(session(1, { state: "paused", startedAt: started })), NOW)).toEqual({
      session: null,
      why: "paused",
    });
  });

  test("an ended session stops it for good", () => {
    const ended = assignment(session(1, { state: "ended", startedAt: started, endedAt: NOW }));
    expect(recordingGoal(ended, NOW)).toEqual({ session: null, why: "sessionEnded" });
    expect(currentSession(ended)).toBeNull();
  });

  test("a live session goes before a paused one, the later before the earlier", () => {
    const both = assignment(
      session(1, { state: "paused", startedAt: NOW }),
      session(2, { state: "live", startedAt: "2026-11-20T07:00:00.000Z" }),
      session(3, { state: "live", startedAt: started }),
    );
    expect(currentSession(both)?.id).toBe(id(3));
  });

  test("the next session is the earliest draft; one without a date comes last", () => {
    const plan = assignment(
      session(1, {}),
      session(2, { scheduledAt: "2026-12-02T01:00:00Z" }),
      session(3, { scheduledAt: "2026-12-01T01:00:00Z" }),
    );
    expect(nextSession(plan)?.id).toBe(id(3));
    expect(nextSession(assignment(session(1, {})))?.id).toBe(id(1));
    expect(nextSession(assignment())).toBeNull();
  });
});

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
      expect(recordingGoal(after.assignment(), NOW).session?.id).toBe(id(1));
      expect(after.ledger(take)).toEqual({ records: 0, upTo: 1, also: [] });
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
