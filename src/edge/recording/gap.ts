import type { GapCause, TakeEndRecord } from "../../protocol/protocol.ts";
import { elapsedMs, type Moment } from "../moment.ts";

export interface Gap {
  cause: GapCause;
  fromUtcMs: number;
  toUtcMs: number;
  durationMs: number;
  detail: string;
}

export interface EndOfTake {
  /** End of the last frame that is in its files. */
  end: Moment;
  reason: TakeEndRecord["reason"];
  /** What the recorder knew of the end beyond the reason. */
  known: { cause: GapCause; detail: string } | undefined;
  /** Nothing of it is in any file; `end` is its first frame then. */
  isEmpty: boolean;
}

/**
 * What is missing before a take's first frame: since the end of the session's former take, or since the session's
 * start where this take is its first. Undefined where nothing is.
 */
export function gapBefore(first: Moment, former: EndOfTake | undefined, sessionStartedUtcMs: number): Gap | undefined {
  if (!former) {
    const durationMs = first.utcMs - sessionStartedUtcMs;
    if (durationMs <= 0) return undefined;
    const detail = "from the session's start to the first frame";
    return { cause: "starting", fromUtcMs: sessionStartedUtcMs, toUtcMs: first.utcMs, durationMs, detail };
  }
  const durationMs = elapsedMs(former.end, first);
  const { cause, detail } = former.known ?? causeAfter(former.reason, former.end.bootId === first.bootId);
  // Told from the new take's clock, which is the better anchored one.
  return { cause, fromUtcMs: first.utcMs - durationMs, toUtcMs: first.utcMs, durationMs, detail };
}

/** Box and hub do not agree on a moment more closely than this. */
const AGREEMENT_MS = 100;

/**
 * What is missing between the end of a session's last take and the end of the session: it ended in a pause, or while
 * the box was down. Undefined where the recording reached the end; one that was ended for no other reason did, whatever
 * the clocks say, unless its encoder had given nothing yet.
 * @param now the hub's time is known better now than it may have been then
 */
export function gapToEnd(former: EndOfTake, sessionEndedUtcMs: number, now: Moment): Gap | undefined {
  const sameBoot = former.end.bootId === now.bootId;
  const fromUtcMs = sameBoot ? now.utcMs - elapsedMs(former.end, now) : former.end.utcMs;
  const durationMs = sessionEndedUtcMs - fromUtcMs;
  const reachedTheEnd = former.reason === "sessionEnded" && !former.isEmpty;
  if (reachedTheEnd || durationMs <= AGREEMENT_MS) return undefined;
  const { cause, detail } = former.known ?? (former.isEmpty ? NOTHING_YET : causeAfter(former.reason, sameBoot));
  return { cause, fromUtcMs, toUtcMs: sessionEndedUtcMs, durationMs, detail };
}

const NOTHING_YET = { cause: "encoderStalled", detail: "the encoder had given nothing when it was ended" } as const;

/** A session of which there was nothing to record from beginning to end: its source was never there. */
export const gapOfAll = (startedUtcMs: number, endedUtcMs: number): Gap => ({
  ...{ cause: "deviceLost", fromUtcMs: startedUtcMs, toUtcMs: endedUtcMs },
  durationMs: Math.max(0, endedUtcMs - startedUtcMs),
  detail: "there was never anything to record",
});

function causeAfter(reason: TakeEndRecord["reason"], sameBoot: boolean): { cause: GapCause; detail: string } {
  switch (reason) {
    case "paused":
      return { cause: "paused", detail: "the session was paused" };
    case "encoderDied":
      return { cause: "encoderDied", detail: "the encoder ended by itself" };
    case "encoderStalled":
      return { cause: "encoderStalled", detail: "the encoder stood still and was replaced" };
    case "agentStopped":
      return { cause: "agentDied", detail: "the agent was stopped" };
    case "recovered":
      return sameBoot
        ? { cause: "agentDied", detail: "agent and encoder were killed" }
        : { cause: "powerLost", detail: "the box was started again" };
    case "sessionEnded":
  }
  return { cause: "unknown", detail: "the recording was ended, and the session went on" };
}
