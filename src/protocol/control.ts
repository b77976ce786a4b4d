import { z } from "zod";
import { Alarm } from "./alarms.ts";
import { DeviceOrder } from "./devices.ts";
import { DiskKey } from "./disk-key.ts";
import { Health } from "./health.ts";
import { BoxId, PointId, SessionId, TakeId } from "./ids.ts";
import { ClockReading, SignedRecord } from "./records.ts";
import { BoxUpdate, HubRelease } from "./release.ts";
import { ResetOutcome } from "./reset.ts";
import { PointRole, SessionState } from "./session.ts";
import { RoomStage } from "./stage.ts";

/**
 * Messages over the control WebSocket (ALPN diemcau-http, path CONTROL_PATH), one JSON object per text frame.
 * Both sides ignore unknown fields and unknown `type`s: boxes lag behind hubs by versions. Every message may arrive
 * twice or late; each is either a full statement of fact with a revision, or idempotent by its keys.
 */
export const CONTROL_PATH = "/control";
export const CONTROL_VERSION = 1;

/** TLS application protocols of the hub's one port (RFC 7301). */
export const ALPN = { http: "diemcau-http", rtmp: "diemcau-rtmp", rsync: "diemcau-rsync" } as const;
export type EdgeProtocol = keyof typeof ALPN;
/** The name in the hub's certificate: boxes verify this and not the address, so a hub may move without re-pairing. */
export const HUB_TLS_NAME = "hub.diemcau.internal";

/** Length of a session for which nobody said another, in minutes. */
export const PLANNED_MINUTES = 240;
/** Longer than any reception; a slip of the hand must not reserve a whole disk. */
export const PLANNED_MINUTES_MAX = 24 * 60;

