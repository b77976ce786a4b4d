import { describe, expect, test } from "vitest";
import { HubAssignment, makeId } from "../protocol/protocol.ts";
import { currentSession, nextSession, recordingGoal } from "./state.ts";

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
