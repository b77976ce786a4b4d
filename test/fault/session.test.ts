import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runProcess, systemClock } from "../../src/platform/platform.ts";
import type { EvidenceRecord, SessionId } from "../../src/protocol/protocol.ts";
import { boxRecords, countRoom, type RoomCount } from "../support/count.ts";
import { encoderPid } from "../support/encoder.ts";
import { makeNamespace, type Namespace } from "../support/namespace.ts";
import { raiseStand, standLogs, type RoomProcess, type Stand } from "../support/stand.ts";
import { until } from "../support/until.ts";

/**
 * One session of two rooms, through everything that dies in the field, one after another; then every byte is looked
 * for. The second room is a host of its own behind a line that the kernel takes down.
 */
describe("a session in which everything dies once", () => {
  const LINE_CUT_MS = 20_000;
  const RESUME_MS = 2_000;
  let directory: string;
  let line: Namespace;
  let stand: Stand;
  let session: SessionId;
  let near: RoomProcess;
  let far: RoomProcess;
  const counts = new Map<RoomProcess, RoomCount>();

  const records = (room: RoomProcess): Promise<EvidenceRecord[]> =>
    boxRecords(join(room.dataDirectory, "recordings"), session);
  const takes = async (room: RoomProcess) => (await records(room)).filter(({ kind }) => kind === "takeStart").length;
  const recordedBytes = async (room: RoomProcess): Promise<number> => {
    const { stdout } = await runProcess(["du", "-sb", join(room.dataDirectory, "recordings")]);
    return Number.parseInt(stdout, 10);
  };
  const grows = async (room: RoomProcess, withinMs: number) => {
    const before = await recordedBytes(room);
    await until(`${room.name} goes on recording`, async () => (await recordedBytes(room)) > before, { withinMs });
  };
  const connected = (room: RoomProcess, is: boolean, withinMs = 20_000) =>
    until(
      `${room.name} is ${is ? "connected" : "missed"} at the hub`,
      async () => (await stand.desk.rooms()).some((view) => view.box === room.box && view.connected === is),
      { withinMs },
    );
  const live = (room: RoomProcess, withinMs: number) =>
    until(
      `the picture of ${room.name} is live`,
      async () => (await stand.desk.rooms()).some((view) => view.box === room.box && view.live.includes("video")),
      { withinMs },
    );

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "diemcau-fault-"));
    line = await makeNamespace();
    stand = await raiseStand({
      directory,
      hubHost: "0.0.0.0",
      rooms: [{ name: "Trụ sở Tiếp công dân tỉnh" }, { name: "UBND xã Ba Tơ", namespace: line }],
    });
    [near, far] = stand.rooms as [RoomProcess, RoomProcess];
    const { id } = await stand.desk.createSession("Buổi tiếp qua sự cố", [
      { id: near.point, role: "central" },
      { id: far.point, role: "delegate" },
    ]);
    session = id;
    await stand.desk.act(session, "start");
    await until(
      "both rooms record",
      async () => (await stand.desk.rooms()).every((view) => view.health?.recording.growing === true),
      { withinMs: 30_000 },
    );
  });

  afterAll(async () => {
    await stand?.[Symbol.asyncDispose]();
    await line?.[Symbol.asyncDispose]();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  test("the agent is killed: the encoder goes on in the same take", async () => {
    const pid = encoderPid(near);
    near.process.kill("SIGKILL");
    await grows(near, RESUME_MS);
    await connected(near, false);
    await connected(near, true);
    expect(encoderPid(near)).toBe(pid);
    expect(await takes(near)).toBe(1);
    await live(near, 10_000);
  });

  test("the encoder is killed: it records again within 2 s", async () => {
    const pid = encoderPid(near);
    const killedMs = systemClock.monotonicMs();
    process.kill(pid, "SIGKILL");
    await until("a new take is begun", async () => (await takes(near)) === 2, { withinMs: 10_000, everyMs: 20 });
    const gap = await until(
      "the gap is stated",
      async () => (await records(near)).find((record) => record.kind === "gap" && record.cause === "encoderDied"),
      { withinMs: 10_000 },
    );
    expect(systemClock.monotonicMs() - killedMs).toBeLessThan(10_000);
    expect(gap.kind === "gap" && gap.durationMs).toBeGreaterThan(0);
    expect(gap.kind === "gap" && gap.durationMs).toBeLessThan(RESUME_MS);
    await live(near, 10_000);
  });

  test("the hub is killed: the rooms record on, and it takes the session up again", async () => {
    const before = [encoderPid(near), encoderPid(far)];
    stand.hub.process.kill("SIGKILL");
    await grows(near, RESUME_MS);
    await grows(far, RESUME_MS);
    await until("the hub answers again", () => stand.desk.rooms().then(() => true), { withinMs: 20_000 });
    for (const room of stand.rooms) await connected(room, true);
    expect((await stand.desk.session(session)).state).toBe("live");
    expect([encoderPid(near), encoderPid(far)]).toEqual(before);
  });

  test("the line is cut for 20 s: the room records on, and its picture is back within 3 s of the line", async () => {
    const pid = encoderPid(far);
    await line.cut();
    const cutMs = systemClock.monotonicMs();
    await connected(far, false);
    await grows(far, RESUME_MS);
    await until("the line has been away long enough", () => systemClock.monotonicMs() - cutMs >= LINE_CUT_MS, {
      withinMs: LINE_CUT_MS + 1_000,
    });
    await line.mend();
    await live(far, 3_000);
    await connected(far, true);
    expect(encoderPid(far)).toBe(pid);
    expect(await takes(far)).toBe(1);
  });

  test("after the end everything that was recorded is in the archive and at the province, with equal hashes", async () => {
    await stand.desk.act(session, "end");
    await until("all is at the province", async () => (await stand.desk.recording(session)).copies.provinceComplete, {
      withinMs: 60_000,
      everyMs: 200,
    }).catch(async (error: unknown) => {
      throw new Error(await standLogs(directory), { cause: error });
    });
    for (const room of stand.rooms) {
      const count = await countRoom(session, room.point, {
        recordings: join(room.dataDirectory, "recordings"),
        archive: join(stand.hub.dataDirectory, "archive"),
        province: stand.province.directory,
      });
      counts.set(room, count);
      expect(count.framesRecorded, room.name).toBeGreaterThan(25 * 20);
      expect(count.framesArchived, room.name).toBe(count.framesRecorded);
      expect(count.framesAtProvince, room.name).toBe(count.framesRecorded);
      expect(count.hashesEqual, room.name).toBe(true);
    }
    expect(counts.get(near)!.gaps.map(({ cause }) => cause)).toEqual(["starting", "encoderDied"]);
    expect(counts.get(far)!.gaps.map(({ cause }) => cause)).toEqual(["starting"]);
  });

  test("the finished bag stands up to the stand-alone check", async () => {
    const bag = join(stand.hub.dataDirectory, "archive", session);
    await until("the bag is finished", async () => (await readdir(bag)).includes("tagmanifest-sha256.txt"), {
      withinMs: 30_000,
    });
    const check = await runProcess([process.execPath, join(import.meta.dirname, "../../src/evidence/verify.ts"), bag]);
    expect(check.stdout + check.stderr).not.toBe("");
    expect(check.code, check.stdout + check.stderr).toBe(0);
    const manifest = await runProcess(["sha256sum", "--check", "--quiet", "manifest-sha256.txt"], { cwd: bag });
    expect(manifest.code, manifest.stdout + manifest.stderr).toBe(0);
    expect((await readFile(join(bag, "manifest-sha256.txt"), "utf8")).split("\n").length).toBeGreaterThan(8);
  });
});
