import { z } from "zod";
import { BoxId } from "./ids.ts";
import { SignedRecord } from "./records.ts";

/**
 * A factory reset: the box forgets its hub, its identity and its recordings. Ordered by the hub alone, for one box and a
 * limited time, signed like a receipt (protocol/records); carried over the control channel, or to a box that cannot reach its
 * hub, on a stick.
 */
export const RESET_FILE = "diem-cau-dat-lai.json";
/** Of an order over the channel: it is carried out at once or not at all. */
export const RESET_COMMAND_MS = 5 * 60_000;
/** Of a stick: time to drive to the room. */
export const RESET_STICK_MS = 7 * 86_400_000;

/** Recorded at the box and not yet at the hub. */
export const Unsynced = z.object({ segments: z.number().int().nonnegative(), bytes: z.number().nonnegative() });
export type Unsynced = z.infer<typeof Unsynced>;

export const ResetOrder = z.looseObject({
  v: z.literal(1),
  kind: z.literal("reset"),
  id: z.string().regex(/^[0-9a-f]{20}$/),
  box: BoxId,
  issuedAt: z.iso.datetime(),
  until: z.iso.datetime(),
  /** The administrator, by name. */
  by: z.string(),
  /** At most this may be lost with the box; null: nothing. */
  acceptLoss: Unsynced.nullable(),
});
export type ResetOrder = z.infer<typeof ResetOrder>;

/** Content of RESET_FILE. */
export const ResetFile = z.looseObject({ reset: SignedRecord });

export const RESET_REFUSALS = [
  /** The stick's file or the order is not what it should be. */
  "unreadable",
  /** Never paired: nothing to check a signature with, and nothing to forget. */
  "notPaired",
  "signature",
  "wrongBox",
  /** Not yet, or not any more, by the hub's time. */
  "outOfTime",
  "recording",
  "unsynced",
] as const;
export type ResetRefusal = (typeof RESET_REFUSALS)[number];

export const ResetOutcome = z.discriminatedUnion("state", [
  /** The box forgets everything as soon as this is said. */
  z.looseObject({ state: z.literal("done") }),
  z.looseObject({ state: z.literal("refused"), reason: z.enum(RESET_REFUSALS), unsynced: Unsynced }),
]);
export type ResetOutcome = z.infer<typeof ResetOutcome>;
