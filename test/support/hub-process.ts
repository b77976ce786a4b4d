import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startProcess, systemClock, type Child, type Exit } from "../../src/platform/platform.ts";
import { until } from "./until.ts";

/** A real hub in a temporary folder: started, stopped, killed and started again on free ports. */
export interface HubFolder extends AsyncDisposable {
  readonly directory: string;
  readonly dataDirectory: string;
  readonly uiDirectory: string;
  /** Runs main.ts with these arguments after --config to its end, or starts a hub that listens. */
  start(): Promise<RunningHub>;
  run(...args: string[]): Promise<{ code: number | null; output: string }>;
}

export interface RunningHub {
  /** Of the loopback listener, as a browser's Origin. */
  readonly url: string;
  readonly tlsPort: number;
  readonly pid: number;
  /** Standard output and error so far. */
  output(): string;
  /** Shown at a first start. */
  oneTimePassword(): string | undefined;
  /** Sends the signal; gives how the process ended and how long that took. */
  end(signal: NodeJS.Signals): Promise<Exit & { afterMs: number }>;
}

const main = join(import.meta.dirname, "../../src/hub/main.ts");

export const findOneTimePassword = (text: string): string | undefined =>
  /\b[A-Z2-9]{4}(?:-[A-Z2-9]{4}){3}\b/.exec(text)?.[0];

export async function makeHubFolder(
  config: Record<string, unknown> = {},
  /** Words in front of the hub's command. */
  under: readonly string[] = [],
): Promise<HubFolder> {
  const directory = await mkdtemp(join(tmpdir(), "hub-"));
  const dataDirectory = join(directory, "data");
  const uiDirectory = join(directory, "ui");
  const configFile = join(directory, "hub.json");
  await writeFile(
    configFile,
    JSON.stringify({
      dataDirectory,
      ui: uiDirectory,
      listen: { host: "127.0.0.1", port: 0 },
      loopback: { port: 0 },
      hostNames: ["localhost", "127.0.0.1"],
      ...config,
    }),
  );
  const children = new Set<Child>();
  const launch = async (args: string[]) => {
    const child = await startProcess([...under, process.execPath, main, "--config", configFile, ...args]);
    children.add(child);
    void child.exited.then(() => children.delete(child));
    let output = "";
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    return { child, output: () => output };
  };
  return {
    directory,
    dataDirectory,
    uiDirectory,
    async run(...args) {
      const { child, output } = await launch(args);
      const { code } = await child.exited;
      return { code, output: output() };
    },
    async start() {
      const { child, output } = await launch([]);
      const ports = await until(
        "the hub is ready",
        async () => {
          if (!children.has(child)) return "ended" as const;
          if (!output().includes('"event":"hub.ready"')) return undefined;
          return JSON.parse(await readFile(join(dataDirectory, "run/ports.json"), "utf8")) as {
            tls: number;
            loopback: number;
          };
        },
        { withinMs: 20_000 },
      );
      if (ports === "ended") throw new Error(`the hub ended at once: ${output()}`);
      await until("the hub greets", () => output().includes(`:${ports.loopback}\n`));
      return {
        url: `http://127.0.0.1:${ports.loopback}`,
        tlsPort: ports.tls,
        pid: child.pid,
        output,
        oneTimePassword: () => findOneTimePassword(output()),
        async end(signal) {
          const startedMs = systemClock.monotonicMs();
          child.kill(signal);
          const exit = await child.exited;
          return { ...exit, afterMs: systemClock.monotonicMs() - startedMs };
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) await child.stop(5_000);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
