import { missedDevice, type DeviceFacts, type Health } from "../../protocol/protocol.ts";
import type { InspectionReport } from "../inspection/inspection.ts";
import type { Situation } from "./engine.ts";

export interface Seen extends Pick<
  Health,
  "encoder" | "picture" | "sound" | "echo" | "devices" | "disks" | "batteryEmpty"
> {
  /** Recordings, or what was signed of them, that the disk does not give back. */
  unreadable: ReadonlySet<string>;
  /** The room is in a live session. */
  mustRecord: boolean;
  growing: boolean;
  /** Of the session that another system carries: whether the screen's file grows, and why it does not. */
  screen: { growing: boolean; showing: boolean } | null;
  /** What the file says; null while nothing is recorded. */
  report: InspectionReport | null;
}

const yes = (facts: string) => ({ present: true, facts });
const NO = { present: false, facts: "" };
const named = (device: DeviceFacts | undefined): string =>
  device ? `; ${device.name} ${device.state === "absent" ? "is not there" : "cannot be opened"}` : "";

/**
 * What can be said of each cause. One fault is one cause: a file that does not grow says nothing of picture and sound,
 * an absent camera gives no black picture, and an encoder that fails in a session is told as the missing recording.
 */
export function situationOf(seen: Seen): Situation {
  const { mustRecord, growing, encoder, picture, sound, echo, devices, screen, report } = seen;
  const failed = encoder.state === "failed";
  const situation: Situation = {
    encoderFailed: failed && !mustRecord ? yes("the encoder fails again and again") : NO,
    notRecording: mustRecord && !growing ? yes(`the file does not grow; encoder: ${encoder.state}`) : NO,
    screenNotRecording:
      mustRecord && screen && !screen.growing
        ? yes(screen.showing ? "the screen's file does not grow" : "the page is not on the screen")
        : NO,
  };
  if (seen.disks)
    for (const [cause, state] of [
      ["diskFailing", "failing"],
      ["diskWorn", "worn"],
    ] as const) {
      const disks = seen.disks.filter((disk) => disk.state === state);
      const words = disks.map(
        ({ name, model, usedPercent, facts }) => `${name} (${model}) ${facts} ${usedPercent ?? "?"} %`,
      );
      situation[cause] = disks.length > 0 ? yes(words.join("; ")) : NO;
    }
  // Whatever the disk says of itself.
  if (seen.unreadable.size > 0)
    situation.diskFailing = yes(`cannot be read: ${[...seen.unreadable].slice(0, 5).join(", ")}`);
  if (seen.batteryEmpty !== undefined)
    situation.batteryEmpty = seen.batteryEmpty ? yes("the clock stood before the program was made") : NO;
  if (failed || encoder.state === "starting" || (mustRecord && !growing)) return situation;
  const camera = missedDevice(devices?.cameras);
  const microphone = missedDevice(devices?.microphones);
  situation.cameraNone = picture === "none" ? yes(`no camera${named(camera)}`) : NO;
  situation.microphoneNone = sound.state === "none" ? yes(`no microphone${named(microphone)}`) : NO;
  situation.cameraSpare = camera && picture !== "none" ? yes(`another camera is used${named(camera)}`) : NO;
  situation.microphoneSpare =
    microphone && sound.state !== "none" ? yes(`another microphone is used${named(microphone)}`) : NO;
  situation.echoOpen = echo === "open" ? yes("the echo canceller is not there") : NO;
  if (mustRecord) {
    if (!report) return situation;
    situation.fileUnchecked = report.file.checked ? NO : yes("what is written cannot be measured");
    Object.assign(situation, report.findings);
  } else
    Object.assign(situation, {
      ...{ fileUnchecked: NO, soundHum: NO, soundNoSpeech: NO, frameRateLow: NO, avOffset: NO },
      pictureBlack: picture === "black" ? yes("measured at the camera") : NO,
      pictureDark: NO,
      pictureFrozen: picture === "frozen" ? yes("measured at the camera") : NO,
      soundSilent: sound.state === "silent" ? yes("measured at the microphone") : NO,
      soundClipping: sound.state === "clipping" ? yes("measured at the microphone") : NO,
      encoderSlow: encoder.speed > 0 && encoder.speed < 0.97 ? yes(`speed ${encoder.speed}`) : NO,
    });
  // What is not there cannot be bad.
  if (picture === "none") Object.assign(situation, { pictureBlack: NO, pictureDark: NO, pictureFrozen: NO });
  if (sound.state === "none")
    Object.assign(situation, {
      ...{ soundSilent: NO, soundClipping: NO, soundHum: NO, soundNoSpeech: NO, avOffset: NO },
    });
  return situation;
}
