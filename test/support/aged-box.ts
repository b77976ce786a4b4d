import { closeSync, openSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startProcess, type Child } from "../../src/platform/platform.ts";
import type { RoomState } from "../../src/protocol/protocol.ts";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

/** What a start cost, as the kernel counts it; memory when the box has looked at itself once. */
export interface StartCost {
  /** From the beginning of the process until it records. */
  afterMs: number;
  /** Read by the agent from files and pipes until then, Node.js and the program itself included. */
  readBytes: number;
  rssBytes: number;
}

const MAIN = join(import.meta.dirname, "../../src/edge/start.js");

/** Starts an unpaired agent on what there is in `home`/data, and stops it when `use` is done. */
export async function withAgedBox<T>(home: string, use: (agent: Child, cost: StartCost) => Promise<T>): Promise<T> {
  const port = await freePort();
  const config = join(home, "box.json");
  const logFile = join(home, `${Date.now()}.log`);
  const capture = {
    source: { kind: "virtual", label: "aged" },
    record: { width: 160, height: 120, frameRate: 25, maxBitrateKbps: 100 },
    live: { width: 160, height: 120, bitrateKbps: 60 },
  };
  const places = { dataDirectory: join(home, "data"), runDirectory: join(home, "run") };
  // Port 1: nobody is there, and a box that waits for its hub does nothing else.
  await writeFile(config, JSON.stringify({ ...places, capture, hub: { host: "127.0.0.1", port: 1 }, room: { port } }));
  const log = openSync(logFile, "a", 0o600);
  const agent = await startProcess([process.execPath, MAIN, "--config", config], { stdio: ["ignore", log, log] });
  closeSync(log);
  try {
    const event = (name: string) => async () => {
      const lines = (await readFile(logFile, "utf8")).split("\n").filter((line) => line.includes(`"${name}"`));
      return lines.length > 0 && (JSON.parse(lines[0]!) as { afterMs: number });
    };
    const { afterMs } = await until("the agent records", event("agent.recording"), { withinMs: 120_000, everyMs: 10 });
    const io = await readFile(`/proc/${agent.pid}/io`, "utf8");
    const readBytes = Number(/rchar: (\d+)/.exec(io)![1]);
    const looked = async () =>
      ((await (await fetch(`http://127.0.0.1:${port}/api/room`)).json()) as RoomState).health !== null;
    await until("it has looked at itself", looked, { withinMs: 60_000 });
    const status = await readFile(`/proc/${agent.pid}/status`, "utf8");
    return await use(agent, { afterMs, readBytes, rssBytes: Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024 });
  } finally {
    await agent.stop(20_000);
  }
}
