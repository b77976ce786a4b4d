import { describe, expect, test } from "vitest";
import type { RecordingSummaryView, RoomView, SessionView } from "../../hub/http/views.ts";
import type { BoxId, Health, PointId, SessionId } from "../../protocol/protocol.ts";
import {
  allRooms,
  bySession,
  isReady,
  NO_FACTS,
  reduce,
  roomFacts,
  sessionClock,
  tilePicture,
  wallShape,
  withRecordings,
} from "./facts.ts";

const NOW = Date.parse("2026-11-23T07:00:00Z");
const at = (minutes: number): string => new Date(NOW + minutes * 60_000).toISOString();

const health = (change: Partial<Health> = {}): Health => ({
  agentVersion: "0.1.0",
  bootId: "b",
  uptimeS: 60,
  cpuPercent: 20,
  memoryUsedBytes: 1,
  memoryTotalBytes: 2,
  diskFreeBytes: 1e11,
  diskTotalBytes: 2e11,
  temperatureC: null,
  encoder: { state: "recording", fps: 25, frames: 1, droppedFrames: 0, duplicatedFrames: 0, speed: 1 },
  picture: "ok",
  sound: { state: "ok", levelLufs: -23, speech: true },
  link: { control: "up", live: "up", sync: "up", roundTripMs: 12 },
  recording: { session: null, take: null, seconds: 0, growing: false, unsyncedSegments: 0, unsyncedBytes: 0 },
  source: "test",
  ...change,
});
const room = (name: string, change: Partial<RoomView> = {}): RoomView => ({
  point: { id: `point-${name}` as PointId, name },
  box: `box-${name}` as BoxId,
  connected: true,
  seenAt: at(0),
  health: health(),
  alarms: [],
  live: ["video", "audio"],
  session: null,
  pendingSegments: 0,
  ...change,
});
const session = (name: string, change: Partial<SessionView> = {}): SessionView => ({
  id: `session-${name}` as SessionId,
  name,
  companion: null,
  state: "draft",
  scheduledAt: null,
  plannedMinutes: 240,
  createdAt: at(-100),
  startedAt: null,
  endedAt: null,
  adHoc: false,
  points: [],
  events: [],
  tests: [],
  testsToCome: [],
  ...change,
});
const hubDisk = { state: "ok", freeBytes: 1e12 } as const;
const snapshot = (rooms: RoomView[], sessions: SessionView[] = []) =>
  reduce(NO_FACTS, { type: "snapshot", data: { rooms, sessions, stages: [], waitingBoxes: 1, hubDisk } });
const inSession = (state: "live" | "paused") =>
  ({ id: "session-s" as SessionId, name: "s", role: "delegate", state }) as const;

describe("events", () => {
  test("the hub's disk is as it was last said to be", () => {
    const full = reduce(snapshot([]), { type: "hubDisk", data: { state: "full", freeBytes: 1e9 } });
    expect(full.hubDisk.state).toBe("full");
    expect(reduce(full, { type: "waitingBoxes", data: { count: 2 } }).hubDisk.state).toBe("full");
  });

  test("a snapshot replaces rooms and sessions and keeps the fetched recordings", () => {
    const summary = { session: { id: "session-s" } } as RecordingSummaryView;
    const before = withRecordings(snapshot([room("a"), room("b")]), [summary]);
    const after = reduce(before, {
      type: "snapshot",
      data: { rooms: [room("c")], sessions: [], stages: [], waitingBoxes: 0, hubDisk },
    });
    expect([...after.rooms.keys()]).toEqual(["point-c"]);
    expect(after.recordings?.size).toBe(1);
    expect(after.loaded).toBe(true);
  });
  test("one room changes, the others stay the same objects", () => {
    const before = snapshot([room("a"), room("b")]);
    const after = reduce(before, { type: "room", data: room("a", { connected: false }) });
    expect(after.rooms.get("point-a" as PointId)?.connected).toBe(false);
    expect(after.rooms.get("point-b" as PointId)).toBe(before.rooms.get("point-b" as PointId));
    expect(before.rooms.get("point-a" as PointId)?.connected).toBe(true);
  });
  test("one recording before the list was fetched does not pass for the list", () => {
    const summary = { session: { id: "session-s" } } as RecordingSummaryView;
    expect(reduce(NO_FACTS, { type: "recording", data: summary }).recordings).toBeNull();
  });
});

