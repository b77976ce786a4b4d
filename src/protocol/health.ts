import { z } from "zod";
import { ALARM_CAUSES, type AlarmCause, type HubAlarmCause } from "./alarms.ts";
import { RoomDevices } from "./devices.ts";
import { SessionId, TakeId } from "./ids.ts";
import { SoundTest } from "./sound.ts";

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
/** One of the box's disks, by its own word. */
export const DiskFacts = z.looseObject({
  /** As the kernel calls it. */
  name: z.string(),
  model: z.string(),
  /** `worn`: to be replaced at the next visit. `failing`: now. */
  state: z.enum(["ok", "worn", "failing"]),
  /** Of its life; it may be more than 100. */
  usedPercent: z.number().nullable(),
  facts: z.string(),
});
export type DiskFacts = z.infer<typeof DiskFacts>;

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
    /** What makes the record, and why that. */
    by: z.looseObject({ kind: z.enum(["software", "vaapi"]).catch("software"), why: z.string() }).optional(),
  }),
  /**
   * While recording measured in the file that is being written, otherwise at the device; "none" where there is no
   * device, "unknown" while nothing is measured.
   */
  picture: z.enum(["ok", "black", "dark", "frozen", "none", "unknown"]),
  sound: z.looseObject({
    state: z.enum(["ok", "silent", "clipping", "hum", "none", "unknown"]),
    /** Momentary loudness, EBU R128, LUFS. */
    levelLufs: z.number().nullable(),
    /** Speech heard within the last 30 s. */
    speech: z.boolean(),
  }),
  /** Of the live sound: `open` where the other rooms may hear themselves. Absent where no microphone is sent. */
  echo: z.enum(["cancelled", "open"]).optional(),
  /** The last one in this boot, with the microphone that is in use now; a newer box's that is not understood is none. */
  soundTest: SoundTest.optional().catch(undefined),
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
  /** Cameras and microphones; absent where they are not chosen from what is plugged in. */
  devices: RoomDevices.optional(),
  /** Those that say something of themselves; absent from boxes that do not ask. */
  disks: z.array(DiskFacts).max(50).optional(),
  /** The battery of the box's clock is empty. Absent where there is no such clock. */
  batteryEmpty: z.boolean().optional(),
  /** Boxes of before say nothing of it. */
  space: BoxSpace.optional(),
  /** What the file says that is being written; null while none is, absent from boxes that do not look into it. */
  file: z
    .looseObject({
      checked: z.boolean(),
      /** Speech was measured in this take: before that, no lamp of sound is green. */
      speech: z.boolean(),
      /** EBU R128, integrated over what was checked of the take, LUFS. */
      loudnessLufs: z.number().nullable(),
      /** Sound against picture at the end of the file; positive: sound is ahead. */
      avOffsetMs: z.number().nullable(),
      /** Frames per second of media. */
      frameRate: z.number().nullable(),
    })
    .nullish(),
  /** Alarms that stand now, by the box's own judgement; absent from boxes that raise none. */
  alarms: z.array(z.looseObject({ cause: z.string(), since: z.iso.datetime({ precision: 3 }) })).optional(),
});
export type Health = z.infer<typeof Health>;

export type Lamp = "ok" | "warn" | "bad" | "unknown";

/** One cause, one code; the screens hold the repair in words for each. */
export type Trouble =
  | AlarmCause
  | HubAlarmCause
  | "offline"
  /** Seen at the hub only: it cannot read the box's certificate, and refuses it. */
  | "identityDamaged"
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
  const alarms = health.alarms?.map(({ cause }) => cause);
  troubles.push(...(alarms ? ALARM_CAUSES.filter((cause) => alarms.includes(cause)) : seenAtOnce(health, mustRecord)));
  if (connected && health.link.live === "down") troubles.push("liveDown");
  const { space } = health;
  if (space ? space.sessions.some(({ ready }) => !ready) : health.diskFreeBytes < DISK_LOW_BYTES)
    troubles.push("diskLow");
  if (connected && health.link.quality === "small") troubles.push("lineSmall");
  if (connected && health.link.quality === "sound") troubles.push("lineSound");
  if (space?.secondMedium && space.secondMedium.state !== "ok") troubles.push("secondMediumLost");
  if (health.recording.unsyncedSegments > UNSYNCED_WARN_SEGMENTS) troubles.push("syncBehind");
  const worst = (bad: Trouble[], warn: Trouble[], known: boolean): Lamp =>
    troubles.some((t) => bad.includes(t))
      ? "bad"
      : !known
        ? "unknown"
        : troubles.some((t) => warn.includes(t))
          ? "warn"
          : "ok";
  const started = health.encoder.state !== "starting";
  const checked = health.file?.checked ?? true;
  return {
    picture: worst(
      ["diskFull", "encoderFailed", "cameraNone", "pictureBlack", "notRecording"],
      ["cameraSpare", "pictureDark", "pictureFrozen", "encoderSlow", "frameRateLow"],
      started && checked && health.picture !== "unknown",
    ),
    sound: worst(
      ["diskFull", "encoderFailed", "microphoneNone", "soundSilent"],
      ["microphoneSpare", "soundClipping", "soundHum", "soundNoSpeech", "avOffset", "echoOpen"],
      started && checked && health.sound.state !== "unknown" && (health.file?.speech ?? true),
    ),
    link: worst(["offline"], ["liveDown", "lineSmall", "lineSound", "syncBehind", "screenNotRecording"], true),
    troubles,
  };
}

/** A room as the hub sees it. */
export interface RoomSeen {
  connected: boolean;
  /** Its last report. */
  health: Health | null;
  /** What only the hub sees. */
  alarms: readonly { cause: HubAlarmCause }[];
  /** The hub cannot read its box's certificate, and refuses it. */
  identityDamaged?: boolean;
}

/** As lampsOf, of a room that the hub looks at. */
export function lampsOfRoom({ connected, health, alarms, identityDamaged }: RoomSeen, mustRecord: boolean): Lamps {
  // An old report says nothing about a room that is away.
  const lamps = lampsOf(connected ? (health ?? undefined) : undefined, connected, mustRecord);
  // Why it is away; nothing that is done in the room helps.
  if (identityDamaged) return { ...lamps, troubles: ["identityDamaged"] };
  if (alarms.length === 0) return lamps;
  // What the hub sees of the line is worse than what the box says of itself: its word may be another box's.
  const link = lamps.link === "ok" ? "warn" : lamps.link;
  return { ...lamps, link, troubles: [...alarms.map(({ cause }) => cause), ...lamps.troubles] };
}

/** For boxes that raise no alarms themselves. */
function seenAtOnce(health: Health, mustRecord: boolean): Trouble[] {
  const { encoder, picture, sound, recording } = health;
  const found: [boolean, Trouble][] = [
    [encoder.state === "failed", "encoderFailed"],
    [mustRecord && !recording.growing, "notRecording"],
    [picture === "none", "cameraNone"],
    [picture === "black", "pictureBlack"],
    [picture === "frozen", "pictureFrozen"],
    [sound.state === "none", "microphoneNone"],
    [sound.state === "silent", "soundSilent"],
    [sound.state === "clipping", "soundClipping"],
    [encoder.state !== "starting" && encoder.speed > 0 && encoder.speed < 0.97, "encoderSlow"],
  ];
  return found.flatMap(([is, trouble]) => (is ? [trouble] : []));
}
