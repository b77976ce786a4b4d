import type { BoxUpdate } from "../../protocol/protocol.ts";
import type { Tried } from "./kept.ts";
import type { UpdateStep } from "./plan.ts";

/** What a box says of the release that it is busy with. */
export type Said = Pick<BoxUpdate, "state" | "release" | "percent" | "reason" | "detail">;

export interface UpdateFacts {
  running: string;
  /** The running release is the one that is tried, and the gate has not spoken. */
  onTrial: boolean;
  installing: boolean;
  /** What the hub named and this box will not have. */
  refused: Said | undefined;
  offer: { release: NonNullable<BoxUpdate["release"]>; percent: number } | null;
  step: UpdateStep;
  tried: Tried | null;
}

/** Pure. What goes on now comes before what became of the last one. */
export function sayUpdate({ running, onTrial, installing, refused, offer, step, tried }: UpdateFacts): Said {
  const about = tried && { id: tried.id, version: tried.version, attempt: tried.attempt };
  const nothing = { reason: null, detail: "" };
  if (onTrial) return { ...nothing, state: "trial", release: about, percent: 100 };
  if (refused) return refused;
  const waits = step.do === "wait" ? step.because : null;
  if (offer) {
    const isInstalled = tried?.phase === "installed" && tried.id === offer.release.id;
    const goesOn = waits === null ? "downloading" : "waiting";
    return {
      ...offer,
      state: installing ? "installing" : isInstalled ? "installed" : goesOn,
      reason: waits,
      detail: "",
    };
  }
  if (!tried) return { ...nothing, state: "current", release: null, percent: 0 };
  const { phase, reason, detail } = tried;
  if (phase === "installed") return { state: "installed", release: about, percent: 100, reason: "held", detail };
  if (phase === "done")
    return { ...nothing, state: tried.version === running ? "healthy" : "current", release: about, percent: 100 };
  return { state: phase === "failed" ? "fellBack" : "refused", release: about, percent: 0, reason, detail };
}
