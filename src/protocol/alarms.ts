import { z } from "zod";
import { SessionId } from "./ids.ts";

/** What a box raises an alarm for: one cause, one alarm. The screens hold the repair in words for each. */
export const ALARM_CAUSES = [
  "encoderFailed",
  "notRecording",
  "fileUnchecked",
  "cameraNone",
  "pictureBlack",
  "pictureDark",
  "pictureFrozen",
  "microphoneNone",
  "cameraSpare",
  "microphoneSpare",
  "soundSilent",
  "soundClipping",
  "soundHum",
  "soundNoSpeech",
  "encoderSlow",
  "frameRateLow",
  "avOffset",
  "echoOpen",
  "screenNotRecording",
  "diskFailing",
  "diskWorn",
  "batteryEmpty",
] as const;
export type AlarmCause = (typeof ALARM_CAUSES)[number];

/** What only the hub can see. `identityTwin`: two boxes speak with the identity of one. */
export type HubAlarmCause = "identityTwin";

/** One alarm from its raising to its clearing; the later statement (with `clearedAt`) replaces the earlier. */
export const Alarm = z.looseObject({
  /** Unique at its box. */
  id: z.string().min(1).max(64),
  /** A newer box may know causes that this hub does not. */
  cause: z.string().min(1).max(64),
  /** The session that the room was to record when it was raised; null outside of sessions. */
  session: SessionId.nullable(),
  raisedAt: z.iso.datetime({ precision: 3 }),
  clearedAt: z.iso.datetime({ precision: 3 }).nullable(),
  /** What the box measured when it raised it. */
  facts: z.string().max(300),
});
export type Alarm = z.infer<typeof Alarm>;
