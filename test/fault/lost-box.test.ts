import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyBag } from "../../src/evidence/evidence.ts";
import { runChecked, runProcess, systemClock } from "../../src/platform/platform.ts";
import { hubCopyFiles, hubCopyFolder, type SessionId } from "../../src/protocol/protocol.ts";
import { countFrames } from "../support/count.ts";
import { raiseStand, standLogs, type RoomProcess, type Stand } from "../support/stand.ts";
import { supervise } from "../support/supervised.ts";
import { until } from "../support/until.ts";

/** One session of two rooms; the hub is killed in it once, and one box is destroyed with what it had not sent. */
describe("the hub's own copy of the live stream", () => {
  /** Two segments are at the hub by then, and of the third some seconds have been recorded. */
  const RECORD_MS = 27_000;
  let directory: string;
  let stand: Stand;
  let session: SessionId;
  let whole: RoomProcess;
  let lost: RoomProcess;

  const copyFolder = (room: RoomProcess) => join(stand.hub.dataDirectory, "hub-copy", session, room.point);
  const stretches = async (room: RoomProcess, kind: string) =>
    (await readdir(copyFolder(room)).catch(() => [])).filter((name) => name.includes(`_${kind}_`)).sort();
  const roomRecording = async (room: RoomProcess) =>
    (await stand.desk.recording(session)).rooms.find(({ point }) => point.id === room.point)!;
  const atProvince = () => join(stand.province.directory, session);
  const explained = async (error: unknown): Promise<never> => {
    throw new Error(await standLogs(directory), { cause: error });
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "diemcau-lost-"));
    stand = await raiseStand({
      directory,
      rooms: [{ name: "Trụ sở Tiếp công dân tỉnh" }, { name: "UBND xã Sơn Kỳ", cable: true }],
    });
    [whole, lost] = stand.rooms as [RoomProcess, RoomProcess];
    session = (
      await stand.desk.createSession("Buổi tiếp mất thiết bị", [
        { id: whole.point, role: "central" },
        { id: lost.point, role: "delegate" },
      ])
    ).id;
    await stand.desk.act(session, "start");
  });

  afterAll(async () => {
    lost?.cable?.mend();
    await stand?.[Symbol.asyncDispose]();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  test("is kept from the start on, and what was kept before a kill -9 of the hub can be played", async () => {
    const startedMs = systemClock.monotonicMs();
    await until("picture and sound are kept", async () => (await stretches(lost, "audio")).length === 1, {
      withinMs: 15_000,
    });
    await until("some of it is on disk", () => systemClock.monotonicMs() - startedMs > 8_000, { withinMs: 9_000 });
    stand.hub.process.kill("SIGKILL");
    await until("the hub answers again", () => stand.desk.rooms().then(() => true), { withinMs: 40_000 });
    await until("it goes on", async () => (await stretches(lost, "video")).length === 2, { withinMs: 30_000 });
    const [before] = await stretches(lost, "video");
    expect(await countFrames(join(copyFolder(lost), before!))).toBeGreaterThan(25 * 3);
    await until("enough is recorded", () => systemClock.monotonicMs() - startedMs > RECORD_MS, {
      withinMs: RECORD_MS,
    });
  });

  test("goes when everything that the box recorded has a receipt", async () => {
    lost.cable!.cut();
    await lost.process.stop();
    await rm(lost.dataDirectory, { recursive: true });
    await stand.desk.act(session, "end");
    await until("the whole room is whole", async () => (await roomRecording(whole)).copies.hubComplete, {
      withinMs: 30_000,
    }).catch(explained);
    await until("its copy is removed", async () => (await stretches(whole, "audio")).length === 0, {
      withinMs: 20_000,
      everyMs: 200,
    });
    expect((await stretches(lost, "audio")).length).toBeGreaterThan(1);
    expect((await roomRecording(lost)).lost).toBeNull();
  });

  test("fills what a destroyed box took along, once an administrator has said so, and says what it is", async () => {
    await stand.desk.request("POST", `/api/recordings/${session}/${lost.point}/lost`);
    const room = await until(
      "the hole is filled",
      async () => {
        const room = await roomRecording(lost);
        return room.lost?.filledAt != null && room.hubCopies.length > 0 && room;
      },
      { withinMs: 30_000 },
    ).catch(explained);
    const filledMs = room.hubCopies.reduce((sum, { durationMs }) => sum + durationMs, 0);
    expect(filledMs).toBeGreaterThan(2_000);
    expect(room.hubCopies.every(({ playlistMs }) => playlistMs !== null)).toBe(true);
    expect(room.hubCopies.some(({ picture }) => picture === "large")).toBe(true);

    const bag = join(stand.hub.dataDirectory, "archive", session);
    await until("the bag is finished", async () => (await readdir(bag)).includes("tagmanifest-sha256.txt"), {
      withinMs: 30_000,
    }).catch(explained);
    const pictures = room.hubCopies.findIndex(({ picture }) => picture === "large");
    const file = join(bag, hubCopyFolder(lost.point), hubCopyFiles(pictures).media);
    const frames = await countFrames(file);
    expect(frames).toBeGreaterThan(room.hubCopies[pictures]!.durationMs / 40 - 5);
    const playlist = await fetch(`${stand.hub.url}${room.playlist}`, { headers: { cookie: stand.desk.cookie } });
    expect(await playlist.text()).toContain("hub-copy/copy-");
    const again = stand.desk.request("POST", `/api/recordings/${session}/${whole.point}/lost`);
    await expect(again).rejects.toThrow("wrongState");
  });

  test("stands up to the stand-alone check, and reaches the province", async () => {
    const bag = join(stand.hub.dataDirectory, "archive", session);
    const verify = join(import.meta.dirname, "../../src/evidence/verify.ts");
    const check = await until(
      "the bag is whole",
      async () => {
        const result = await runProcess([process.execPath, verify, bag]);
        return result.code === 0 && result;
      },
      { withinMs: 30_000, everyMs: 500 },
    ).catch(async (error: unknown) => {
      throw new Error((await runProcess([process.execPath, verify, bag])).stdout, { cause: error });
    });
    expect(check.stdout).toContain("bản thu tại trung tâm");
    const manifest = await runProcess(["sha256sum", "--check", "--quiet", "manifest-sha256.txt"], { cwd: bag });
    expect(manifest.code, manifest.stdout + manifest.stderr).toBe(0);
    const there = join(stand.province.directory, session, hubCopyFolder(lost.point), hubCopyFiles(0).media);
    await until("the province has it", async () => (await countFrames(there)) > 0, { withinMs: 60_000, everyMs: 500 });
  });

  test("never-again 4: comes back from the province with all that the destroyed box had sent, when the hub's disk is lost too", async () => {
    const config = join(directory, "hub/hub.json");
    const hub = (program: string) => [process.execPath, join(import.meta.dirname, "../../src/hub", program)];
    const backups = join(directory, "backups");
    await mkdir(backups);
    await until("the bag is at the province", async () => (await verifyBag(atProvince())).whole, { withinMs: 60_000 });
    await runChecked([...hub("administer.ts"), "backup", "--to", backups, "--config", config]);
    await stand.hub.process.stop();
    await rm(stand.hub.dataDirectory, { recursive: true });
    const [backup] = await readdir(backups);
    await runChecked([...hub("administer.ts"), "restore", join(backups, backup!), "--config", config]);
    // As in a backup that was made a moment before the hub had noted that the bag is there.
    const db = new DatabaseSync(join(stand.hub.dataDirectory, "hub.db"));
    expect(db.prepare("update bag set provinceTagManifestSha256 = null").run().changes).toBe(1);
    db.close();
    const restored = await supervise([...hub("main.ts"), "--config", config], { logFile: stand.hub.logFile });
    try {
      const archived = join(stand.hub.dataDirectory, "archive", session);
      const report = await until(
        "the bag is whole again",
        async () => {
          const report = await verifyBag(archived);
          return report.whole && report;
        },
        { withinMs: 90_000, everyMs: 500 },
      ).catch(async (error: unknown) => {
        const { differences } = await verifyBag(archived);
        return explained(new Error(JSON.stringify(differences), { cause: error }));
      });
      expect(report.hubCopies).toBeGreaterThan(0);
      const before = await verifyBag(atProvince());
      expect(report).toMatchObject({ segments: before.segments, frames: before.frames, hubCopies: before.hubCopies });
    } finally {
      await restored.stop();
    }
  });
});
