import { describe, expect, test } from "vitest";
import type { AssignedSession, HubAssignment, PointId, RoomSession, SessionId } from "../../protocol/protocol.ts";
import { heldBack, planUpdate, QUIET_MS, type UpdateSituation } from "./plan.ts";

const AT = "2026-11-23T07:00:00.000Z";
const atMs = Date.parse(AT);
const HOUR_MS = 3_600_000;

const session = (fields: Partial<AssignedSession> = {}): AssignedSession => ({
  id: "session-aaaaaaaaaaaaaaaa" as SessionId,
  name: "Định kỳ",
  state: "draft",
  role: "central",
  scheduledAt: AT,
  plannedMinutes: 240,
  startedAt: null,
  endedAt: null,
  ...fields,
});
const assignment = (...sessions: AssignedSession[]): HubAssignment => ({
  type: "assignment",
  revision: 1,
  point: { id: "point-aaaaaaaaaaaaaaaa" as PointId, name: "Xã A" },
  sessions,
});
const own = (ended: boolean): RoomSession => {
  const reading = { utc: AT, monotonicMs: 1, bootId: "b", hubOffsetMs: null, hubOffsetErrorMs: null };
  return {
    id: "session-bbbbbbbbbbbbbbbb" as SessionId,
    ...{ name: "Đột xuất", adHoc: true, by: "hand", startedAt: reading, endedAt: ended ? reading : null },
  };
};
const situation = (fields: Partial<UpdateSituation> = {}): UpdateSituation => ({
  ...{ wanted: "nothing", installed: false, proven: true, connected: true, lineIsGood: true },
  ...{ assignment: assignment(), own: [], nowUtcMs: atMs },
  ...fields,
});
const held = (nowUtcMs: number, ...sessions: AssignedSession[]) =>
  heldBack({ assignment: assignment(...sessions), own: [], nowUtcMs });

describe("a session's window", () => {
  test("never-again 12: begins two hours before its hour, to the millisecond", () => {
    expect(QUIET_MS).toBe(2 * HOUR_MS);
    expect(held(atMs - 2 * HOUR_MS - 1, session())).toBeUndefined();
    expect(held(atMs - 2 * HOUR_MS, session())).toBe("soon");
    expect(held(atMs - 1, session())).toBe("soon");
    expect(held(atMs, session())).toBe("session");
  });

  test("ends with its planned length, and not before a box could still begin it by itself", () => {
    expect(held(atMs + 4 * HOUR_MS - 1, session({ plannedMinutes: 60 }))).toBe("session");
    expect(held(atMs + 4 * HOUR_MS, session({ plannedMinutes: 60 }))).toBeUndefined();
    expect(held(atMs + 6 * HOUR_MS - 1, session({ plannedMinutes: 360 }))).toBe("session");
    expect(held(atMs + 6 * HOUR_MS, session({ plannedMinutes: 360 }))).toBeUndefined();
  });

  test("lasts as long as the session runs or is paused, and is over with it", () => {
    for (const state of ["live", "paused"] as const) {
      expect(held(atMs + 40 * HOUR_MS, session({ state, startedAt: AT }))).toBe("session");
      expect(held(atMs + 40 * HOUR_MS, session({ state, scheduledAt: null }))).toBe("session");
    }
    expect(held(atMs + HOUR_MS, session({ state: "ended", startedAt: AT, endedAt: AT }))).toBeUndefined();
  });

  test("is that of each session, one without a date has none, and one begun in the room counts", () => {
    const evening = session({ scheduledAt: "2026-11-23T13:00:00.000Z" });
    expect(held(atMs + 5 * HOUR_MS, session({ plannedMinutes: 60 }), evening)).toBe("soon");
    expect(held(atMs, session({ scheduledAt: null }))).toBeUndefined();
    expect(heldBack({ assignment: assignment(), own: [own(false)], nowUtcMs: atMs })).toBe("session");
    expect(heldBack({ assignment: assignment(), own: [own(true)], nowUtcMs: atMs })).toBeUndefined();
  });
});

describe("update plan", () => {
  test("goes from download to install to restart", () => {
    expect(planUpdate(situation({ wanted: null }))).toEqual({ do: "nothing" });
    expect(planUpdate(situation({ wanted: "nothing" }))).toEqual({ do: "download" });
    expect(planUpdate(situation({ wanted: "parts" }))).toEqual({ do: "download" });
    expect(planUpdate(situation({ wanted: "staged" }))).toEqual({ do: "install" });
    expect(planUpdate(situation({ wanted: "installed", installed: true }))).toEqual({ do: "restart" });
  });

  test("never-again 12: does none of it in a session's window, nor while the hub's schedule may be another", () => {
    for (const wanted of ["nothing", "parts", "staged", "installed"] as const) {
      const installed = wanted === "installed";
      const soon = { assignment: assignment(session()), nowUtcMs: atMs - HOUR_MS };
      expect(planUpdate(situation({ wanted, installed, ...soon }))).toEqual({ do: "wait", because: "soon" });
      expect(planUpdate(situation({ wanted, installed, own: [own(false)] }))).toEqual({
        do: "wait",
        because: "session",
      });
      expect(planUpdate(situation({ wanted, installed, connected: false }))).toEqual({
        do: "wait",
        because: "offline",
      });
      expect(planUpdate(situation({ wanted, installed, assignment: null }))).toEqual({
        do: "wait",
        because: "offline",
      });
    }
  });

  test("leaves the former release in its slot until a session was recorded with the present one", () => {
    expect(planUpdate(situation({ wanted: "parts", proven: false }))).toEqual({ do: "download" });
    expect(planUpdate(situation({ wanted: "staged", proven: false }))).toEqual({ do: "wait", because: "unproven" });
  });

  test("downloads nothing over a line that live needs, and does not start what the hub holds", () => {
    expect(planUpdate(situation({ wanted: "parts", lineIsGood: false }))).toEqual({ do: "wait", because: "line" });
    expect(planUpdate(situation({ wanted: null, installed: true }))).toEqual({ do: "wait", because: "held" });
  });
});
