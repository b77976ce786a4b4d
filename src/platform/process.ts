import { spawn, type StdioOptions } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import type { Duplex, Readable, Writable } from "node:stream";
import { systemClock } from "./clock.ts";

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** How a stop ended: by itself, after SIGTERM, or only after SIGKILL. */
export type StopResult = { how: "alreadyEnded" | "terminated" | "killed"; exit: Exit };

export interface Child {
  readonly pid: number;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Extra descriptors asked for by `stdio`, by number. */
  readonly extra: (Duplex | null)[];
  readonly exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, a bounded wait, then SIGKILL. */
  stop(graceMs: number): Promise<StopResult>;
}

export interface StartOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  stdio?: StdioOptions;
  /** A session of its own: it outlives this process, and a terminal's Ctrl-C does not reach it. */
  detached?: boolean;
}

export class ProcessError extends Error {
  override readonly name = "ProcessError";
  readonly code: "notFound" | "failed" | "timedOut";
  constructor(code: ProcessError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Starts a program by its argument vector (never through a shell). Rejects with ProcessError "notFound". */
export async function startProcess(argv: readonly string[], options: StartOptions = {}): Promise<Child> {
  const [command, ...args] = argv;
  if (command === undefined) throw new RangeError("empty argv");
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env,
    stdio: options.stdio ?? ["ignore", "pipe", "pipe"],
    detached: options.detached ?? false,
    shell: false,
  });
  const exited = new Promise<Exit>((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => reject(new ProcessError("notFound", `cannot start ${command}`, { cause })));
  });
  let ended = false;
  void exited.then(() => (ended = true));
  const kill = (signal: NodeJS.Signals) => void (ended || child.kill(signal));
  return {
    pid: child.pid!,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    extra: child.stdio as unknown as (Duplex | null)[],
    exited,
    kill,
    stop: (graceMs) => stopProcess({ ended: () => ended, exited, kill }, graceMs),
  };
}

async function stopProcess(
  target: { ended: () => boolean; exited: Promise<Exit>; kill: (signal: NodeJS.Signals) => void },
  graceMs: number,
): Promise<StopResult> {
  if (target.ended()) return { how: "alreadyEnded", exit: await target.exited };
  target.kill("SIGTERM");
  const grace = new AbortController();
  const exit = await Promise.race([
    target.exited,
    systemClock.sleep(graceMs, grace.signal).then(
      () => undefined,
      () => undefined,
    ),
  ]);
  grace.abort();
  if (exit) return { how: "terminated", exit };
  target.kill("SIGKILL");
  return { how: "killed", exit: await target.exited };
}

export interface RunResult extends Exit {
  stdout: string;
  stderr: string;
}

/** Runs a program to its end and gives its output as text. Does not throw on a non-zero code. */
export async function runProcess(
  argv: readonly string[],
  options: StartOptions & { input?: string | Uint8Array; timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<RunResult> {
  const { input, timeoutMs, signal, ...start } = options;
  const child = await startProcess(argv, {
    ...start,
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  if (input !== undefined) {
    child.stdin!.on("error", () => {});
    child.stdin!.end(input);
  }
  const collect = async (stream: Readable) => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString("utf8");
  };
  let timedOut = false;
  const timer = timeoutMs
    ? setTimeout(() => {
        timedOut = true;
        child.kill("SIGKILL");
      }, timeoutMs)
    : undefined;
  const onAbort = () => child.kill("SIGTERM");
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const [stdout, stderr, exit] = await Promise.all([collect(child.stdout!), collect(child.stderr!), child.exited]);
    if (timedOut) throw new ProcessError("timedOut", `${argv[0]} did not end within ${timeoutMs} ms`);
    return { ...exit, stdout, stderr };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/**
 * Like {@link runProcess}, and throws ProcessError "failed" with the program's last words on a non-zero code.
 * @param options.fine codes besides 0 that are no failure
 */
export async function runChecked(
  argv: readonly string[],
  { fine = [], ...options }: Parameters<typeof runProcess>[1] & { fine?: readonly number[] } = {},
): Promise<RunResult> {
  const result = await runProcess(argv, options);
  if (result.code !== 0 && !fine.includes(result.code ?? -1)) {
    const words = result.stderr.trim().split("\n").slice(-3).join(" | ");
    throw new ProcessError("failed", `${argv[0]} ended with ${result.code ?? result.signal}: ${words}`);
  }
  return result;
}

/**
 * Identity of a running process that survives pid reuse: the pid and its start time in clock ticks since boot
 * (field 22 of /proc/PID/stat, proc(5)). Undefined where no such process runs (zombies count as ended).
 */
export function processIdentity(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    return `${pid}:${fields[19]}`;
  } catch {
    return undefined;
  }
}

export interface AdoptedProcess {
  readonly pid: number;
  readonly exited: Promise<void>;
  kill(signal: NodeJS.Signals): void;
  stop(graceMs: number): Promise<"alreadyEnded" | "terminated" | "killed">;
}

const ADOPTED_POLL_MS = 100;

/**
 * Takes over a process that an earlier life of this program started; undefined if it is gone.
 * @param told of its exit, where this life is its parent after all
 */
export function adoptProcess(identity: string, told?: Promise<unknown>): AdoptedProcess | undefined {
  const pid = Number(identity.split(":")[0]);
  const alive = () => processIdentity(pid) === identity;
  if (!alive()) return undefined;
  // Only a parent is told of an exit, so a stranger has to look.
  const exited = new Promise<void>((resolve) => {
    if (told) {
      void told.then(() => resolve());
      return;
    }
    const timer = setInterval(() => {
      if (alive()) return;
      clearInterval(timer);
      resolve();
    }, ADOPTED_POLL_MS);
  });
  const kill = (signal: NodeJS.Signals) => {
    if (alive()) process.kill(pid, signal);
  };
  return {
    pid,
    exited,
    kill,
    async stop(graceMs) {
      if (!alive()) return "alreadyEnded";
      const result = await stopProcess(
        { ended: () => !alive(), exited: exited.then(() => ({ code: null, signal: null })), kill },
        graceMs,
      );
      return result.how;
    },
  };
}

/**
 * Running processes that have `text` in one of their arguments, with their argument vectors (proc(5), cmdline). For a
 * text that nobody else could have: a folder with a random name.
 */
export function processesWith(text: string): { pid: number; argv: string[] }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const argv = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
        return argv.some((argument) => argument.includes(text)) ? [{ pid: Number(name), argv }] : [];
      } catch {
        return [];
      }
    });
}
