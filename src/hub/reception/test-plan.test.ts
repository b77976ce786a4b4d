import { describe, expect, test } from "vitest";
import type { BoxId, Health, SessionId } from "../../protocol/protocol.ts";
import { judgeRoom, planTests, testsToCome } from "./test-plan.ts";

const HOUR_MS = 3_600_000;
const scheduledAtMs = Date.UTC(2026, 10, 25, 1);
const tested = (hoursBefore: number, change: Partial<Parameters<typeof planTests>[0]> = {}) => ({
  ...{ scheduledAtMs, createdAtMs: scheduledAtMs - 100 * HOUR_MS, before: [1_440, 120], done: new Set<number>() },
  nowMs: scheduledAtMs - hoursBefore * HOUR_MS,
  ...change,
});

describe("when a test is made", () => {
  test("not before it is due, and then once", () => {
    expect(planTests(tested(24.01))).toEqual({ make: null, missed: [] });
    expect(planTests(tested(24))).toEqual({ make: 1_440, missed: [] });
    expect(planTests(tested(23, { done: new Set([1_440]) }))).toEqual({ make: null, missed: [] });
    expect(planTests(tested(2, { done: new Set([1_440]) }))).toEqual({ make: 120, missed: [] });
  });

  test("late rather than never; of two that are late the last, and the other is missed", () => {
    expect(planTests(tested(3))).toEqual({ make: 1_440, missed: [] });
    expect(planTests(tested(1))).toEqual({ make: 120, missed: [1_440] });
  });

  test("not when the appointed time has come: what was not made by then is missed", () => {
    expect(planTests(tested(0))).toEqual({ make: null, missed: [1_440, 120] });
    expect(planTests(tested(-1, { done: new Set([1_440]) }))).toEqual({ make: null, missed: [120] });
  });

  test("never for a time that was over when the session was planned", () => {
    const createdAtMs = scheduledAtMs - 5 * HOUR_MS;
    expect(planTests(tested(4, { createdAtMs }))).toEqual({ make: null, missed: [] });
    expect(planTests(tested(0, { createdAtMs }))).toEqual({ make: null, missed: [120] });
    expect(testsToCome(tested(4, { createdAtMs })).map(({ minutesBefore }) => minutesBefore)).toEqual([120]);
  });

  test("the next to come stands first, whatever the order of the configuration", () => {
    const before = [120, 4_320, 1_440];
    expect(testsToCome(tested(30, { before })).map(({ minutesBefore }) => minutesBefore)).toEqual([1_440, 120]);
    expect(testsToCome(tested(30, { before }))[1]!.dueMs).toBe(scheduledAtMs - 2 * HOUR_MS);
  });
});

describe("what is found of a room", () => {
  const session = "session-a" as SessionId;
  const at = { session, mustRecord: false, nowMs: scheduledAtMs };
  const health = (change: Partial<Health> = {}): Health => ({
    ...{ agentVersion: "0.1.0", bootId: "b", uptimeS: 1, cpuPercent: 1, memoryUsedBytes: 1, memoryTotalBytes: 2 },
    ...{ diskFreeBytes: 1e12, diskTotalBytes: 2e12, temperatureC: null, source: "", picture: "ok" },
    encoder: { state: "preview", fps: 25, frames: 1, droppedFrames: 0, duplicatedFrames: 0, speed: 1 },
    sound: { state: "ok", levelLufs: -40, speech: false },
    link: { control: "up", live: "up", sync: "up", roundTripMs: 9 },
    recording: { session: null, take: null, seconds: 0, growing: false, unsyncedSegments: 0, unsyncedBytes: 0 },
    alarms: [],
    ...change,
  });
  const room = (change: Partial<Parameters<typeof judgeRoom>[0]> = {}) => ({
    ...{ box: "box-a" as BoxId, connected: true, health: health(), alarms: [], live: ["video", "audio"] as const },
    ...change,
  });
  const troubles = (change: Partial<Parameters<typeof judgeRoom>[0]>) => {
    const found = judgeRoom(room(change), at);
    expect(found.clear).toBe(found.troubles.length === 0);
    return found.troubles;
  };

  test("nothing of one that is as it should be", () => expect(troubles({})).toEqual([]));

  test("that it is away, whatever it said before", () => {
    expect(troubles({ connected: false })).toEqual(["offline"]);
    expect(troubles({ connected: false, identityDamaged: true })).toEqual(["identityDamaged"]);
    expect(troubles({ box: null, connected: false, health: null })).toEqual(["noBox"]);
  });

  test("each of its troubles, and what only the hub sees", () => {
    const alarms = [{ cause: "cameraNone", since: "2026-11-25T00:00:00.000Z" }];
    expect(troubles({ health: health({ picture: "none", alarms }) })).toEqual(["cameraNone"]);
    expect(troubles({ alarms: [{ cause: "identityTwin" }] })).toEqual(["identityTwin"]);
  });

  test("that nothing is known of picture or sound: no evidence is not clear", () => {
    expect(troubles({ health: null })).toEqual(["notMeasured"]);
    const starting = { ...health().encoder, state: "starting" as const };
    expect(troubles({ health: health({ encoder: starting }) })).toEqual(["notMeasured"]);
    expect(troubles({ health: health({ sound: { state: "unknown", levelLufs: null, speech: false } }) })).toEqual([
      "notMeasured",
    ]);
  });

  test("that nothing of it arrives, whatever its box believes", () => {
    expect(troubles({ live: [] })).toEqual(["liveDown"]);
    const link = { ...health().link, live: "down" as const };
    expect(troubles({ live: [], health: health({ link }) })).toEqual(["liveDown"]);
    expect(troubles({ connected: false, live: [] })).toEqual(["offline"]);
  });

  test("no room on its disk for this session, and only for this one", () => {
    const space = (ready: boolean, other: boolean): Health["space"] => ({
      ...{ state: "ok", reservedBytes: 1 },
      sessions: [
        { session, ready, neededBytes: 1, missingBytes: ready ? 0 : 1 },
        { session: "session-b" as SessionId, ready: other, neededBytes: 1, missingBytes: other ? 0 : 1 },
      ],
    });
    expect(troubles({ health: health({ space: space(false, true) }) })).toEqual(["diskLow"]);
    expect(troubles({ health: health({ space: space(true, false) }) })).toEqual([]);
  });

  test("of a room in another session, that nobody speaks there says nothing", () => {
    const file = { checked: true, speech: false, loudnessLufs: null, avOffsetMs: null, frameRate: 25 };
    const recording = { ...health().recording, growing: true };
    expect(judgeRoom(room({ health: health({ file, recording }) }), { ...at, mustRecord: true }).clear).toBe(true);
  });

  test("whether its sound was tried within a day", () => {
    const soundTest = (hoursAgo: number, echo: "good" | "poor") =>
      judgeRoom(
        room({
          health: health({
            soundTest: {
              at: new Date(scheduledAtMs - hoursAgo * HOUR_MS).toISOString(),
              ...{ voice: "heard", echo, returnLossDb: 40, atLeast: false },
            },
          }),
        }),
        at,
      ).soundTest;
    expect(soundTest(1, "good")).toBe("passed");
    expect(soundTest(1, "poor")).toBe("failed");
    expect(soundTest(25, "good")).toBeNull();
    expect(judgeRoom(room(), at).soundTest).toBeNull();
  });
});
