import { systemClock } from "../../src/platform/platform.ts";

/** What `work` gives, or an error that says `what` took too long; then nobody looks at `work` any more. */
export async function within<T>(what: string, limitMs: number, work: Promise<T>): Promise<T> {
  const done = new AbortController();
  const late = systemClock.sleep(limitMs, done.signal).then(() => {
    throw new Error(`${what}: not within ${limitMs} ms`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}

/**
 * Waits until `condition` gives something other than undefined or false, looking every `everyMs`. For conditions that
 * no event announces (a file, another process, a page); throws with `what` and the last error when time is up.
 */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  { withinMs = 30_000, everyMs = 25 }: { withinMs?: number; everyMs?: number } = {},
): Promise<T> {
  const endMs = systemClock.monotonicMs() + withinMs;
  let lastError: unknown;
  for (;;) {
    try {
      const result = await condition();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      lastError = error;
    }
    if (systemClock.monotonicMs() >= endMs)
      throw new Error(`${what}: not within ${withinMs} ms`, lastError === undefined ? undefined : { cause: lastError });
    await systemClock.sleep(everyMs);
  }
}

/** Lets a random time pass: nobody chooses when the mains fail. */
export const someMoment = (withinMs: number): Promise<void> => systemClock.sleep(Math.random() * withinMs);
