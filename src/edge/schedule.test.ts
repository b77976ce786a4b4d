import { describe, expect, test } from "vitest";
import { HubAssignment, makeId, type RoomSession } from "../protocol/protocol.ts";
import {
  AWAY_MS,
  currentSession,
  decide,
  keepOwn,
  LATE_MS,
  LONGEST_OWN_MS,
  nextSession,
  offerOf,
  rememberedSessions,
  withOwn,
  type Situation,
} from "./schedule.ts";

const id = (i: number) => makeId("session", new Uint8Array(10).fill(i));
const NOW = Date.parse("2026-11-21T08:00:00.000Z");
const at = (minutes: number) => new Date(NOW + minutes * 60_000).toISOString();
const session = (i: number, fields: object = {}) => ({
  id: id(i),
  name: `buổi ${i}`,
  ...{ state: "draft", role: "delegate", scheduledAt: null, startedAt: null, endedAt: null },
  ...fields,
});
const plan = (...sessions: object[]) =>
  HubAssignment.parse({
    type: "assignment",
    revision: 1,
    point: { id: makeId("point", new Uint8Array(10)), name: "Xã A" },
    sessions,
  });
const reading = (minutes: number, bootId = "boot") => ({
  ...{ utc: at(minutes), monotonicMs: 1e9 + minutes * 60_000, bootId },
  ...{ hubOffsetMs: null, hubOffsetErrorMs: null },
});
const mine = (i: number, fields: Partial<RoomSession> = {}): RoomSession => ({
  ...{ id: id(i), name: `buổi ${i}`, adHoc: false, by: "schedule", startedAt: reading(-5), endedAt: null },
  ...fields,
});
const situation = (change: Partial<Situation> = {}, minutes = 0): Situation => ({
  assignment: null,
  own: [],
  now: { utcMs: NOW + minutes * 60_000, monotonicMs: 1e9 + minutes * 60_000, bootId: "boot" },
  awayMs: null,
  ...change,
});
const recorded = (s: Situation) => decide(s).goal.session?.id ?? null;
const AWAY = { awayMs: AWAY_MS };

describe("what the hub has said", () => {
  test("without a schedule nothing is recorded", () => {
    expect(decide(situation())).toEqual({ goal: { session: null, why: "sessionEnded" }, begin: undefined, end: [] });
  });

  test("never-again 2: a live session is recorded from its own start, with the hub or without", () => {
    const assignment = plan(session(1), session(2, { state: "live", startedAt: at(-60) }));
    for (const awayMs of [null, 0, 1e9])
      expect(decide(situation({ assignment, awayMs })).goal.session).toEqual({ id: id(2), startedAt: at(-60) });
  });

  test("a paused session stops the recording and says so; an ended one stops it for good", () => {
    const paused = plan(session(1, { state: "paused", startedAt: at(-60) }));
    expect(decide(situation({ assignment: paused })).goal).toEqual({ session: null, why: "paused" });
    expect(currentSession(situation({ assignment: paused }))).toMatchObject({ id: id(1), state: "paused" });
    const ended = plan(session(1, { state: "ended", startedAt: at(-60), endedAt: at(-1) }));
    expect(decide(situation({ assignment: ended })).goal).toEqual({ session: null, why: "sessionEnded" });
    expect(currentSession(situation({ assignment: ended }))).toBeNull();
  });

  test("a live session goes before a paused one, the later before the earlier", () => {
    const assignment = plan(
      session(1, { state: "paused", startedAt: at(0) }),
      session(2, { state: "live", startedAt: at(-900) }),
      session(3, { state: "live", startedAt: at(-60) }),
    );
    expect(recorded(situation({ assignment }))).toBe(id(3));
  });

  test("the next session is the earliest draft; one without a date comes last", () => {
    const assignment = plan(session(1), session(2, { scheduledAt: at(90) }), session(3, { scheduledAt: at(60) }));
    expect(nextSession(situation({ assignment }))?.id).toBe(id(3));
    expect(nextSession(situation({ assignment: plan(session(1)) }))?.id).toBe(id(1));
    expect(nextSession(situation())).toBeNull();
  });
});

