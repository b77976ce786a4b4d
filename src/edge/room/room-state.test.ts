import { describe, expect, test } from "vitest";
import { HubAssignment, makeId, type Health } from "../../protocol/protocol.ts";
import type { Situation } from "../schedule.ts";
import { roomState, type RoomFacts } from "./room-state.ts";

const point = { id: makeId("point", new Uint8Array(10)), name: "Xã cũ" };
const sessionId = makeId("session", new Uint8Array(10).fill(1));
const live = HubAssignment.parse({
  type: "assignment",
  revision: 3,
  point: { ...point, name: "Xã mới" },
  sessions: [
    {
      id: sessionId,
      name: "Định kỳ tháng 11",
      state: "live",
      role: "central",
      scheduledAt: null,
      startedAt: "2026-11-21T07:00:00.000Z",
      endedAt: null,
    },
  ],
});
const health = (recording: Partial<Health["recording"]>): Health => ({
  agentVersion: "1",
  bootId: "b",
  uptimeS: 1,
  cpuPercent: 1,
  memoryUsedBytes: 1,
  memoryTotalBytes: 2,
  diskFreeBytes: 1e12,
  diskTotalBytes: 1e12,
  temperatureC: null,
  encoder: { state: "recording", fps: 25, frames: 1, droppedFrames: 0, duplicatedFrames: 0, speed: 1 },
  picture: "ok",
  sound: { state: "ok", levelLufs: -20, speech: true },
  link: { control: "up", live: "up", sync: "up", roundTripMs: 2 },
  recording: {
    session: sessionId,
    take: null,
    seconds: 61,
    growing: true,
    unsyncedSegments: 0,
    unsyncedBytes: 0,
    ...recording,
  },
  source: "test",
});
const situation = (assignment: HubAssignment | null, change: Partial<Situation> = {}): Situation => ({
  assignment,
  own: [],
  now: { utcMs: Date.parse("2026-11-21T08:00:00.000Z"), monotonicMs: 0, bootId: "b" },
  awayMs: null,
  ...change,
});
const facts = (overrides: Partial<RoomFacts>): RoomFacts => ({
  nowUtc: "2026-11-21T08:00:00.000Z",
  pairing: { state: "paired" },
  identity: { box: makeId("box", new Uint8Array(10)), point },
  situation: situation(live),
  stage: null,
  watchedBy: [],
  companion: null,
  last: null,
  connected: true,
  health: health({}),
  unsynced: { segments: 0, bytes: 0 },
  hubAddress: "hub:8443",
  network: { trouble: null, macs: [], hubSource: "baked", pairingPage: null },
  stick: null,
  soundTest: { refused: "inSession", running: null, result: null, broken: null },
  addresses: [],
  agentVersion: "1",
  ...overrides,
});

describe("room state", () => {
  test("shows the recording sign while the file grows, with its session", () => {
    expect(roomState(facts({})).recording).toEqual({
      session: sessionId,
      sessionName: "Định kỳ tháng 11",
      since: "2026-11-21T07:00:00.000Z",
      seconds: 61,
    });
  });

  test("never shows the recording sign when the file has stopped growing, and says that it is wrong", () => {
    const state = roomState(facts({ health: health({ growing: false }) }));
    expect(state.recording).toBeNull();
    expect(state.session?.state).toBe("live");
    expect(state.lamps.troubles).toContain("notRecording");
  });

  test("knows its session and goes on showing the sign without the hub", () => {
    const state = roomState(facts({ connected: false }));
    expect(state.recording).not.toBeNull();
    expect(state.session?.name).toBe("Định kỳ tháng 11");
    expect(state.lamps.link).toBe("bad");
  });

  test("calls the point by the name that the hub gave it last", () => {
    expect(roomState(facts({})).point?.name).toBe("Xã mới");
    expect(roomState(facts({ situation: situation(null) })).point?.name).toBe("Xã cũ");
    expect(roomState(facts({ situation: situation(null), identity: null })).point).toBeNull();
  });

  test("shows what was begun in this room, and that it may be ended here", () => {
    const id = makeId("session", new Uint8Array(10).fill(9));
    const startedAt = {
      ...{ utc: "2026-11-21T07:58:00.000Z", monotonicMs: 0, bootId: "b" },
      ...{ hubOffsetMs: null, hubOffsetErrorMs: null },
    };
    const own = [{ id, name: "Buổi tiếp tại phòng", adHoc: true, by: "hand" as const, startedAt, endedAt: null }];
    const recording = health({ session: id });
    const state = roomState(facts({ situation: situation(null, { own, awayMs: 60_000 }), health: recording }));
    expect(state.session).toMatchObject({ id, state: "live", begunBy: "hand" });
    expect(state.recording).toMatchObject({ session: id, sessionName: "Buổi tiếp tại phòng" });
    expect(state).toMatchObject({ start: null, stop: { session: id } });
  });

  test("calls a recording complete at the hub when every segment is signed for, and a recording of nothing never", () => {
    const last = { session: sessionId, name: "Định kỳ", segments: 12, verified: 11 };
    expect(roomState(facts({ last })).receipt).toMatchObject({ complete: false });
    expect(roomState(facts({ last: { ...last, verified: 12 } })).receipt).toMatchObject({ complete: true });
    expect(roomState(facts({ last: { ...last, segments: 0, verified: 0 } })).receipt).toBeNull();
  });
});
