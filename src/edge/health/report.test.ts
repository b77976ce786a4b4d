import { describe, expect, test } from "vitest";
import { createLog, systemClock, type Clock } from "../../platform/platform.ts";
import type { Health } from "../../protocol/protocol.ts";
import type { MachineFacts } from "./health.ts";
import { reportHealth } from "./report.ts";

const machineFacts: MachineFacts = {
  bootId: "b",
  uptimeS: 1,
  cpuPercent: 1,
  memoryUsedBytes: 1,
  memoryTotalBytes: 2,
  diskFreeBytes: 1e12,
  diskTotalBytes: 1e12,
  temperatureC: null,
};
const healthy: Health = {
  ...machineFacts,
  agentVersion: "1",
  encoder: { state: "preview", fps: 25, frames: 1, droppedFrames: 0, duplicatedFrames: 0, speed: 1 },
  picture: "ok",
  sound: { state: "ok", levelLufs: -20, speech: true },
  link: { control: "up", live: "up", sync: "up", roundTripMs: 2 },
  recording: { session: null, take: null, seconds: 0, growing: false, unsyncedSegments: 0, unsyncedBytes: 0 },
  source: "test",
};

/** Runs the report over `seconds` of a clock that jumps; `at` may change the world before a second. */
async function report(seconds: number, at: (second: number, world: { health: Health; connected: boolean }) => void) {
  const stop = new AbortController();
  const world = { health: healthy, connected: true };
  const sentAt: number[] = [];
  let measured = 0;
  let second = 0;
  const clock: Clock = {
    wallMs: () => second * 1_000,
    monotonicMs: () => second * 1_000,
    bootId: "b",
    sleep: async () => {
      second++;
      at(second, world);
      if (second >= seconds) stop.abort();
    },
  };
  await reportHealth(
    {
      log: createLog(systemClock, () => {}),
      clock,
      machine: {
        measure: async () => {
          measured++;
          return machineFacts;
        },
      },
      compose: () => world.health,
      mustRecord: () => false,
      connected: () => world.connected,
      send: () => sentAt.push(second),
      onLook: () => {},
    },
    stop.signal,
  );
  return { sentAt, measured };
}

describe("health reports", () => {
  test("go out every ten seconds while nothing changes", async () => {
    expect(await report(31, () => {})).toEqual({ sentAt: [0, 10, 20, 30], measured: 4 });
  });

  test("go out at once when a lamp changes, and when it changes back", async () => {
    const { sentAt } = await report(10, (second, world) => {
      world.health = second >= 3 && second < 6 ? { ...healthy, picture: "black" } : healthy;
    });
    expect(sentAt).toEqual([0, 3, 6]);
  });

  test("go out as soon as the hub is there", async () => {
    const { sentAt } = await report(10, (second, world) => (world.connected = second < 2 || second >= 7));
    expect(sentAt).toEqual([0, 7]);
  });
});
