import type { Clock } from "../../src/platform/platform.ts";

/** A clock whose sleeps end when the test says. */
export function steppedClock(): Clock & { step(ms: number): void; slept(): Promise<void>; sleepers(): number } {
  let nowMs = 0;
  const sleepers = new Set<{ untilMs: number; wake: () => void }>();
  return {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    bootId: "test",
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        const end = (settle: () => void) => {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", onAbort);
          settle();
        };
        const sleeper = { untilMs: nowMs + ms, wake: () => end(resolve) };
        const onAbort = () => end(() => reject(signal!.reason as Error));
        sleepers.add(sleeper);
        signal?.addEventListener("abort", onAbort, { once: true });
        return undefined;
      }),
    step(ms) {
      nowMs += ms;
      for (const sleeper of sleepers) if (sleeper.untilMs <= nowMs) sleeper.wake();
    },
    sleepers: () => sleepers.size,
    // Whoever was woken has had its turn and sleeps again.
    slept: () => new Promise((resolve) => setImmediate(resolve)),
  };
}
