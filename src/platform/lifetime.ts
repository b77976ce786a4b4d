import type { Clock } from "./clock.ts";
import { causeOf, type Log } from "./log.ts";

/**
 * Delay before try number `failures` (1 = after the first failure): doubles from base to cap, with a tenth of jitter
 * so that a province of boxes does not come back in one instant.
 */
export function backoffMs(failures: number, baseMs: number, capMs: number, random: () => number = Math.random): number {
  const full = Math.min(capMs, baseMs * 2 ** Math.max(0, Math.min(failures - 1, 30)));
  return full * (0.9 + 0.1 * random());
}

export interface RetryOptions {
  name: string;
  clock: Clock;
  log: Log;
  baseMs: number;
  capMs: number;
  /** A run that lasted this long counts as a success: the next failure starts from baseMs again. */
  healthyAfterMs?: number;
}

/**
 * `run` around `runOnce`: calls it again for ever, with backoff after a throw, until the signal aborts. The only
 * place where a long-lived thing's failure is caught.
 */
export async function runForever(
  options: RetryOptions,
  signal: AbortSignal,
  runOnce: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { clock, log } = options;
  let failures = 0;
  while (!signal.aborted) {
    const startedMs = clock.monotonicMs();
    try {
      await runOnce(signal);
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (clock.monotonicMs() - startedMs >= (options.healthyAfterMs ?? 30_000)) failures = 0;
      failures++;
      log.warn(`${options.name}.failed`, { cause: causeOf(error), failures });
      try {
        await clock.sleep(backoffMs(failures, options.baseMs, options.capMs), signal);
      } catch {
        return;
      }
    }
  }
}

/**
 * First SIGTERM or SIGINT aborts the signal, so that everything drains; the second ends the process at once.
 * `exit` is awaited by main after its resources are released.
 */
export function processLifetime(log: Log): AbortSignal {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      log.warn("process.killed", { signal: name });
      process.exit(1);
    }
    log.info("process.stopping", { signal: name });
    controller.abort(new Error(`stopped by ${name}`));
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return controller.signal;
}
