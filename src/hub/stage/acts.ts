import { z } from "zod";
import {
  GAIN_DB_MIN,
  PointId,
  STAGE_TEXT_MAX,
  StageLayout,
  StageNote,
  StageRoom,
  type LayoutMode,
} from "../../protocol/protocol.ts";
import type { SessionEventDetail, SessionEventView } from "../http/views.ts";

/** What of a room on the stage is decided by people and outlives the hub's process. */
export const StageSeat = StageRoom.pick({ place: true, muted: true, gainDb: true, hand: true, message: true });
export type StageSeat = z.infer<typeof StageSeat>;
export const OPEN_SEAT: StageSeat = { place: "in", muted: null, gainDb: 0, hand: null, message: null };

/** What of a stage is kept in the database. */
export const StageCore = z.object({
  revision: z.number().int(),
  layout: StageLayout,
  seats: z.record(PointId, StageSeat),
  interruption: StageNote.nullable(),
});
export type StageCore = z.infer<typeof StageCore>;

/** Text that people typed: trimmed, one line, not empty. */
export const stageText = z
  .string()
  .trim()
  .min(1)
  .max(STAGE_TEXT_MAX)
  // eslint-disable-next-line no-control-regex -- control characters are what is refused
  .regex(/^[^\u0000-\u001f\u007f]*$/, "must be one line");

/** What the desk can do to one room: each says what shall be, so that doing it twice or out of date does no harm. */
export const StageRoomAct = z.discriminatedUnion("act", [
  z.strictObject({ act: z.literal("mute"), reason: stageText.nullable().default(null) }),
  z.strictObject({ act: z.literal("unmute") }),
  z.strictObject({ act: z.literal("callUp") }),
  z.strictObject({ act: z.literal("standBy") }),
  z.strictObject({ act: z.literal("gain"), gainDb: z.number().min(GAIN_DB_MIN).max(0) }),
  z.strictObject({ act: z.literal("lowerHand") }),
  /** Null takes it off the screen. */
  z.strictObject({ act: z.literal("message"), text: stageText.nullable() }),
]);
export type StageRoomAct = z.output<typeof StageRoomAct>;
/** And what the room itself can. */
export type SeatAct = StageRoomAct | { act: "raiseHand" };

export interface SeatChange {
  seat: StageSeat;
  kind: SessionEventView["kind"];
  detail: SessionEventDetail | undefined;
}

/** Undefined: it is so already. */
export function planSeat(seat: StageSeat, act: SeatAct, at: string, by: string | null): SeatChange | undefined {
  const to = (change: Partial<StageSeat>, kind: SeatChange["kind"], detail?: SessionEventDetail): SeatChange => ({
    seat: { ...seat, ...change },
    kind,
    detail,
  });
  switch (act.act) {
    case "mute":
      if (seat.muted && seat.muted.reason === act.reason) return undefined;
      return to({ muted: { at, reason: act.reason, by } }, "muted", words(act.reason));
    case "unmute":
      return seat.muted ? to({ muted: null }, "unmuted") : undefined;
    case "callUp":
      // Whoever is called has been heard asking.
      return seat.place === "in" ? undefined : to({ place: "in", hand: null }, "calledUp");
    case "standBy":
      return seat.place === "standby" ? undefined : to({ place: "standby" }, "sentToStandby");
    case "gain":
      if (seat.gainDb === act.gainDb) return undefined;
      return to({ gainDb: act.gainDb }, "gainChanged", { gainDb: act.gainDb });
    case "raiseHand":
      return seat.hand === null ? to({ hand: at }, "handRaised") : undefined;
    case "lowerHand":
      return seat.hand === null ? undefined : to({ hand: null }, "handLowered");
    case "message":
  }
  const { text } = act;
  if ((seat.message?.text ?? null) === text) return undefined;
  if (text === null) return to({ message: null }, "messageTaken");
  return to({ message: { text, at, by } }, "messageShown", words(text));
}

export const words = (text: string | null): SessionEventDetail | undefined => (text === null ? undefined : { text });

export interface LayoutWish {
  mode: LayoutMode;
  onScreen: PointId[];
  /** Revision of the stage that the operator saw. */
  seen: number;
}

/** Two operators never fight: who has not seen the other's layout is refused; the same wish of both is one. */
export function judgeLayout(present: StageLayout, wish: LayoutWish): "same" | "conflict" | "change" {
  if (present.mode === wish.mode && present.onScreen.join() === wish.onScreen.join()) return "same";
  return wish.seen < present.revision ? "conflict" : "change";
}
