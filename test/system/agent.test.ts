import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { openSync, closeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runProcess, startProcess, type Child } from "../../src/platform/platform.ts";
import type { AssignedSession, BoxId, RoomState, SessionId } from "../../src/protocol/protocol.ts";
import { freePort } from "../support/free-port.ts";
import { newSessionId } from "../support/uplink-box.ts";
import { startUplinkHub, type UplinkHub } from "../support/uplink-hub.ts";
import { until } from "../support/until.ts";

const MAIN = join(import.meta.dirname, "../../src/edge/start.js");

let directory: string;
let hub: UplinkHub;
let hubPort: number;
let roomPort: number;
let agent: Child;

const configFile = () => join(directory, "box.json");
const logFile = () => join(directory, "box.log");

async function configure(overrides: object = {}): Promise<void> {
  await writeFile(
    configFile(),
    JSON.stringify({
      dataDirectory: "data",
      runDirectory: "run",
      hub: { host: "127.0.0.1", port: hubPort },
      capture: { source: { kind: "virtual", label: "Xã A" } },
      room: { port: roomPort },
      ...overrides,
    }),
  );
}

async function startAgent(): Promise<void> {
  const log = openSync(logFile(), "a", 0o600);
  agent = await startProcess([process.execPath, MAIN, "--config", configFile()], { stdio: ["ignore", log, log] });
  closeSync(log);
}

const room = async (): Promise<RoomState> =>
  (await (await fetch(`http://127.0.0.1:${roomPort}/api/room`)).json()) as RoomState;
const roomIs = (what: string, condition: (state: RoomState) => boolean, withinMs = 30_000) =>
  until(
    what,
    async () => {
      const state = await room();
      return condition(state) && state;
    },
    { withinMs, everyMs: 50 },
  );
const events = async (event: string): Promise<Record<string, unknown>[]> =>
  (await readFile(logFile(), "utf8"))
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))
    .filter((line) => line.event === event);

async function pairAgent(): Promise<BoxId> {
  const { pairing } = await roomIs("a code is shown", ({ pairing }) => pairing.state === "code");
  if (pairing.state !== "code") throw new Error("no code");
  const outcome = await hub.fleet.pairing.typeCode(pairing.code, { pointName: "Xã A" }, "test");
  if (!outcome.ok) throw new Error(outcome.detail);
  await roomIs("the box is paired and connected", (state) => state.pairing.state === "paired" && state.connected);
  return outcome.box;
}

const live = (id: SessionId, fields: Partial<AssignedSession> = {}): AssignedSession => ({
  id,
  name: "Định kỳ",
  state: "live",
  role: "central",
  scheduledAt: null,
  startedAt: "2026-11-21T08:00:00.000Z",
  endedAt: null,
  ...fields,
});

function assign(revision: number, ...sessions: AssignedSession[]): void {
  hub.assignment = { revision, sessions };
  hub.fleet.broadcastAssignments();
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-agent-"));
  hubPort = await freePort();
  roomPort = await freePort();
  hub = await startUplinkHub({ port: hubPort });
  await configure();
  await startAgent();
});
afterEach(async () => {
  await agent.stop(15_000);
  await hub[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

describe("agent", () => {
  test("pairs by the code on its screen, records as the schedule says, and sends what it recorded", async () => {
    await pairAgent();
    const state = await room();
    expect(state.point?.name).toBe("Xã A");
    const session = newSessionId();
    await hub.newSession(session, state.point!.id);
    assign(2, live(session));
    const recording = await roomIs("the room records", (state) => state.recording !== null);
    expect(recording.recording).toMatchObject({ session, sessionName: "Định kỳ" });
    assign(3, live(session, { state: "ended", endedAt: "2026-11-21T08:10:00.000Z" }));
    await roomIs("the room has stopped", (state) => state.recording === null && state.session === null);
    const sealed = await until(
      "all of it is verified at the hub",
      async () => {
        const segments = await hub.db.selectFrom("segment").selectAll().execute();
        const takes = await hub.db.selectFrom("take").selectAll().execute();
        return (
          takes.length > 0 &&
          takes.every(({ ended }) => ended) &&
          segments.every((s) => s.hubState === "verified") &&
          segments
        );
      },
      { withinMs: 30_000 },
    );
    expect(sealed.length).toBeGreaterThan(0);
    await roomIs("nothing is left to send", (state) => state.unsynced.segments === 0);
    expect((await hub.fleet.rooms())[0]?.health?.encoder.state).toBeDefined();
  });

  test("never-again 5: killed in mid-session and started without its hub, it goes on recording the same session", async () => {
    await pairAgent();
    const session = newSessionId();
    await hub.newSession(session, (await room()).point!.id);
    assign(2, live(session));
    await roomIs("the room records", (state) => state.recording !== null);
    await hub[Symbol.asyncDispose]();
    agent.kill("SIGKILL");
    await agent.exited;
    await startAgent();
    const again = await roomIs("the room records again", (state) => state.recording !== null);
    expect(again.recording?.session).toBe(session);
    expect(again.connected).toBe(false);
    hub = await startUplinkHub({ port: hubPort });
  });

  test("a revoked box shows a new code, and a second pairing replaces its identity", async () => {
    const first = await pairAgent();
    await hub.fleet.revoke(first, "test");
    await roomIs("a code is shown again", ({ pairing }) => pairing.state === "code" && pairing.revoked, 40_000);
    const second = await pairAgent();
    expect(second).not.toBe(first);
    expect((await room()).box).toBe(second);
  });

  test("a changed configuration waits for the end of the session, then ends the agent for a new start", async () => {
    await pairAgent();
    const session = newSessionId();
    await hub.newSession(session, (await room()).point!.id);
    assign(2, live(session));
    await roomIs("the session is on", (state) => state.session !== null);
    await writeFile(configFile(), "{");
    await until("the bad one is refused", async () => (await events("config.refused")).length > 0);
    await configure({ sync: { limitKibPerS: 5 } });
    expect((await room()).session?.id).toBe(session);
    expect(await events("config.changed")).toEqual([]);
    assign(3);
    expect((await agent.exited).code).toBe(75);
  });

  test("a configuration that it does not understand stops the start with file, key and page", async () => {
    const file = join(directory, "bad.json");
    await writeFile(file, JSON.stringify({ dataDirectory: "d", runDirectory: "r", hub: { host: "h", prot: 1 } }));
    const { code, stderr } = await runProcess([process.execPath, MAIN, "--config", file]);
    expect(code).toBe(2);
    expect(stderr).toBe(`${file}: hub.prot: no such key; see docs/ref/box-config.md\n`);
  });
});
