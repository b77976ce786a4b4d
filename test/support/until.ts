import { systemClock } from "../../src/platform/platform.ts";

/**
 * Waits until `condition` gives something other than undefined or false, looking every `everyMs`. For conditions that
 * no event announces (a file, another process, a page); throws with `what` and the last error when time is up.
 */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  { withinMs = 10_000, everyMs = 25 }: { withinMs?: number; everyMs?: number } = {},
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
