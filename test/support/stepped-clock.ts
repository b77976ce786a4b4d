import type { Clock } from "../../src/platform/platform.ts";

/** A clock whose sleeps end when the test says. */
export function steppedClock(): Clock & { step(ms: number): void; slept(): Promise<void> } {
  let nowMs = 0;
  const sleepers = new Set<{ untilMs: number; wake: () => void }>();
  return {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    bootId: "test",
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = { untilMs: nowMs + ms, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener(
          "abort",
          () => {
            sleepers.delete(sleeper);
            reject(signal.reason as Error);
          },
          { once: true },
        );
      }),
    step(ms) {
      nowMs += ms;
      for (const sleeper of sleepers)
        if (sleeper.untilMs <= nowMs) {
          sleepers.delete(sleeper);
          sleeper.wake();
        }
    },
    // Whoever was woken has had its turn and sleeps again.
    slept: () => new Promise((resolve) => setImmediate(resolve)),
  };
}
