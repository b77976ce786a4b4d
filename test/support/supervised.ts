import { openSync, closeSync } from "node:fs";
import { startProcess, systemClock, type Child } from "../../src/platform/platform.ts";

/** What systemd does for a unit with Restart=always: starts a program again whenever it ends without being asked to. */
export interface Supervised {
  readonly pid: number;
  /** How often it has been started again. */
  readonly restarts: number;
  kill(signal: NodeJS.Signals): void;
  /** Asks for an orderly end; "killed" where it did not come within the grace. */
  stop(graceMs?: number): Promise<"alreadyEnded" | "terminated" | "killed">;
  /** Ends with the exit code of the program's last life. */
  readonly stopped: Promise<number | null>;
}

const RESTART_MS = 100;

export async function supervise(
  argv: readonly string[],
  options: { logFile: string; cwd?: string; env?: NodeJS.ProcessEnv; onExit?: (code: number | null) => void },
): Promise<Supervised> {
  let child: Child;
  let restarts = 0;
  const stopping = new AbortController();
  const stopped = Promise.withResolvers<number | null>();
  const start = async () => {
    const log = openSync(options.logFile, "a", 0o600);
    try {
      child = await startProcess(argv, { cwd: options.cwd, env: options.env, stdio: ["ignore", log, log] });
    } finally {
      closeSync(log);
    }
    void watch(child);
  };
  const watch = async (watched: Child) => {
    const exit = await watched.exited;
    options.onExit?.(exit.code);
    if (!stopping.signal.aborted) {
      try {
        await systemClock.sleep(RESTART_MS, stopping.signal);
        restarts++;
        await start();
        return;
      } catch {
        // asked to stop while waiting
      }
    }
    stopped.resolve(exit.code);
  };
  await start();
  return {
    get pid() {
      return child.pid;
    },
    get restarts() {
      return restarts;
    },
    kill: (signal) => child.kill(signal),
    async stop(graceMs = 15_000) {
      stopping.abort();
      const { how } = await child.stop(graceMs);
      await stopped.promise;
      return how;
    },
    stopped: stopped.promise,
  };
}
