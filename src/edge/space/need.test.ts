import { expect, test } from "vitest";
import { makeId, type AssignedSession } from "../../protocol/protocol.ts";
import { bytesPerMinute, sessionNeeds } from "./need.ts";

const NOW = Date.parse("2026-11-21T08:00:00.000Z");
const HOUR_MS = 3_600_000;
const session = (n: number, change: Partial<AssignedSession> = {}): AssignedSession => ({
  id: makeId("session", new Uint8Array(10).fill(n)),
  name: `Buổi ${n}`,
  state: "draft",
  role: "delegate",
  scheduledAt: null,
  startedAt: null,
  endedAt: null,
  ...change,
});
const inHours = (hours: number) => new Date(NOW + hours * HOUR_MS).toISOString();

test("four hours at the usual quality are between 6 and 7 GB", () => {
  const bytes = bytesPerMinute({ width: 1280, height: 720, frameRate: 25, maxBitrateKbps: 3_000 }) * 240;
  expect(bytes).toBeGreaterThan(6e9);
  expect(bytes).toBeLessThan(7e9);
});

test("sessions have their claim by need: running first, then by their hour, those without one last", () => {
  const sessions = [
    session(1),
    session(2, { scheduledAt: inHours(5) }),
    session(3, { state: "live" }),
    session(4, { scheduledAt: inHours(2) }),
  ];
  expect(
    sessionNeeds(
      sessions,
      NOW,
      () => 1,
      () => 0,
    ).map(({ session }) => session),
  ).toEqual([sessions[2]!, sessions[3]!, sessions[1]!, sessions[0]!].map(({ id }) => id));
});

test("a session needs its planned length, four hours where no hub says it", () => {
  const needs = sessionNeeds(
    [session(1, { plannedMinutes: 90 }), session(2)],
    NOW,
    () => 10,
    () => 0,
  );
  expect(needs.map(({ bytes }) => bytes)).toEqual([900, 2_400]);
});

test("what is recorded already is not needed again, and one that runs on keeps half an hour ahead of it", () => {
  const needOf = (recorded: number) =>
    sessionNeeds(
      [session(1, { state: "live", plannedMinutes: 90 })],
      NOW,
      () => 10,
      () => recorded,
    )[0]!.bytes;
  expect(needOf(300)).toBe(600);
  expect(needOf(5_000)).toBe(300);
});

test("what has ended, and what nobody began within a day of its hour, needs nothing", () => {
  const sessions = [session(1, { state: "ended" }), session(2, { scheduledAt: inHours(-25) })];
  expect(
    sessionNeeds(
      sessions,
      NOW,
      () => 10,
      () => 0,
    ),
  ).toEqual([]);
});