describe("who needs help", () => {
  test("a silent room, then a slow one, then the well, then those switched off, then points without a box", () => {
    const facts = snapshot([
      room("empty", { box: null, connected: false, health: null }),
      room("off", { connected: false }),
      room("well"),
      room("slow", { health: health({ link: { control: "up", live: "down", sync: "up", roundTripMs: 900 } }) }),
      room("silent", { health: health({ sound: { state: "silent", levelLufs: null, speech: false } }) }),
    ]);
    expect(allRooms(facts, NOW).map((r) => r.room.point.name)).toEqual(["silent", "slow", "well", "off", "empty"]);
  });
  test("a box whose identity is damaged at the hub is an alarm at any time, and the only one of its room", () => {
    const damaged = roomFacts(room("a", { connected: false, identityDamaged: true }), new Set());
    expect(damaged).toMatchObject({ need: "bad", lamps: { troubles: ["identityDamaged"] } });
  });
  test("a room that is away is an alarm in a session and shortly before one", () => {
    const away = room("a", { connected: false });
    expect(roomFacts(away, new Set()).need).toBe("away");
    expect(roomFacts({ ...away, session: inSession("live") }, new Set()).need).toBe("bad");
    const points = [{ id: away.point.id, name: "a", role: "central" as const }];
    const soon = snapshot([away], [session("s", { scheduledAt: at(90), points })]);
    const later = snapshot([away], [session("s", { scheduledAt: at(600), points })]);
    expect(allRooms(soon, NOW)[0]?.need).toBe("bad");
    expect(allRooms(later, NOW)[0]?.need).toBe("away");
  });
  test("two boxes with one identity are said first, before what either of them says of itself", () => {
    const twins = room("a", {
      alarms: [{ cause: "identityTwin", since: at(0) }],
      health: health({ picture: "black" }),
    });
    const { lamps, need } = roomFacts(twins, new Set());
    expect([lamps.troubles, lamps.link, need]).toEqual([["identityTwin", "pictureBlack"], "warn", "bad"]);
  });

  test("whether it records is what the file does, and unknown while the room is away", () => {
    const growing = health({ recording: { ...health().recording, growing: true } });
    expect(roomFacts(room("a", { health: growing }), new Set()).recording).toBe(true);
    expect(roomFacts(room("a", { health: growing, connected: false }), new Set()).recording).toBeNull();
    const idle = roomFacts(room("a", { session: inSession("live") }), new Set());
    expect(idle.recording).toBe(false);
    expect(idle.need).toBe("bad");
  });
  test("a room in another session is not ready for this one", () => {
    expect(isReady(roomFacts(room("a"), new Set()))).toBe(true);
    expect(isReady(roomFacts(room("a", { session: inSession("paused") }), new Set()))).toBe(false);
    expect(isReady(roomFacts(room("a", { connected: false }), new Set()))).toBe(false);
  });
  test("the last report of a room that is away lights no lamp", () => {
    const { lamps } = roomFacts(room("a", { connected: false }), new Set());
    expect(lamps).toMatchObject({ picture: "unknown", sound: "unknown", link: "bad" });
  });
});

describe("sessions", () => {
  test("the open one first, then the next, then the unscheduled, then the past", () => {
    const list = [
      session("past", { state: "ended", startedAt: at(-300) }),
      session("someday"),
      session("next", { scheduledAt: at(30) }),
      session("open", { state: "paused", startedAt: at(-10) }),
      session("yesterday", { state: "ended", startedAt: at(-1500) }),
    ];
    expect(list.sort(bySession).map((s) => s.name)).toEqual(["open", "next", "someday", "past", "yesterday"]);
  });
  test("the clock stands still in a pause", () => {
    const event = (minutes: number, kind: SessionView["events"][number]["kind"]) => ({
      at: at(minutes),
      kind,
      actor: null,
      point: null,
    });
    const events = [event(-60, "created"), event(-50, "started"), event(-20, "paused")];
    const paused = sessionClock({ startedAt: at(-50), events }, NOW);
    expect(paused).toEqual({ runningMs: 30 * 60_000, pausedMs: 20 * 60_000, pauses: 1, thisPauseMs: 20 * 60_000 });
    const resumed = sessionClock({ startedAt: at(-50), events: [...events, event(-5, "resumed")] }, NOW);
    expect(resumed.runningMs).toBe(35 * 60_000);
    expect(resumed.thisPauseMs).toBe(0);
    const ended = [...events, event(-5, "resumed"), event(-1, "ended")];
    expect(sessionClock({ startedAt: at(-50), events: ended }, NOW + 9e6).runningMs).toBe(34 * 60_000);
  });
});

describe("wall", () => {
  test("one room is as large as the height allows, not as wide as the window", () =>
    expect(wallShape(1102, 560, 1)).toEqual({ columns: 1, tilePx: 832 }));
  test("three rooms stand side by side", () => expect(wallShape(1102, 560, 3)).toEqual({ columns: 3, tilePx: 356 }));
  test("124 rooms are scrolled, small but legible", () =>
    expect(wallShape(1102, 560, 124)).toEqual({ columns: 4, tilePx: 263 }));
  test("a large screen shows more at once", () => expect(wallShape(1656, 850, 124).columns).toBe(6));
  test("a narrow window has one column", () => expect(wallShape(300, 500, 9)).toEqual({ columns: 1, tilePx: 300 }));
  test("few large tiles show the large picture, many or small tiles the small one", () => {
    expect(tilePicture(1, { tilePx: 832 })).toBe("video");
    expect(tilePicture(4, { tilePx: 400 })).toBe("video");
    expect(tilePicture(5, { tilePx: 400 })).toBe("small");
    expect(tilePicture(3, { tilePx: 340 })).toBe("video");
    expect(tilePicture(3, { tilePx: 300 })).toBe("small");
  });
});
