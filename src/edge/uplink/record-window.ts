import { backoffMs } from "../../platform/platform.ts";
import type { TakeId } from "../../protocol/protocol.ts";

/** A take as far as its records are concerned. */
export interface RecordedTake {
  take: TakeId;
  /** Records written so far; n runs from 0 to records - 1. */
  records: number;
}

export interface RecordBatch {
  take: TakeId;
  firstN: number;
  count: number;
}

interface Window {
  /** The hub holds all below; undefined: it has not said yet. */
  have: number | undefined;
  inFlight: { endN: number; sentMs: number } | undefined;
  refusals: number;
  holdUntilMs: number;
}

/** About 60 kB: on a line of 256 kbit/s two seconds, so that pings still pass within CONTROL_SILENCE_MS. */
export const BATCH_RECORDS = 100;
const ANSWER_WITHIN_MS = 15_000;
/** A hub that does not say what it has is sent everything: what it gets twice it ignores. */
const HAVE_WITHIN_MS = 5_000;
const REFUSED_MS = { baseMs: 1_000, capMs: 60_000 };

/**
 * Which records go next, per connection. Pure. One batch of a take is under way at a time, and `have` is its
 * acknowledgement; so records arrive in order, without holes, and a hub that stumbles is not flooded.
 */
export class RecordWindow {
  private readonly windows = new Map<TakeId, Window>();
  private openedMs = 0;

  /** A new connection: what was under way may be lost, and only the hub knows what it holds of the takes in `asked`. */
  open(asked: readonly TakeId[], nowMs: number): void {
    this.windows.clear();
    this.openedMs = nowMs;
    for (const take of asked) this.window(take);
  }

  /** @returns whether the hub took less than it was sent */
  have(take: TakeId, nextN: number, nowMs: number): "taken" | "refused" {
    const window = this.window(take);
    const expected = window.inFlight?.endN;
    const advanced = nextN > (window.have ?? -1);
    window.have = nextN;
    window.inFlight = undefined;
    if (expected === undefined || nextN >= expected) {
      window.refusals = 0;
      window.holdUntilMs = 0;
      return "taken";
    }
    window.refusals = advanced ? 1 : window.refusals + 1;
    window.holdUntilMs = nowMs + backoffMs(window.refusals, REFUSED_MS.baseMs, REFUSED_MS.capMs);
    return "refused";
  }

  /** The batches to send now; they count as sent. */
  next(takes: readonly RecordedTake[], nowMs: number): RecordBatch[] {
    const batches: RecordBatch[] = [];
    for (const { take, records } of takes) {
      const window = this.window(take);
      if (window.have === undefined && nowMs - this.openedMs < HAVE_WITHIN_MS) continue;
      if (window.inFlight && nowMs - window.inFlight.sentMs < ANSWER_WITHIN_MS) continue;
      const firstN = window.have ?? 0;
      if (firstN >= records || nowMs < window.holdUntilMs) continue;
      const count = Math.min(BATCH_RECORDS, records - firstN);
      window.inFlight = { endN: firstN + count, sentMs: nowMs };
      batches.push({ take, firstN, count });
    }
    return batches;
  }

  /** A take that the hub was not asked about (it began later): starts from what the hub last said, or from 0. */
  assume(take: TakeId, have: number): void {
    if (!this.windows.has(take)) this.window(take).have = have;
  }

  private window(take: TakeId): Window {
    let window = this.windows.get(take);
    if (!window) {
      window = { have: undefined, inFlight: undefined, refusals: 0, holdUntilMs: 0 };
      this.windows.set(take, window);
    }
    return window;
  }
}