/** Without a user name: it would be shown, and stored, with its password. */
export const COMPANION_ADDRESS = /^https:\/\/[^\s/@?#]+(?:[/?#]\S*)?$/;

/** Another meeting system that carries a session's talk: the page that each room opens on its screen. */
export const Companion = z.looseObject({
  url: z.string().max(2_000).regex(COMPANION_ADDRESS, "must be an https address without a user name"),
  /** Of the system, as people call it. */
  name: z.string().min(1).max(80),
});
export type Companion = z.infer<typeof Companion>;

/** A session as a box needs to know it. */
export const AssignedSession = z.looseObject({
  id: SessionId,
  name: z.string(),
  state: SessionState,
  role: PointRole,
  scheduledAt: z.iso.datetime().nullable(),
  /** How long it is meant to last: boxes reserve its bytes. Hubs of before do not say; PLANNED_MINUTES then. */
  plannedMinutes: z.number().int().positive().optional(),
  /** When the session became live (first start), null before. */
  startedAt: z.iso.datetime().nullable(),
  endedAt: z.iso.datetime().nullable(),
  /** What cannot be understood costs the room its companion, and never its sessions. */
  companion: Companion.nullish().catch(null),
});
export type AssignedSession = z.infer<typeof AssignedSession>;

// ---- box → hub

export const BoxHello = z.looseObject({
  type: z.literal("hello"),
  controlVersion: z.number(),
  agentVersion: z.string(),
  bootId: z.string(),
  /** Names this run of the agent: two boxes with one identity are told by it. Boxes of before do not say. */
  life: z.string().min(1).max(64).optional(),
  /** Takes that still hold something unreceipted, so that the hub can say what it lacks. */
  takes: z.array(z.looseObject({ session: SessionId, take: TakeId, records: z.number().int() })),
  /** Takes that are at the hub and whose province receipts the box lacks: it keeps their files until it has them. */
  awaitingProvince: z.array(TakeId).optional(),
});
export const BoxRecords = z.looseObject({
  type: z.literal("records"),
  session: SessionId,
  take: TakeId,
  /** `n` of the first item; the rest follow without holes. */
  firstN: z.number().int(),
  items: z.array(SignedRecord).max(500),
});
export const BoxHealth = z.looseObject({ type: z.literal("health"), health: Health });
/** NTP-style exchange: t0 is the box's wall clock when it asked. */
export const BoxClock = z.looseObject({ type: z.literal("clock"), t0: z.number() });
/** A session that was begun in the room: by the cached schedule while the hub was away, or by hand. */
export const RoomSession = z.looseObject({
  id: SessionId,
  name: z.string().min(1).max(200),
  /** Made at the box: the hub learns of it by this message. */
  adHoc: z.boolean(),
  by: z.enum(["schedule", "hand"]),
  startedAt: ClockReading,
  /** When the room stopped recording it by itself; null while it goes on, or where the hub has taken over. */
  endedAt: ClockReading.nullable(),
  /** Begun by the hub, which was put back to an earlier state since: what it had told this box of it. */
  remembered: z.looseObject({ role: PointRole }).optional(),
});
/** All sessions begun in the room that the hub has not taken note of to their end; `at` is when this was said. */
export const BoxRoomSessions = z.looseObject({
  type: z.literal("roomSessions"),
  at: ClockReading,
  sessions: z.array(RoomSession).max(100),
});
/** Alarms raised or cleared; said again on each connection until the hub has kept them. */
export const BoxAlarms = z.looseObject({ type: z.literal("alarms"), items: z.array(Alarm).max(100) });
/** Somebody in the room asks to speak, or does not any more. */
export const BoxHand = z.looseObject({ type: z.literal("hand"), session: SessionId, raised: z.boolean() });
/** About five times a second while in a session: how loud it is at the microphone (LUFS), and whether it is speech. */
export const BoxLevels = z.looseObject({ type: z.literal("levels"), lufs: z.number().nullable(), speech: z.boolean() });
/** What became of an order to forget everything; `order` is its id. */
export const BoxResetAnswer = z.looseObject({
  type: z.literal("resetAnswer"),
  order: z.string().max(64),
  outcome: ResetOutcome,
});
/** The certificate's last year has begun: a request (PEM) with the key that it has now. */
export const BoxRenewal = z.looseObject({ type: z.literal("renew"), csrPem: z.string().max(4_096) });
/** On each connection, by boxes whose data partition is encrypted: what opens it in another PC. */
export const BoxDiskKey = z.looseObject({ type: z.literal("diskKey"), disk: DiskKey });
export const BoxMessage = z.discriminatedUnion("type", [
  BoxHello,
  BoxRecords,
  BoxHealth,
  BoxClock,
  BoxRoomSessions,
  BoxAlarms,
  BoxHand,
  BoxLevels,
  BoxResetAnswer,
  BoxRenewal,
  BoxUpdate,
  BoxDiskKey,
]);
export type BoxMessage = z.infer<typeof BoxMessage>;
export type BoxHello = z.infer<typeof BoxHello>;
export type BoxRecords = z.infer<typeof BoxRecords>;
export type BoxLevels = z.infer<typeof BoxLevels>;
export type RoomSession = z.infer<typeof RoomSession>;
export type BoxRoomSessions = z.infer<typeof BoxRoomSessions>;
export type BoxResetAnswer = z.infer<typeof BoxResetAnswer>;
export type BoxAlarms = z.infer<typeof BoxAlarms>;

// ---- hub → box

export const HubWelcome = z.looseObject({
  type: z.literal("welcome"),
  controlVersion: z.number(),
  box: BoxId,
  point: z.object({ id: PointId, name: z.string() }),
  /**
   * Another number than before: the hub was put back to an earlier state, so whatever it told and signed may be unknown
   * to it. Hubs of before do not say.
   */
  memory: z.number().int().nonnegative().optional(),
});
/** The whole truth about this box's sessions; a lower or equal revision than one already seen is ignored. */
export const HubAssignment = z.looseObject({
  type: z.literal("assignment"),
  revision: z.number().int(),
  point: z.object({ id: PointId, name: z.string() }),
  sessions: z.array(AssignedSession),
});
/** The hub holds the records of this take up to, not including, nextN: send from there. Also the acknowledgement. */
export const HubHave = z.looseObject({
  type: z.literal("have"),
  session: SessionId,
  take: TakeId,
  nextN: z.number().int().nonnegative(),
});
/** Signed receipts (`record` holds the exact bytes of a Receipt). */
export const HubReceipts = z.looseObject({ type: z.literal("receipts"), items: z.array(SignedRecord).max(500) });
/** The hub could not use what it got for this segment; the box sends the file again. */
export const HubResend = z.looseObject({
  type: z.literal("resend"),
  session: SessionId,
  take: TakeId,
  seq: z.number().int().nonnegative(),
  reason: z.string(),
});
/** t0 as asked, t1 when the hub read the question, t2 when it wrote the answer; wall clocks, ms since 1970. */
export const HubClock = z.looseObject({ type: z.literal("clock"), t0: z.number(), t1: z.number(), t2: z.number() });
/** What the hub has taken note of: the beginning of each, and where `ended` is true its end too. */
export const HubAdopted = z.looseObject({
  type: z.literal("adopted"),
  sessions: z.array(z.looseObject({ id: SessionId, ended: z.boolean() })),
});
/** These are in the hub's database: cleared ones need not be said again. */
export const HubAlarmsKept = z.looseObject({
  type: z.literal("alarmsKept"),
  items: z.array(z.looseObject({ id: z.string(), cleared: z.boolean() })),
});
/** Null: the room is in no running session. A box that loses the channel knows of no stage until the next one comes. */
export const HubStage = z.looseObject({ type: z.literal("stage"), stage: RoomStage.nullable() });
/** Names of the desk's users who see or hear this room now, in a session or not. */
export const HubWatched = z.looseObject({ type: z.literal("watched"), by: z.array(z.string()) });
/** `order` holds the exact bytes of a ResetOrder. */
export const HubReset = z.looseObject({ type: z.literal("reset"), order: SignedRecord });
/** For the key that the box has now; the former certificate holds until this one has been seen. */
export const HubRenewed = z.looseObject({ type: z.literal("renewed"), certificatePem: z.string() });
/** Said on each connection and when it changes; null: nobody has put this room's devices in order. */
export const HubDevices = z.looseObject({ type: z.literal("devices"), order: DeviceOrder.nullable() });
export const HubMessage = z.discriminatedUnion("type", [
  HubWelcome,
  HubAssignment,
  HubHave,
  HubReceipts,
  HubResend,
  HubClock,
  HubAdopted,
  HubAlarmsKept,
  HubStage,
  HubWatched,
  HubReset,
  HubRenewed,
  HubDevices,
  HubRelease,
]);
export type HubMessage = z.infer<typeof HubMessage>;
export type HubAssignment = z.infer<typeof HubAssignment>;
export type HubHave = z.infer<typeof HubHave>;
export type HubAdopted = z.infer<typeof HubAdopted>;
export type HubAlarmsKept = z.infer<typeof HubAlarmsKept>;

/** Both sides ping; a peer that has been silent for this long is taken for dead and the socket destroyed. */
export const CONTROL_PING_MS = 1_000;
export const CONTROL_SILENCE_MS = 4_000;
