import { z } from "zod";
import { SessionId, TakeId } from "./ids.ts";

const loadState = z.enum(["up", "down", "unknown"]);

/** What a box says of itself every 10 s, and at once when a lamp changes. Loose: older boxes say less. */
export const Health = z.looseObject({
  agentVersion: z.string(),
  bootId: z.string(),
  uptimeS: z.number(),
  cpuPercent: z.number(),
  memoryUsedBytes: z.number(),
  memoryTotalBytes: z.number(),
  diskFreeBytes: z.number(),
  diskTotalBytes: z.number(),
  temperatureC: z.number().nullable(),
  encoder: z.looseObject({
    state: z.enum(["starting", "preview", "recording", "failed"]),
    fps: z.number(),
    /** Counted over the current run of the encoder. */
    frames: z.number(),
    droppedFrames: z.number(),
    duplicatedFrames: z.number(),
    /** Media seconds per second; below 1 the machine does not keep up. */
    speed: z.number(),
  }),
  /** Measured on the picture and sound that are being recorded; "none" where there is no device. */
  picture: z.enum(["ok", "black", "frozen", "none"]),
  sound: z.looseObject({
    state: z.enum(["ok", "silent", "clipping", "none"]),
    /** Momentary loudness, EBU R128, LUFS. */
    levelLufs: z.number().nullable(),
    /** Speech heard within the last 30 s. */
    speech: z.boolean(),
  }),
  link: z.looseObject({ control: loadState, live: loadState, sync: loadState, roundTripMs: z.number().nullable() }),
  recording: z.looseObject({
    session: SessionId.nullable(),
    take: TakeId.nullable(),
    /** Seconds of the session recorded so far, over all its takes. */
    seconds: z.number(),
    /** True while the file on disk grows: the only ground for showing the recording sign. */
    growing: z.boolean(),
    unsyncedSegments: z.number(),
    unsyncedBytes: z.number(),
  }),
  source: z.string(),
});
export type Health = z.infer<typeof Health>;

export type Lamp = "ok" | "warn" | "bad" | "unknown";

/** One cause, one code; the screens hold the repair in words for each. */
export type Trouble =
  | "offline"
  | "encoderFailed"
  | "encoderSlow"
  | "cameraNone"
  | "pictureBlack"
  | "pictureFrozen"
  | "microphoneNone"
  | "soundSilent"
  | "soundClipping"
  | "notRecording"
  | "liveDown"
  | "diskLow"
  | "syncBehind";

export interface Lamps {
  picture: Lamp;
  sound: Lamp;
  link: Lamp;
  /** Worst first. */
  troubles: Trouble[];
}

/** Below this an ordinary session of four hours at 4 Mbps (7.2 GB) does not fit. */
const DISK_LOW_BYTES = 8e9;
const UNSYNCED_WARN_SEGMENTS = 30;

/**
 * The three lamps of a room (Hình, Tiếng, Đường truyền) and what is wrong, from its last health report.
 * Pure, so that the room's TV and the hub's wall can never disagree.
 */
export function lampsOf(health: Health | undefined, connected: boolean, mustRecord: boolean): Lamps {
  const troubles: Trouble[] = [];
  if (!connected) troubles.push("offline");
  if (!health) return { picture: "unknown", sound: "unknown", link: connected ? "ok" : "bad", troubles };
  if (health.encoder.state === "failed") troubles.push("encoderFailed");
  if (mustRecord && connected && !health.recording.growing) troubles.push("notRecording");
  if (health.picture === "none") troubles.push("cameraNone");
  if (health.picture === "black") troubles.push("pictureBlack");
  if (health.picture === "frozen") troubles.push("pictureFrozen");
  if (health.sound.state === "none") troubles.push("microphoneNone");
  if (health.sound.state === "silent") troubles.push("soundSilent");
  if (health.sound.state === "clipping") troubles.push("soundClipping");
  if (health.encoder.state !== "starting" && health.encoder.speed > 0 && health.encoder.speed < 0.97)
    troubles.push("encoderSlow");
  if (connected && health.link.live === "down") troubles.push("liveDown");
  if (health.diskFreeBytes < DISK_LOW_BYTES) troubles.push("diskLow");
  if (health.recording.unsyncedSegments > UNSYNCED_WARN_SEGMENTS) troubles.push("syncBehind");
  const worst = (bad: Trouble[], warn: Trouble[]): Lamp =>
    troubles.some((t) => bad.includes(t)) ? "bad" : troubles.some((t) => warn.includes(t)) ? "warn" : "ok";
  const starting: Lamp | undefined = health.encoder.state === "starting" ? "unknown" : undefined;
  return {
    picture:
      starting ??
      worst(["encoderFailed", "cameraNone", "pictureBlack", "notRecording"], ["pictureFrozen", "encoderSlow"]),
    sound: starting ?? worst(["encoderFailed", "microphoneNone", "soundSilent"], ["soundClipping"]),
    link: worst(["offline"], ["liveDown", "syncBehind"]),
    troubles,
  };
}
