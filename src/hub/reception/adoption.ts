import { isoUtc } from "../../platform/platform.ts";
import type { ClockReading, SessionState } from "../../protocol/protocol.ts";

/**
 * A moment of the box in the hub's time. Within one boot of the box its monotonic clock tells how long ago it was, so
 * that a wrong wall clock does not matter; the message's way here is the error.
 */
export function momentAtHub(moment: ClockReading, said: ClockReading, heardMs: number): string {
  if (moment.bootId !== said.bootId) return isoUtc(Date.parse(moment.utc));
  return isoUtc(heardMs - Math.max(0, said.monotonicMs - moment.monotonicMs));
}

export interface AdoptionFacts {
  startedAt: string;
  /** Null while the room still records it. */
  endedAt: string | null;
  known: { state: SessionState; adHoc: boolean; endedAt: string | null; member: boolean } | undefined;
  /** It is the hub's own, which has forgotten it, or how far it had come. */
  remembered: boolean;
  /** Made again by the word of another room, since the hub was put back: who was told of it may come in. */
  open: boolean;
  /** What was noted last of this room in this session. */
  noted: "startedByRoom" | "endedByRoom" | undefined;
  /** Another running session holds one of its points. */
  busy: boolean;
}

interface Event {
  kind: "started" | "ended" | "startedByRoom" | "endedByRoom" | "rememberedByRoom";
  at: string;
  ofPoint: boolean;
}

export type Adoption =
  | { kind: "refuse" }
  | {
      kind: "adopt";
      /** As a draft, ad hoc; `set` then moves it on. */
      create: boolean;
      /** The room is not among its points yet. */
      join: boolean;
      set: { state: SessionState; startedAt?: string; endedAt?: string } | undefined;
      events: Event[];
    };

/** A room that stopped this shortly before the hub's own end stopped because of it. */
const SAME_END_MS = 2_000;

/**
 * What a room's word means for the hub's session, in whatever order things happened:
 * - not known: an ad hoc session, live or ended as the room has it;
 * - draft: live while the room records it, unless another session holds its points; what the room has ended by itself
 *   stays a draft that can still be begun, with the recording and the events to show for it;
 * - begun, paused or ended by the hub meanwhile: only noted. An ad hoc session that the room ends is ended;
 * - the hub's own, which it has forgotten: as far as it had come, by the word of any of its rooms.
 */
export function planAdoption(facts: AdoptionFacts): Adoption {
  const { startedAt, endedAt, known, remembered, noted, busy } = facts;
  const join = !known?.member;
  if (known && join && !(remembered && facts.open)) return { kind: "refuse" };
  const adoption: Adoption & { kind: "adopt" } = { kind: "adopt", create: !known, join, set: undefined, events: [] };
  const note = (kind: Event["kind"], at: string) =>
    adoption.events.push({ kind, at, ofPoint: kind !== "started" && kind !== "ended" });
  const state = known?.state ?? "draft";
  const adHoc = known?.adHoc ?? true;
  const mayEnd = adHoc || remembered;
  // What is over holds no points.
  const begins = state === "draft" && (endedAt === null ? !busy : mayEnd);
  const ends = endedAt !== null && state !== "ended" && mayEnd;
  if (remembered) {
    if (join || begins || ends) note("rememberedByRoom", startedAt);
  } else if (noted !== "startedByRoom" && !(noted === "endedByRoom" && endedAt !== null))
    note("startedByRoom", startedAt);
  if (begins) {
    adoption.set = { state: "live", startedAt };
    note("started", startedAt);
  }
  if (endedAt === null || noted === "endedByRoom") return adoption;
  const byHub = state === "ended" && Date.parse(endedAt) > Date.parse(known?.endedAt ?? endedAt) - SAME_END_MS;
  if (!byHub && !remembered) note("endedByRoom", endedAt);
  if (ends) {
    adoption.set = { ...adoption.set, state: "ended", endedAt };
    note("ended", endedAt);
  }
  return adoption;
}