describe("with the hub away", () => {
  const assignment = plan(session(1, { scheduledAt: at(0) }));

  test("never-again 2: a scheduled session is begun by the box when its time has come, and not before", () => {
    expect(decide(situation({ assignment, ...AWAY }, -0.01)).begin).toBeUndefined();
    expect(decide(situation({ assignment, ...AWAY })).begin?.id).toBe(id(1));
    expect(decide(situation({ assignment, ...AWAY }, 30)).begin?.id).toBe(id(1));
  });

  test("a hub that is there, or was there a moment ago, is left to begin it", () => {
    expect(decide(situation({ assignment }, 30)).begin).toBeUndefined();
    expect(decide(situation({ assignment, awayMs: AWAY_MS - 1 }, 30)).begin).toBeUndefined();
  });

  test("what nobody began for hours is not begun any more", () => {
    const late = LATE_MS / 60_000;
    expect(decide(situation({ assignment, ...AWAY }, late - 1)).begin).toBeDefined();
    expect(decide(situation({ assignment, ...AWAY }, late)).begin).toBeUndefined();
  });

  test("once begun it is recorded from its start until somebody ends it, and not begun twice", () => {
    const own = [mine(1, { startedAt: reading(0) })];
    const going = decide(situation({ assignment, own, ...AWAY }, 30));
    expect(going).toEqual({
      goal: { session: { id: id(1), startedAt: at(0) }, why: "sessionEnded" },
      begin: undefined,
      end: [],
    });
    const ended = [mine(1, { endedAt: reading(20) })];
    expect(decide(situation({ assignment, own: ended, ...AWAY }, 30))).toMatchObject({
      goal: { session: null },
      begin: undefined,
    });
  });

  test("what nobody ends does not run for ever, whatever the wall clock says meanwhile", () => {
    const own = [mine(1, { startedAt: reading(0) })];
    const hours = LONGEST_OWN_MS / 60_000;
    expect(decide(situation({ assignment, own, ...AWAY }, hours + 1))).toMatchObject({
      goal: { session: null },
      end: [id(1)],
    });
    const jumped = situation({ assignment, own, ...AWAY }, 60);
    jumped.now.utcMs += 100 * LONGEST_OWN_MS;
    expect(decide(jumped).end).toEqual([]);
  });
});

describe("when the hub is back", () => {
  const own = [mine(1)];
  const after = (fields: object | undefined) =>
    decide(situation({ assignment: fields ? plan(session(1, fields)) : null, own }));

  test("the recording goes on without a seam, whether the hub has heard of it, has not, or began it meanwhile", () => {
    for (const fields of [undefined, {}, { state: "live", startedAt: at(-1) }]) {
      const { goal, end } = after(fields);
      expect(goal.session?.id).toBe(id(1));
      expect(end).toEqual([]);
    }
  });

  test("until it has heard, what was begun here counts as live for whoever keeps room for it", () => {
    const ids = (sessions: readonly { id: string; state: string }[] = []) => sessions.map((s) => [s.id, s.state]);
    const adHoc = mine(3, { adHoc: true });
    expect(ids(withOwn(plan(session(1), session(2)), [...own, adHoc])?.sessions)).toEqual([
      [id(2), "draft"],
      [id(1), "live"],
      [id(3), "live"],
    ]);
    expect(ids(withOwn(plan(session(1, { state: "ended" })), own)?.sessions)).toEqual([[id(1), "ended"]]);
    expect(withOwn(null, own)).toBeNull();
  });

  test("a session that the hub has paused pauses, and one that it has ended ends", () => {
    expect(after({ state: "paused", startedAt: at(-9) })).toMatchObject({
      goal: { session: null, why: "paused" },
      end: [],
    });
    expect(after({ state: "ended", endedAt: at(-1) })).toMatchObject({ goal: { session: null }, end: [id(1)] });
  });

  test("another session that is live goes first, and the room's own is over", () => {
    const assignment = plan(session(1), session(2, { state: "live", startedAt: at(-1) }));
    expect(decide(situation({ assignment, own }))).toMatchObject({ goal: { session: { id: id(2) } }, end: [id(1)] });
  });

  test("an ad hoc session that was ended here does not begin again before the hub has heard of it", () => {
    const own = [mine(1, { adHoc: true, endedAt: reading(-1) })];
    const assignment = plan(session(1, { state: "live", startedAt: at(-5) }));
    expect(recorded(situation({ assignment, own }))).toBeNull();
  });

  test("what the hub has taken note of to its end is forgotten, unless it might be begun once more", () => {
    const over = mine(1, { endedAt: reading(-1) });
    expect(keepOwn([over], [{ id: id(1), ended: true }], plan(session(1)))).toEqual([over]);
    expect(keepOwn([over], [{ id: id(1), ended: false }], plan())).toEqual([over]);
    expect(keepOwn([over], [{ id: id(1), ended: true }], plan(session(1, { state: "ended" })))).toEqual([]);
    expect(keepOwn([mine(2)], [{ id: id(2), ended: false }], plan())).toHaveLength(1);
  });
});

