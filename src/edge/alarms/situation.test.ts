import { describe, expect, it } from "vitest";
import type { TakeId } from "../../protocol/protocol.ts";
import type { InspectionReport } from "../inspection/inspection.ts";
import { situationOf, type Seen } from "./situation.ts";

const report: InspectionReport = {
  take: "take_a" as TakeId,
  file: { checked: true, speech: true, loudnessLufs: -24, avOffsetMs: 10, frameRate: 25 },
  picture: "ok",
  sound: { state: "ok", levelLufs: -23, speech: true },
  findings: {
    pictureBlack: { present: false, facts: "" },
    soundSilent: { present: false, facts: "" },
    encoderSlow: { present: false, facts: "" },
  },
};
const good: Seen = {
  mustRecord: true,
  growing: true,
  encoder: { state: "recording", fps: 25, frames: 100, droppedFrames: 0, duplicatedFrames: 0, speed: 1 },
  picture: "ok",
  sound: report.sound,
  report,
};
const present = (seen: Seen) =>
  Object.entries(situationOf(seen))
    .filter(([, value]) => value.present)
    .map(([cause]) => cause);
const black = { ...report, findings: { ...report.findings, pictureBlack: { present: true, facts: "luma" } } };

describe("what can be said of each cause", () => {
  it("finds nothing wrong in a good recording", () => {
    expect(present(good)).toEqual([]);
  });

  it("never-again 2: a room in session whose file does not grow has an alarm, whatever the encoder says of itself", () => {
    for (const state of ["recording", "starting", "failed", "preview"] as const)
      expect(present({ ...good, growing: false, report: null, encoder: { ...good.encoder, state } })).toEqual([
        "notRecording",
      ]);
    expect(present({ ...good, mustRecord: false, growing: false, report: null })).toEqual([]);
  });

  it("knows nothing of picture and sound while the file does not grow", () => {
    const situation = situationOf({ ...good, growing: false, report: black });
    expect(situation.pictureBlack).toBeUndefined();
    expect(situation.soundSilent).toBeUndefined();
  });

  it("never-again 1: what is black in the file is an alarm, whatever the camera shows", () => {
    expect(present({ ...good, picture: "ok", report: black })).toEqual(["pictureBlack"]);
  });

  it("never-again 1: a file that cannot be measured is said to be unchecked, and is not taken for good", () => {
    const blind = { ...report, file: { ...report.file, checked: false }, findings: {} };
    const situation = situationOf({
      ...good,
      picture: "unknown",
      sound: { ...good.sound, state: "unknown" },
      report: blind,
    });
    expect(situation.fileUnchecked?.present).toBe(true);
    expect(situation.pictureBlack).toBeUndefined();
  });

  it("tells one fault as one cause: an absent camera is not a black picture too", () => {
    expect(present({ ...good, picture: "none", report: black })).toEqual(["cameraNone"]);
  });

  it("outside of sessions goes by what the devices give", () => {
    const idle = { ...good, mustRecord: false, growing: false, report: null };
    expect(present({ ...idle, picture: "black", sound: { ...good.sound, state: "silent" } })).toEqual([
      "pictureBlack",
      "soundSilent",
    ]);
    expect(present({ ...idle, encoder: { ...good.encoder, state: "failed" } })).toEqual(["encoderFailed"]);
  });
});
