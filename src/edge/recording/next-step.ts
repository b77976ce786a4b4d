import type { BoxId, SessionId, TakeEndRecord } from "../../protocol/protocol.ts";
import type { RunTrouble } from "../capture/capture.ts";

/** What should be happening. Compared by identity: the same wish is the same object. */
export interface Wish {
  /** Null: preview only. */
  readonly session: SessionId | null;
  readonly box: BoxId | null;
}

/** `mediumFailed`: what the encoder writes does not reach its disk, and another one is there. */
export type Trouble = RunTrouble | { kind: "mediumFailed" };

export interface Situation {
  wish: Wish;
  /** Why the last session was left. */
  why: "sessionEnded" | "paused";
  run: { wish: Wish; records: boolean; trouble: Trouble | undefined; betterSource: boolean } | undefined;
}

export type Step =
  | { kind: "start" }
  | { kind: "goOn" }
  | {
      kind: "end";
      reason: TakeEndRecord["reason"];
      trouble: Trouble | undefined;
      /** The encoder let us down: start again, but not without end at full speed. */
      failed: boolean;
      /** A missing device is there again: the take ends for its sake. */
      deviceBack?: true;
    };

/** What to do next with the encoder; every end is followed by a start. */
export function nextStep({ wish, why, run }: Situation): Step {
  if (!run) return { kind: "start" };
  if (run.trouble) {
    const reason = run.trouble.kind === "stalled" ? "encoderStalled" : "encoderDied";
    // Asked to stop and died meanwhile: the reason is the wish.
    if (run.wish !== wish && run.trouble.kind !== "stalled")
      return { kind: "end", reason: why, trouble: run.trouble, failed: false };
    const failed = run.trouble.kind === "exited" || run.trouble.kind === "stalled";
    return { kind: "end", reason, trouble: run.trouble, failed };
  }
  if (run.wish !== wish) return { kind: "end", reason: why, trouble: undefined, failed: false };
  // A missing device has come back: a new take with it.
  if (run.betterSource)
    return { kind: "end", reason: "encoderDied", trouble: undefined, failed: false, deviceBack: true };
  return { kind: "goOn" };
}
