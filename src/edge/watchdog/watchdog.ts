import { causeOf, ProcessError, runProcess, type Clock, type Log } from "../../platform/platform.ts";

/** What systemd gives a service of Type=notify with WatchdogSec (sd_notify(3), sd_watchdog_enabled(3)). */
export interface WatchdogTerms {
  /** How often systemd must hear of this process, or kills it; undefined where it only waits for the start. */
  limitMs: number | undefined;
}

/** A loop that must turn: when it last did, in the clock's monotonic time. */
export type Loops = Readonly<Record<string, () => number>>;

/** A disk that is written back, a device that is asked, an encoder that ends: all of it takes less. */
const TURN_LIMIT_MS = 45_000;
const NOTIFY_TIMEOUT_MS = 5_000;

/** Undefined where nothing is supervising: then nothing is done. */
export function watchdogTerms(env: NodeJS.ProcessEnv, pid: number): WatchdogTerms | undefined {
  if (!env["NOTIFY_SOCKET"]) return undefined;
  const limitMs = Number(env["WATCHDOG_USEC"] ?? 0) / 1_000;
  const isForUs = (env["WATCHDOG_PID"] ?? String(pid)) === String(pid);
  return { limitMs: isForUs && limitMs > 0 ? limitMs : undefined };
}

/** Loops that have stood still for longer than they may. */
export const standingStill = (loops: Loops, nowMs: number): string[] =>
  Object.entries(loops)
    .filter(([, turnedMs]) => nowMs - turnedMs() > TURN_LIMIT_MS)
    .map(([name]) => name);

export interface WatchdogOptions {
  log: Log;
  clock: Clock;
  terms: WatchdogTerms | undefined;
  loops: Loops;
  /** Tells systemd; `systemd-notify` unless a test listens. */
  notify?: (words: readonly string[]) => Promise<void>;
}

/**
 * Says that the agent has started, and from then on that it works, as long as each of the loops turns: nothing else
 * feeds the watchdog, so an agent of which only a timer is left is killed and started again, beside an encoder that goes on.
 */
export async function feedWatchdog(options: WatchdogOptions, signal: AbortSignal): Promise<void> {
  const { log, clock, terms, loops, notify = systemdNotify } = options;
  if (!terms) return;
  const tell = (words: readonly string[]) =>
    notify(words).catch((error: unknown) => log.error("watchdog.notTold", { cause: causeOf(error) }));
  await tell(["READY=1"]);
  const { limitMs } = terms;
  if (limitMs === undefined) return;
  while (!signal.aborted) {
    const still = standingStill(loops, clock.monotonicMs());
    if (still.length === 0) await tell(["WATCHDOG=1"]);
    else log.error("watchdog.standingStill", { loops: still.join(" ") });
    await clock.sleep(limitMs / 3, signal).catch(() => {});
  }
  await tell(["STOPPING=1"]);
}

async function systemdNotify(words: readonly string[]): Promise<void> {
  const { code, stderr } = await runProcess(["systemd-notify", ...words], { timeoutMs: NOTIFY_TIMEOUT_MS });
  if (code !== 0) throw new ProcessError("failed", `systemd-notify ended with ${code}: ${stderr.trim()}`);
}
