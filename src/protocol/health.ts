import { z } from "zod";
import { SessionId, TakeId } from "./ids.ts";

const loadState = z.enum(["up", "down", "unknown"]);

/** Whether a session to come, or the running one, can be recorded whole on the box's disk. */
export const SessionReadiness = z.looseObject({
  session: SessionId,
  ready: z.boolean(),
  /** What it still needs, and what of that the disk does not have after all sessions with an earlier claim. */
  neededBytes: z.number(),
  missingBytes: z.number(),
});
export type SessionReadiness = z.infer<typeof SessionReadiness>;

export const BoxSpace = z.looseObject({
  /** `full`: not even the running seconds fit. `readOnly`: the disk takes nothing any more. */
  state: z.enum(["ok", "full", "readOnly"]),
  /** Held on the disk for sessions to come. */
  reservedBytes: z.number(),
  /** In the order of their claims. */
  sessions: z.array(SessionReadiness),
  /** Only where one is configured. `foreign`: of another box, nothing is written to it. `failed`: it takes no writes. */
  secondMedium: z
    .looseObject({
      state: z.enum(["ok", "absent", "foreign", "full", "failed"]),
      /** Closed and not copied yet. */
      behindSegments: z.number().int().nonnegative(),
    })
    .optional(),
});
export type BoxSpace = z.infer<typeof BoxSpace>;
/** What a box sends live, as its line allows: everything; the small picture and sound; sound alone. */
export const LiveQuality = z.enum(["full", "small", "sound"]);
export type LiveQuality = z.infer<typeof LiveQuality>;

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
  link: z.looseObject({
    control: loadState,
    live: loadState,
    sync: loadState,
    roundTripMs: z.number().nullable(),
    quality: LiveQuality.optional(),
  }),
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
  /** Boxes of before say nothing of it. */
  space: BoxSpace.optional(),
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
  | "diskFull"
  | "lineSmall"
  | "lineSound"
  | "diskLow"
  | "secondMediumLost"
  | "syncBehind";

export interface Lamps {
  picture: Lamp;
  sound: Lamp;
  link: Lamp;
  /** Worst first. */
  troubles: Trouble[];
}

/** For boxes that say nothing of their sessions: below this one of four hours at 4 Mbps (7.2 GB) does not fit. */
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
  if (health.space && health.space.state !== "ok") troubles.push("diskFull");
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
  const { space } = health;
  if (space ? space.sessions.some(({ ready }) => !ready) : health.diskFreeBytes < DISK_LOW_BYTES)
    troubles.push("diskLow");
  if (connected && health.link.quality === "small") troubles.push("lineSmall");
  if (connected && health.link.quality === "sound") troubles.push("lineSound");
  if (space?.secondMedium && space.secondMedium.state !== "ok") troubles.push("secondMediumLost");
  if (health.recording.unsyncedSegments > UNSYNCED_WARN_SEGMENTS) troubles.push("syncBehind");
  const worst = (bad: Trouble[], warn: Trouble[]): Lamp =>
    troubles.some((t) => bad.includes(t)) ? "bad" : troubles.some((t) => warn.includes(t)) ? "warn" : "ok";
  const starting: Lamp | undefined = health.encoder.state === "starting" ? "unknown" : undefined;
  return {
    picture:
      starting ??
      worst(
        ["diskFull", "encoderFailed", "cameraNone", "pictureBlack", "notRecording"],
        ["pictureFrozen", "encoderSlow"],
      ),
    sound: starting ?? worst(["diskFull", "encoderFailed", "microphoneNone", "soundSilent"], ["soundClipping"]),
    link: worst(["offline"], ["liveDown", "lineSmall", "lineSound", "syncBehind"]),
    troubles,
  };
}
