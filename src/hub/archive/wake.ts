import type { Clock } from "../../platform/platform.ts";

/** Lets a loop sleep until it is called or a time has passed. A call while it works is not lost. */
export interface Wake {
  now(): void;
  /** Resolves at the next call, at the first since the last wait, after ms, or when the signal aborts. */
  within(ms: number, signal: AbortSignal): Promise<void>;
}

export function createWake(clock: Clock): Wake {
  let called = false;
  let wakeUp: (() => void) | undefined;
  return {
    now() {
      called = true;
      wakeUp?.();
    },
    async within(ms, signal) {
      if (!called) {
        const slept = new AbortController();
        const either = AbortSignal.any([slept.signal, signal]);
        wakeUp = () => slept.abort();
        await clock.sleep(Math.max(0, ms), either).catch(() => {});
        wakeUp = undefined;
      }
      called = false;
    },
  };
}
