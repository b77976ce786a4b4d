import { causeOf, ProcessError, runProcess, type Clock, type Log } from "../platform/platform.ts";

/** What systemd gives a service of Type=notify (sd_notify(3), sd_watchdog_enabled(3)). */
export interface SupervisorTerms {
  /** How often systemd must hear of this process, or kills it; undefined where it waits for the start only. */
  limitMs: number | undefined;
}

const TELL_TIMEOUT_MS = 5_000;

/** Undefined where nothing supervises: then nothing is told. Pure. */
export function supervisorTerms(env: NodeJS.ProcessEnv, pid: number): SupervisorTerms | undefined {
  if (!env["NOTIFY_SOCKET"]) return undefined;
  const limitMs = Number(env["WATCHDOG_USEC"] ?? 0) / 1_000;
  const isForUs = (env["WATCHDOG_PID"] ?? String(pid)) === String(pid);
  return { limitMs: isForUs && limitMs > 0 ? limitMs : undefined };
}

/**
 * Says that the hub has started, and then that it lives, for as long as `alive` resolves: a hub whose event loop or
 * database stands still is killed and started again.
 */
export async function feedSupervisor(
  options: {
    log: Log;
    clock: Clock;
    terms: SupervisorTerms | undefined;
    alive: () => Promise<void>;
    tell?: (words: readonly string[]) => Promise<void>;
  },
  signal: AbortSignal,
): Promise<void> {
  const { log, clock, terms, alive, tell = systemdNotify } = options;
  if (!terms) return;
  const say = (words: readonly string[]) =>
    tell(words).catch((error: unknown) => log.error("supervisor.notTold", { cause: causeOf(error) }));
  await say(["READY=1"]);
  if (terms.limitMs === undefined) return;
  while (!signal.aborted) {
    try {
      await alive();
      await say(["WATCHDOG=1"]);
    } catch (error) {
      log.error("supervisor.notAlive", { cause: causeOf(error) });
    }
    await clock.sleep(terms.limitMs / 3, signal).catch(() => {});
  }
}

async function systemdNotify(words: readonly string[]): Promise<void> {
  const { code, stderr } = await runProcess(["systemd-notify", ...words], { timeoutMs: TELL_TIMEOUT_MS });
  if (code !== 0) throw new ProcessError("failed", `systemd-notify ended with ${code}: ${stderr.trim()}`);
}
