import { closeSync, openSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startProcess, systemClock, type Child } from "../../src/platform/platform.ts";
import type { AssignedSession, RoomState, SessionId } from "../../src/protocol/protocol.ts";
import { boxRecords } from "../support/count.ts";
import { freePort } from "../support/free-port.ts";
import { makeSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { newSessionId } from "../support/uplink-box.ts";
import { startUplinkHub, type UplinkHub } from "../support/uplink-hub.ts";
import { until } from "../support/until.ts";

/**
 * A box whose disk is a real one of 64 MB, with a real encoder: what was reserved is recorded although somebody else
 * has written the disk full to its last block.
 */
describe("a box whose disk is full", () => {
  const SIZE = 64e6;
  /** 3.4 MB a minute with the margin. */
  const RECORD = { width: 320, height: 180, frameRate: 25, maxBitrateKbps: 300 };
  let home: string;
  let disk: SmallDisk;
  let hub: UplinkHub;
  let agent: Child;
  let roomPort: number;
  let revision = 1;
  const session = newSessionId();
  const long = newSessionId();

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
  const assigned = (id: SessionId, change: Partial<AssignedSession>): AssignedSession => ({
    ...{ id, name: "Định kỳ", state: "draft", role: "central", scheduledAt: null, startedAt: null, endedAt: null },
    ...change,
  });
  const assign = (...sessions: AssignedSession[]) => {
    hub.assignment = { revision: ++revision, sessions };
    hub.fleet.broadcastAssignments();
  };
  const readiness = (state: RoomState, id: SessionId) =>
    state.health?.space?.sessions.find((one) => one.session === id);
  const events = async (event: string) =>
    (await readFile(join(home, "box.log"), "utf8")).split("\n").filter((line) => line.includes(`"${event}"`));
  const records = () => boxRecords(join(disk.directory, "recordings"), session);
  const free = async () => {
    const { bavail, bsize } = await statfs(disk.directory);
    return bavail * bsize;
  };

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "diemcau-full-"));
    disk = await makeSmallDisk(SIZE);
    const hubPort = await freePort();
    roomPort = await freePort();
    hub = await startUplinkHub({ port: hubPort });
    const config = join(home, "box.json");
    await writeFile(
      config,
      JSON.stringify({
        dataDirectory: disk.directory,
        runDirectory: join(home, "run"),
        hub: { host: "127.0.0.1", port: hubPort },
        capture: {
          source: { kind: "virtual", label: "Xã A" },
          record: RECORD,
          live: { width: 160, height: 120, bitrateKbps: 60 },
        },
        room: { port: roomPort },
      }),
    );
    const log = openSync(join(home, "box.log"), "a", 0o600);
    const main = join(import.meta.dirname, "../../src/edge/start.js");
    agent = await startProcess([process.execPath, main, "--config", config], { stdio: ["ignore", log, log] });
    closeSync(log);
    const { pairing } = await roomIs("a code is shown", (state) => state.pairing.state === "code");
    if (pairing.state !== "code") throw new Error("no code");
    const outcome = await hub.fleet.pairing.typeCode(pairing.code, { pointName: "Xã A" }, "test");
    if (!outcome.ok) throw new Error(outcome.detail);
    const { point } = await roomIs("the box is connected", (state) => state.connected && state.point !== null);
    await hub.newSession(session, point!.id);
  });

  afterAll(async () => {
    await agent?.stop(15_000);
    await hub?.[Symbol.asyncDispose]();
    await disk?.[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  test("never-again 7: a scheduled session takes its bytes from the disk, and one that does not fit is refused", async () => {
    assign(assigned(session, { plannedMinutes: 5 }));
    const ready = await roomIs("the bytes are reserved", (state) => (state.health?.space?.reservedBytes ?? 0) > 15e6);
    expect(readiness(ready, session)).toMatchObject({ ready: true, missingBytes: 0 });
    expect(ready.lamps.troubles).not.toContain("diskLow");
    const { blocks } = await stat(join(disk.directory, "reserve"));
    expect(blocks * 512).toBeGreaterThan(15e6);

    assign(assigned(session, { plannedMinutes: 5 }), assigned(long, { name: "Cả ngày", plannedMinutes: 60 }));
    const refused = await roomIs("the long one is refused", (state) => readiness(state, long)?.ready === false);
    expect(readiness(refused, session)?.ready).toBe(true);
    expect(refused.noRoom?.name).toBe("Cả ngày");
    expect(refused.noRoom?.missingBytes).toBeGreaterThan(100e6);
    expect(refused.lamps.troubles).toContain("diskLow");
    assign(assigned(session, { plannedMinutes: 5 }));
    await roomIs("only what is needed stays reserved", (state) => (state.health?.space?.reservedBytes ?? 99e6) < 20e6);
  });

  test("never-again 7: a disk that others have filled stops nothing that was reserved", async () => {
    expect(await disk.fill()).toBeGreaterThan(20e6);
    expect(await free()).toBeLessThan(64 * 1024);
    assign(assigned(session, { plannedMinutes: 5, state: "live", startedAt: new Date().toISOString() }));
    await roomIs("the room records", (state) => state.recording !== null);
    const startedMs = systemClock.monotonicMs();
    const closed = async () => (await records()).filter(({ kind }) => kind === "segment").length;
    for (const segments of [1, 2, 3]) {
      // Whatever has become free since is taken again, in the midst of each segment.
      const begunMs = systemClock.monotonicMs();
      await until("it is in its midst", () => systemClock.monotonicMs() - begunMs >= 3_000, { withinMs: 5_000 });
      await disk.fill(`filler-${segments}`);
      await until(`${segments} segments are closed`, async () => (await closed()) >= segments, { withinMs: 30_000 });
    }
    expect(systemClock.monotonicMs() - startedMs).toBeGreaterThan(25_000);
    expect((await room()).recording).not.toBeNull();
    const so = await records();
    expect(so.filter(({ kind }) => kind === "takeStart")).toHaveLength(1);
    expect(so.filter((record) => record.kind === "gap" && record.cause !== "starting")).toEqual([]);
    assign(assigned(session, { plannedMinutes: 5, state: "ended", endedAt: new Date().toISOString() }));
    await until("the take is closed", async () => (await records()).at(-1)?.kind === "takeEnd", { withinMs: 20_000 });
    await roomIs("all of it is at the hub", (state) => state.unsynced.segments === 0);
  });

  test("what was kept ready behind a segment's end is given back, and the reserve goes when no session is left", async () => {
    assign();
    await until("the reserve is gone", async () => !(await readdir(disk.directory)).includes("reserve"), {
      withinMs: 20_000,
    });
    const folder = join(disk.directory, "recordings", session);
    for (const take of await readdir(folder))
      for (const file of (await readdir(join(folder, take))).filter((name) => name.endsWith(".ts"))) {
        const { size, blocks } = await stat(join(folder, take, file));
        expect(blocks * 512 - size, file).toBeLessThan(128 * 1024);
      }
    expect(await readFile(join(home, "box.log"), "utf8")).not.toContain("space.failed");
  });

  test("never-again 7: with nothing reserved and nothing free it alarms, and records by itself once there is room", async () => {
    await disk.fill("filler-last");
    const urgent = newSessionId();
    await hub.newSession(urgent, (await room()).point!.id);
    const live = assigned(urgent, { name: "Đột xuất", state: "live", startedAt: new Date().toISOString() });
    assign(live);
    const alarmed = await roomIs(
      "it is alarmed",
      (state) => state.recording === null && state.lamps.troubles.includes("diskFull"),
    );
    expect(alarmed.lamps.picture).toBe("bad");
    const folders = async () => (await readdir(join(disk.directory, "recordings", urgent)).catch(() => [])).length;
    await until("it has tried again and again", async () => (await events("recording.failed")).length >= 3, {
      withinMs: 30_000,
    });
    expect(await folders()).toBeLessThanOrEqual(1);
    for (const name of await readdir(disk.directory))
      if (name.startsWith("filler")) await rm(join(disk.directory, name));
    await roomIs("the room records", (state) => state.recording?.session === urgent);
    assign({ ...live, state: "ended", endedAt: new Date().toISOString() });
    const said = () => boxRecords(join(disk.directory, "recordings"), urgent);
    await until("the take is closed", async () => (await said()).at(-1)?.kind === "takeEnd", { withinMs: 20_000 });
    expect((await said()).find(({ kind }) => kind === "gap")).toMatchObject({ cause: "starting" });
  });
});
