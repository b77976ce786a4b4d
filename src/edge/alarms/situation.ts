import type { Health } from "../../protocol/protocol.ts";
import type { InspectionReport } from "../inspection/inspection.ts";
import type { Situation } from "./engine.ts";

export interface Seen extends Pick<Health, "encoder" | "picture" | "sound"> {
  /** The room is in a live session. */
  mustRecord: boolean;
  growing: boolean;
  /** What the file says; null while nothing is recorded. */
  report: InspectionReport | null;
}

const yes = (facts: string) => ({ present: true, facts });
const NO = { present: false, facts: "" };

/**
 * What can be said of each cause. One fault is one cause: a file that does not grow says nothing of picture and sound,
 * an absent camera gives no black picture, and an encoder that fails in a session is told as the missing recording.
 */
export function situationOf({ mustRecord, growing, encoder, picture, sound, report }: Seen): Situation {
  const failed = encoder.state === "failed";
  const situation: Situation = {
    encoderFailed: failed && !mustRecord ? yes("the encoder fails again and again") : NO,
    notRecording: mustRecord && !growing ? yes(`the file does not grow; encoder: ${encoder.state}`) : NO,
  };
  if (failed || encoder.state === "starting" || (mustRecord && !growing)) return situation;
  situation.cameraNone = picture === "none" ? yes("no camera") : NO;
  situation.microphoneNone = sound.state === "none" ? yes("no microphone") : NO;
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
