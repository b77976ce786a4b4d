import Rsync from "rsync";
import { causeOf, ProcessError, runProcess, type Clock, type Log } from "../../platform/platform.ts";
import { PARTIAL_DIRECTORY, segmentPath, type SegmentName } from "../../protocol/protocol.ts";
import { SyncPlanner, type PendingSegment } from "./sync-plan.ts";

export interface SyncOptions {
  log: Log;
  clock: Clock;
  /** Loopback port of the rsync relay. */
  port: number;
  /** The recordings folder that holds a segment: the box may have two media. */
  directoryOf: (segment: PendingSegment) => Promise<string>;
  /** Closed, without a receipt of the hub, oldest first. */
  pending: () => Promise<PendingSegment[]>;
  /** KiB/s, or undefined for no limit; asked before each transfer and each second of it. */
  limitKibPerS: () => number | undefined;
  /** Resets the relay's connections, with what waits in the kernel for the line. */
  dropLine: () => void;
}

export interface Sync {
  /** Look now: a segment was closed, a receipt came, a session ended. */
  nudge(): void;
  resend(name: SegmentName): void;
  lineBack(): void;
  /** How the last transfer went; unknown before the first. */
  state(): "up" | "down" | "unknown";
  run(signal: AbortSignal): Promise<void>;
}

const LOOK_EVERY_MS = 2_000;
/** rsync gives up a connection on which nothing moved for this long. */
const RSYNC_TIMEOUT_S = 20;
/** Ending a transfer costs 0.2 s and the checksums of what lies there; a smaller change of its limit is not worth it. */
const QUITE_ANOTHER = 1.8;
const LIMIT_LOOK_MS = 1_000;
const SAFE = /^[A-Za-z0-9._/=:@-]+$/;

/**
 * rsync's argument vector. Names of files travel on standard input. The builder escapes for a shell, and we use none:
 * so only values are let in that no shell would need to have escaped.
 */
export function rsyncArguments(port: number, limitKibPerS: number | undefined): string[] {
  const command = new Rsync()
    .flags("R")
    .set("files-from", "-")
    .set("partial-dir", PARTIAL_DIRECTORY)
    .set("timeout", String(RSYNC_TIMEOUT_S))
    .source("./")
    .destination(`rsync://127.0.0.1:${port}/inbox/`);
  if (limitKibPerS !== undefined) command.set("bwlimit", String(limitKibPerS));
  const args = command.args();
  const unsafe = args.find((arg) => !SAFE.test(arg));
  if (unsafe !== undefined) throw new RangeError(`not a safe argument: ${unsafe}`);
  return args;
}

/** Whether a transfer that runs under one limit (KiB/s; undefined: none) should go on under another. */
export function isQuiteAnother(running: number | undefined, wanted: number | undefined): boolean {
  if (running === undefined || wanted === undefined) return running !== wanted;
  return Math.max(running, wanted) >= QUITE_ANOTHER * Math.min(running, wanted);
}

/**
 * INVARIANTS
 * - At most one rsync runs at a time.
 * - A transfer is ended when its limit has become quite another, and goes on under the new one from where it was
 *   (--partial-dir). Under a lower one, what it has handed to the kernel does not go out first: that was 0.5 MB, 12 s of
 *   a line of 300 kbit/s.
 */
export function createSync(options: SyncOptions): Sync {
  const { log, clock } = options;
  const planner = new SyncPlanner();
  let bell = Promise.withResolvers<void>();
  let state: "up" | "down" | "unknown" = "unknown";
  let running: { limitKibPerS: number | undefined; change: AbortController } | undefined;

  const lookAtLimit = () => {
    if (!running) return;
    const limit = options.limitKibPerS();
    if (!isQuiteAnother(running.limitKibPerS, limit)) return;
    running.change.abort();
    if (limit !== undefined && limit < (running.limitKibPerS ?? Infinity)) options.dropLine();
  };

  const ring = () => {
    bell.resolve();
    bell = Promise.withResolvers();
  };

  /** Those of the batch that are on the same medium as its first; the others have their turn next. */
  async function together(batch: readonly PendingSegment[]): Promise<{ directory: string; batch: PendingSegment[] }> {
    const directories = await Promise.all(batch.map((segment) => options.directoryOf(segment)));
    const directory = directories[0]!;
    return { directory, batch: batch.filter((_, i) => directories[i] === directory) };
  }

  async function transfer(planned: PendingSegment[], signal: AbortSignal): Promise<void> {
    const { directory, batch } = await together(planned);
    const bytes = batch.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const limitKibPerS = options.limitKibPerS();
    const change = new AbortController();
    running = { limitKibPerS, change };
    const watch = setInterval(lookAtLimit, LIMIT_LOOK_MS);
    const startedMs = clock.monotonicMs();
    try {
      const result = await runProcess(["rsync", ...rsyncArguments(options.port, limitKibPerS)], {
        cwd: directory,
        // rsync takes defaults, a password and even a proxy from RSYNC_* variables: none of ours.
        env: { PATH: process.env["PATH"], LC_ALL: "C" },
        input: batch.map(({ name }) => `${segmentPath(name)}\n`).join(""),
        signal: AbortSignal.any([signal, change.signal]),
      });
      if (signal.aborted || change.signal.aborted) return;
      if (result.code !== 0)
        throw new ProcessError(
          "failed",
          `rsync ended with ${result.code ?? result.signal}: ${lastWords(result.stderr)}`,
        );
      const durationMs = Math.round(clock.monotonicMs() - startedMs);
      log.info("sync.sent", { segments: batch.length, bytes, durationMs });
      planner.sent(batch, clock.monotonicMs());
      state = "up";
    } catch (error) {
      if (signal.aborted) return;
      state = "down";
      planner.failed(clock.monotonicMs());
      log.warn("sync.failed", { cause: causeOf(error), segments: batch.length, failures: planner.failuresInARow });
    } finally {
      clearInterval(watch);
      running = undefined;
    }
  }

  return {
    nudge() {
      lookAtLimit();
      ring();
    },
    resend(name) {
      planner.resend(name, clock.monotonicMs());
      ring();
    },
    lineBack() {
      planner.lineBack(clock.monotonicMs());
      ring();
    },
    state: () => state,
    async run(signal) {
      while (!signal.aborted) {
        const rung = bell.promise;
        const plan = planner.plan(await options.pending(), clock.monotonicMs());
        if (plan.do === "send") {
          await transfer(plan.batch, signal);
          continue;
        }
        const dueInMs = plan.untilMs === null ? LOOK_EVERY_MS : plan.untilMs - clock.monotonicMs();
        const wake = new AbortController();
        await Promise.race([
          rung,
          clock
            .sleep(Math.max(10, Math.min(LOOK_EVERY_MS, dueInMs)), AbortSignal.any([signal, wake.signal]))
            .catch(() => {}),
        ]);
        wake.abort();
      }
    },
  };
}

const lastWords = (stderr: string): string => stderr.trim().split("\n").slice(-2).join(" | ").slice(-300);
