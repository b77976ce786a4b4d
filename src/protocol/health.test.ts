import { describe, expect, it } from "vitest";
import { lampsOf, type Health } from "./protocol.ts";

const health: Health = {
  ...{ agentVersion: "1", bootId: "b", uptimeS: 1, cpuPercent: 1, memoryUsedBytes: 1, memoryTotalBytes: 2 },
  ...{ diskFreeBytes: 1e11, diskTotalBytes: 2e11, temperatureC: null, source: "" },
  encoder: { state: "recording", fps: 25, frames: 9, droppedFrames: 0, duplicatedFrames: 0, speed: 1 },
  picture: "ok",
  sound: { state: "ok", levelLufs: -20, speech: true },
  link: { control: "up", live: "up", sync: "up", roundTripMs: 3 },
  recording: { session: null, take: null, seconds: 9, growing: true, unsyncedSegments: 0, unsyncedBytes: 0 },
  file: { checked: true, speech: true, loudnessLufs: -23, avOffsetMs: 0, frameRate: 25 },
  alarms: [],
};
const file = health.file!;
const since = "2026-11-21T08:00:00.000Z";

describe("the lamps of a room", () => {
  it("are green for a recording in which picture and speech were measured", () => {
    expect(lampsOf(health, true, true)).toEqual({ picture: "ok", sound: "ok", link: "ok", troubles: [] });
  });

  it("never-again 1: sound is not green before speech was measured in the file", () => {
    expect(lampsOf({ ...health, file: { ...file, speech: false } }, true, true).sound).toBe("unknown");
  });

  it("never-again 1: nothing is green in a recording that cannot be checked", () => {
    const lamps = lampsOf({ ...health, file: { ...file, checked: false } }, true, true);
    expect([lamps.picture, lamps.sound]).toEqual(["unknown", "unknown"]);
  });

  it("never-again 1: follow the box's alarms, known ones, and each once", () => {
    const causes = ["soundSilent", "pictureBlack", "somethingNewer"];
    const lamps = lampsOf({ ...health, alarms: causes.map((cause) => ({ cause, since })) }, true, true);
    expect(lamps).toMatchObject({ picture: "bad", sound: "bad", troubles: ["pictureBlack", "soundSilent"] });
  });

  it("are computed from the facts of a box that raises no alarms itself", () => {
    const { alarms: _, file: __, ...old } = health;
    expect(lampsOf(old, true, true)).toEqual({ picture: "ok", sound: "ok", link: "ok", troubles: [] });
    expect(lampsOf({ ...old, recording: { ...old.recording, growing: false } }, true, true).troubles).toEqual([
      "notRecording",
    ]);
    expect(lampsOf({ ...old, sound: { ...old.sound, state: "silent" } }, true, true).sound).toBe("bad");
  });

  it("say of a room that is away that its link is gone, and keep what it last said", () => {
    expect(lampsOf(undefined, false, true)).toMatchObject({ picture: "unknown", link: "bad", troubles: ["offline"] });
  });
});
