import { z } from "zod";
import { BoxId, PointId, SessionId, TakeId } from "./ids.ts";

/**
 * Evidence records. A take is a chain of records, each signed by the box over its exact bytes (one line of JSON,
 * UTF-8, no line feed). `prev` is the SHA-256 of the previous record's bytes; the first record of a take points at
 * the last record that the box ever made in the same track (or at GENESIS), so takes cannot be dropped or put in another
 * order unseen.
 *
 * Parsed loosely: a hub reads records of older and newer boxes. The bytes, not the parsed form, are the evidence.
 */
export const GENESIS = "0".repeat(64);
export const Sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits");

/** When something happened, in the three clocks that a box has. */
export const ClockReading = z.object({
  /** UTC, ISO 8601 with milliseconds: the box's wall clock plus hubOffsetMs where that is known. */
  utc: z.iso.datetime({ precision: 3 }),
  /** Milliseconds of CLOCK_MONOTONIC since boot. */
  monotonicMs: z.number(),
  /** /proc/sys/kernel/random/boot_id: monotonic times compare only within one boot. */
  bootId: z.string(),
  /** Hub clock minus box clock, measured over the control channel; null before the first measurement. */
  hubOffsetMs: z.number().nullable(),
  /** Half the round trip of that measurement: the bound of its error. */
  hubOffsetErrorMs: z.number().nullable(),
});
export type ClockReading = z.infer<typeof ClockReading>;

export const GapCause = z.enum([
  /** From the session's start until the encoder's first frame. */
  "starting",
  /** The session was paused on purpose. */
  "paused",
  "encoderDied",
  "encoderStalled",
  "agentDied",
  "powerLost",
  "deviceLost",
  /** A better camera or microphone was there again, and a new take began with it. */
  "deviceChanged",
  /** The disk that was recorded to took no more, and the recording went on on another one. */
  "mediumFailed",
  /** A finished segment could not be read back as it was written. */
  "segmentDamaged",
  /** Within a take: the camera or the encoder left frames out. The sound of that time is there, if it was not lost too. */
  "framesMissing",
  "unknown",
]);
export type GapCause = z.infer<typeof GapCause>;

/**
 * What a take shows: the room's own camera and microphone, or what its screen showed and played while another meeting
 * system carried the talk. Each track of a box is a chain of takes of its own; both may be recorded at the same time.
 */
export const TRACKS = ["room", "screen"] as const;
export type Track = (typeof TRACKS)[number];

const recordBase = {
  v: z.literal(1),
  box: BoxId,
  point: PointId,
  session: SessionId,
  take: TakeId,
  /** 0-based position of the record in its take. */
  n: z.number().int().nonnegative(),
  prev: Sha256Hex,
  /** When the record was made. */
  at: ClockReading,
};

export const TakeStartRecord = z.looseObject({
  ...recordBase,
  kind: z.literal("takeStart"),
  /** Boxes of before record the room alone, and do not say so. */
  track: z.enum(TRACKS).default("room"),
  agentVersion: z.string(),
  video: z.looseObject({ codec: z.string(), width: z.number(), height: z.number(), frameRate: z.number() }).nullable(),
  audio: z.looseObject({ codec: z.string(), sampleRate: z.number(), channels: z.number() }).nullable(),
  /** Device names or file the take was captured from, in words. */
  source: z.string(),
});

export const SegmentRecord = z.looseObject({
  ...recordBase,
  kind: z.literal("segment"),
  seq: z.number().int().nonnegative(),
  sizeBytes: z.number().int().positive(),
  sha256: Sha256Hex,
  /** Video frames counted in the file itself after it was closed. */
  frames: z.number().int().nonnegative(),
  /** Media time within the take. */
  streamStartMs: z.number(),
  streamEndMs: z.number(),
  /** Capture time of the first frame. */
  startedAt: ClockReading,
});

export const GapRecord = z.looseObject({
  ...recordBase,
  kind: z.literal("gap"),
  cause: GapCause,
  from: z.iso.datetime({ precision: 3 }),
  to: z.iso.datetime({ precision: 3 }),
  durationMs: z.number().nonnegative(),
  detail: z.string(),
  /** With segmentDamaged: which one. Its record stays, its time counts as missing. */
  segment: z.object({ take: TakeId, seq: z.number().int().nonnegative() }).optional(),
});

export const TakeEndRecord = z.looseObject({
  ...recordBase,
  kind: z.literal("takeEnd"),
  reason: z.enum(["sessionEnded", "paused", "encoderDied", "encoderStalled", "agentStopped", "recovered"]),
  /** Number of segment records in the take; seq runs from 0 to segments - 1. */
  segments: z.number().int().nonnegative(),
  frames: z.number().int().nonnegative(),
});

export const EvidenceRecord = z.discriminatedUnion("kind", [TakeStartRecord, SegmentRecord, GapRecord, TakeEndRecord]);
export type TakeStartRecord = z.infer<typeof TakeStartRecord>;
export type SegmentRecord = z.infer<typeof SegmentRecord>;
export type GapRecord = z.infer<typeof GapRecord>;
export type TakeEndRecord = z.infer<typeof TakeEndRecord>;
export type EvidenceRecord = z.infer<typeof EvidenceRecord>;

/** A record as it is stored and sent: exact bytes and an ECDSA P-256 / SHA-256 signature (DER, base64) over them. */
export const SignedRecord = z.object({ record: z.string(), signature: z.base64() });
export type SignedRecord = z.infer<typeof SignedRecord>;

/** A store's word that it holds verified bytes. Signed by the hub in the same way as records are by the box. */
export const Receipt = z.looseObject({
  v: z.literal(1),
  kind: z.literal("receipt"),
  /** `hub` or `province`. */
  store: z.enum(["hub", "province"]),
  session: SessionId,
  take: TakeId,
  seq: z.number().int().nonnegative(),
  sha256: Sha256Hex,
  sizeBytes: z.number().int().positive(),
  at: z.iso.datetime({ precision: 3 }),
});
export type Receipt = z.infer<typeof Receipt>;

/** The hub's word that a room's box is lost with what it had not yet sent: an administrator has said so. */
export const LostStatement = z.looseObject({
  v: z.literal(1),
  kind: z.literal("boxLost"),
  session: SessionId,
  point: PointId,
  boxes: z.array(BoxId),
  declaredBy: z.string(),
  at: z.iso.datetime({ precision: 3 }),
});
export type LostStatement = z.infer<typeof LostStatement>;

/**
 * The hub's word about a piece of the live stream as it received it, put where a lost box's recording is missing. It is
 * no recording of the box: live quality, the hub's clock, and the hub's signature alone.
 */
export const HubCopyStatement = z.looseObject({
  v: z.literal(1),
  kind: z.literal("hubCopy"),
  session: SessionId,
  point: PointId,
  box: BoxId,
  n: z.number().int().nonnegative(),
  /** Arrival of its first frame at the hub. */
  startedAt: z.iso.datetime({ precision: 3 }),
  durationMs: z.number(),
  sizeBytes: z.number().int().positive(),
  sha256: Sha256Hex,
  picture: z.enum(["large", "small", "none"]),
  sound: z.boolean(),
  at: z.iso.datetime({ precision: 3 }),
});
export type HubCopyStatement = z.infer<typeof HubCopyStatement>;
