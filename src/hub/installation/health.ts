import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { isIP } from "node:net";
import { join } from "node:path";
import { checkServerIdentity } from "node:tls";
import { z } from "zod";
import { causeOf, readIfExists, runProcess, type Clock } from "../../platform/platform.ts";
import type { HubConfig } from "../config.ts";
import { words } from "./words.ts";

const Ports = z.looseObject({ tls: z.number().int(), loopback: z.number().int() });
export type Ports = z.infer<typeof Ports>;
const Health = z.looseObject({ version: z.string() });

const LOOK_EVERY_MS = 300;
const ANSWER_MS = 5_000;

export type Verdict = { ok: true; ports: Ports } | { ok: false; reason: string };

/** Ports that the hub listens on; undefined until it does, and once it has ended. */
export async function portsOf({ dataDirectory }: HubConfig): Promise<Ports | undefined> {
  const text = await readIfExists(join(dataDirectory, "run/ports.json"));
  return text && Ports.parse(JSON.parse(text.toString("utf8")));
}

/** What a browser and a box would find: the page, the interface, the certificate on the one port. */
export async function lookAtHub(config: HubConfig, version: string | undefined): Promise<Verdict> {
  try {
    const ports = await portsOf(config);
    if (ports === undefined) return { ok: false, reason: words.notListening };
    const base = `http://127.0.0.1:${ports.loopback}`;
    const health = await fetch(`${base}/api/health`, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!health.ok) return { ok: false, reason: words.badAnswer("/api/health", health.status) };
    const running = Health.parse(await health.json()).version;
    if (version !== undefined && running !== version) return { ok: false, reason: words.otherVersion(running) };
    const page = await fetch(base, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!page.ok || !(await page.text()).includes("<script"))
      return { ok: false, reason: words.badAnswer(base, page.status) };
    await askByTls(config, ports.tls);
    return { ok: true, ports };
  } catch (error) {
    return { ok: false, reason: causeOf(error) };
  }
}

async function askByTls(config: HubConfig, port: number): Promise<void> {
  const ca = await readFile(join(config.dataDirectory, "authority/ca.pem"), "utf8");
  const name = config.hostNames[0]!;
  const host = ["::", "0.0.0.0"].includes(config.listen.host) ? "127.0.0.1" : config.listen.host;
  await new Promise<void>((resolve, reject) => {
    const outgoing = request(
      {
        ...{ host, port, ca, path: "/", agent: false, timeout: ANSWER_MS },
        servername: isIP(name) ? "" : name,
        checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
      },
      (incoming) => {
        incoming.resume();
        if (incoming.statusCode === 200) resolve();
        else reject(new Error(words.badAnswer(`https, ${port}`, incoming.statusCode ?? 0)));
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error(words.noAnswer(port))));
    outgoing.on("error", reject);
    outgoing.end();
  });
}

/** systemd's number of the main process; 0 where none runs. */
export async function mainProcess(unit: string): Promise<number> {
  const { stdout } = await runProcess(["systemctl", "show", "--property=MainPID", "--value", unit]);
  return Number(stdout.trim()) || 0;
}

/**
 * Waits until the hub works and one process has worked for `steadyMs`: one that dies after a second is started again
 * and again, and would look well in between.
 */
export async function waitForHub(options: {
  config: HubConfig;
  version: string;
  clock: Clock;
  withinMs: number;
  steadyMs: number;
  process: () => Promise<number>;
  /** True where it will not be started again: there is nothing more to wait for. */
  gone?: () => boolean;
}): Promise<Verdict> {
  const { config, version, clock, withinMs, steadyMs } = options;
  const untilMs = clock.monotonicMs() + withinMs;
  let since: { pid: number; ms: number } | undefined;
  let verdict: Verdict = { ok: false, reason: words.notStarted };
  for (;;) {
    const pid = await options.process();
    verdict = pid === 0 ? { ok: false, reason: words.noProcess } : await lookAtHub(config, version);
    const nowMs = clock.monotonicMs();
    if (!verdict.ok) since = undefined;
    else if (since?.pid !== pid) since = { pid, ms: nowMs };
    else if (nowMs - since.ms >= steadyMs) return verdict;
    if (nowMs >= untilMs || options.gone?.()) return verdict.ok ? { ok: false, reason: words.notSteady } : verdict;
    await clock.sleep(LOOK_EVERY_MS);
  }
}