describe("back to back and overlapping", () => {
  const both = plan(session(1, { scheduledAt: at(0) }), session(2, { scheduledAt: at(60) }));

  test("the second of two begins in the same step in which the first ends", () => {
    const going = situation({ assignment: both, own: [mine(1, { startedAt: reading(0) })], ...AWAY }, 90);
    expect(decide(going)).toMatchObject({ goal: { session: { id: id(1) } }, begin: undefined });
    const ended = [mine(1, { startedAt: reading(0), endedAt: reading(90) })];
    expect(decide({ ...going, own: ended }).begin?.id).toBe(id(2));
  });

  test("it does the same when the hub, last heard, had the first one live", () => {
    const live = plan(session(1, { state: "live", startedAt: at(0) }), session(2, { scheduledAt: at(60) }));
    expect(decide(situation({ assignment: live, ...AWAY }, 90))).toMatchObject({
      goal: { session: { id: id(1) } },
      begin: undefined,
    });
    const over = plan(session(1, { state: "ended", startedAt: at(0) }), session(2, { scheduledAt: at(60) }));
    expect(decide(situation({ assignment: over, ...AWAY }, 90)).begin?.id).toBe(id(2));
  });

  test("of two that are due at once the earlier begins, and a paused one keeps the room", () => {
    expect(decide(situation({ assignment: both, ...AWAY }, 61)).begin?.id).toBe(id(1));
    const paused = plan(session(1, { state: "paused", startedAt: at(0) }), session(2, { scheduledAt: at(60) }));
    expect(decide(situation({ assignment: paused, ...AWAY }, 90))).toMatchObject({
      goal: { session: null, why: "paused" },
      begin: undefined,
    });
  });
});

describe("what somebody in the room may do", () => {
  test("begin the session that is coming, with the hub or without", () => {
    const assignment = plan(session(1, { scheduledAt: at(60) }));
    expect(offerOf(situation({ assignment })).start).toEqual({ session: id(1) });
    expect(offerOf(situation({ assignment, awayMs: 0 })).start).toEqual({ session: id(1) });
  });

  test("begin one of the box's own where none is coming and the hub cannot be asked", () => {
    const assignment = plan(session(1, { scheduledAt: at(9_000) }));
    expect(offerOf(situation({ assignment })).start).toBeNull();
    expect(offerOf(situation({ assignment, awayMs: 0 })).start).toEqual({ session: null });
  });

  test("end what was begun here, and nothing that the hub runs", () => {
    const assignment = plan(session(1, { scheduledAt: at(0) }));
    expect(offerOf(situation({ assignment, own: [mine(1)] }))).toEqual({ start: null, stop: { session: id(1) } });
    const live = plan(session(1, { state: "live", startedAt: at(0) }));
    expect(offerOf(situation({ assignment: live, own: [mine(1)] }))).toEqual({ start: null, stop: null });
    expect(offerOf(situation({ assignment: live, own: [mine(1, { adHoc: true })] })).stop).toEqual({ session: id(1) });
    expect(currentSession(situation({ assignment: live, own: [mine(1)] }))?.begunBy).toBe("schedule");
  });
});

describe("what a hub that was put back is told of its sessions", () => {
  const told = rememberedSessions(
    plan(
      session(1, { state: "ended", startedAt: at(-90), endedAt: at(-60) }),
      session(2, { state: "live", startedAt: at(-10), role: "central" }),
      session(3, { state: "paused", startedAt: at(-30) }),
      session(4, { state: "ended", startedAt: at(-120), endedAt: at(-100) }),
      session(5, { scheduledAt: at(60) }),
    ),
    new Set([id(1), id(3), id(5)]),
    reading(0),
  );

  test("those recorded here and what is live, oldest first, in the hub's own time", () => {
    expect(told.map((mine) => mine.id)).toEqual([id(1), id(3), id(2)]);
    expect(told[0]).toMatchObject({ startedAt: { utc: at(-90), bootId: "" }, endedAt: { utc: at(-60), bootId: "" } });
    expect(told[2]).toMatchObject({ remembered: { role: "central" }, endedAt: null });
  });

  test("a paused one is over: nobody could resume it, and it is not recorded", () => {
    expect(told[1]!.endedAt).toEqual(reading(0));
    expect(recorded(situation({ assignment: plan(), own: told.slice(0, 2) }))).toBeNull();
  });

  test("the live one is recorded on, though the hub's schedule does not have it", () => {
    const decided = decide(situation({ assignment: plan(), own: told }));
    expect(decided.goal.session).toEqual({ id: id(2), startedAt: at(-10) });
    expect(decided.end).toEqual([]);
  });
});
