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
  screen: null,
  report,
  unreadable: new Set(),
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

  it("tells a spare device by the name of the one that is missed, and an absent one as itself", () => {
    const row = (name: string, state: "inUse" | "absent" | "failed" | "ready") => ({
      id: name,
      name,
      state,
      wanted: true,
    });
    const devices = { cameras: [row("C920", "absent"), row("B525", "inUse")], microphones: [row("Jabra", "inUse")] };
    const situation = situationOf({ ...good, devices });
    expect(situation.cameraSpare).toEqual({ present: true, facts: "another camera is used; C920 is not there" });
    expect(present({ ...good, devices })).toEqual(["cameraSpare"]);
    const gone = { cameras: [row("C920", "absent")], microphones: [row("Jabra", "failed"), row("PCH", "inUse")] };
    expect(present({ ...good, picture: "none", devices: gone })).toEqual(["cameraNone", "microphoneSpare"]);
    expect(situationOf({ ...good, picture: "none", devices: gone }).cameraNone?.facts).toBe(
      "no camera; C920 is not there",
    );
  });

  it("tells what disks and clock say of themselves, also while nothing is recorded", () => {
    const disk = { name: "sda", model: "A400", usedPercent: 85, facts: "pending: 3" };
    const idle: Seen = { ...good, mustRecord: false, encoder: { ...good.encoder, state: "failed" } };
    const worn = { ...idle, disks: [{ ...disk, state: "worn" as const }], batteryEmpty: true };
    expect(present(worn)).toEqual(["encoderFailed", "diskWorn", "batteryEmpty"]);
    const failing = situationOf({ ...good, disks: [{ ...disk, state: "failing" }], batteryEmpty: false });
    expect(failing.diskFailing).toEqual({ present: true, facts: "sda (A400) pending: 3 85 %" });
    expect(failing.diskWorn?.present).toBe(false);
  });

  it("tells a disk that does not give back what was recorded, whatever the disk says of itself", () => {
    const unreadable = new Set(["take-a/3"]);
    const facts = { present: true, facts: "cannot be read: take-a/3" };
    expect(situationOf({ ...good, unreadable }).diskFailing).toEqual(facts);
    const disks = [{ name: "sda", model: "A400", usedPercent: 1, facts: "", state: "ok" as const }];
    expect(situationOf({ ...good, disks, unreadable }).diskFailing).toEqual(facts);
    expect(situationOf({ ...good, disks }).diskFailing?.present).toBe(false);
  });

  it("tells an open echo in a session and before it, and says nothing where no microphone is sent", () => {
    expect(present({ ...good, echo: "open" })).toEqual(["echoOpen"]);
    expect(present({ ...good, echo: "open", mustRecord: false, report: null })).toEqual(["echoOpen"]);
    expect(present({ ...good, echo: "cancelled" })).toEqual([]);
  });

  it("a screen that is not recorded in a session that another system carries is a cause of its own", () => {
    const screen = { growing: false, showing: false };
    expect(present({ ...good, screen })).toEqual(["screenNotRecording"]);
    expect(present({ ...good, screen: { ...screen, showing: true } })).toEqual(["screenNotRecording"]);
    expect(present({ ...good, screen: { growing: true, showing: true } })).toEqual([]);
    expect(present({ ...good, screen, growing: false, report: null })).toEqual(["notRecording", "screenNotRecording"]);
    expect(present({ ...good, screen, mustRecord: false, report: null })).toEqual([]);
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
