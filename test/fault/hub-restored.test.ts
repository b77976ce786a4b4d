import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifyBag } from "../../src/evidence/evidence.ts";
import { runChecked } from "../../src/platform/platform.ts";
import type { SessionId } from "../../src/protocol/protocol.ts";
import { copiesOf } from "../support/copies.ts";
import { ADMINISTRATOR, raiseStand, standLogs, type Stand } from "../support/stand.ts";
import { supervise, type Supervised } from "../support/supervised.ts";
import { until } from "../support/until.ts";

const repository = join(import.meta.dirname, "../..");
const NAMES = ["Trụ sở Tiếp công dân tỉnh", "UBND xã Ba Tơ"];
let directory: string;
let stand: Stand;
let restored: Supervised | undefined;

const administer = (...args: string[]) =>
  runChecked([
    process.execPath,
    join(repository, "src/hub/administer.ts"),
    ...args,
    "--config",
    join(directory, "hub/hub.json"),
  ]);
const points = () => stand.rooms.map(({ point }, i) => ({ id: point, role: i ? "delegate" : "central" }) as const);
const explained = (what: string, condition: () => Promise<boolean>) =>
  until(what, condition, { withinMs: 90_000, everyMs: 200 }).catch(async (error: unknown) => {
    throw new Error(await standLogs(directory, 40), { cause: error });
  });
const recorded = (session: SessionId, segments: number) =>
  explained(`${segments} segments of each room are at the hub`, async () => {
    const { rooms } = await stand.desk.recording(session);
    return rooms.length === NAMES.length && rooms.every(({ copies }) => copies.hub >= segments);
  });
const archived = (session: SessionId) =>
  explained("all of it is at hub and province", async () => {
    const { copies } = await stand.desk.recording(session);
    return copies.hubComplete && copies.province === copies.recorded;
  });
const differences = async (session: SessionId) => {
  const [archive, province] = [join(stand.hub.dataDirectory, "archive"), stand.province.directory];
  const copies = await Promise.all(
    stand.rooms.map(({ dataDirectory, point }) =>
      copiesOf(session, point, { recordings: join(dataDirectory, "recordings"), archive, province }),
    ),
  );
  return copies.map((room) => ({ segments: room.length, others: room.filter(({ state }) => state !== "whole") }));
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-restored-"));
  stand = await raiseStand({ directory, rooms: NAMES.map((name) => ({ name })) });
});

afterAll(async () => {
  await stand?.[Symbol.asyncDispose]();
  await restored?.stop();
  if (directory) await rm(directory, { recursive: true, force: true });
});

test("never-again 4: a hub that is made from its last backup, on an empty disk, has from its rooms what it had and what was recorded since", async () => {
  const { id: archivedBefore } = await stand.desk.createSession("Buổi đã lưu trước khi sao lưu", points());
  await stand.desk.act(archivedBefore, "start");
  await recorded(archivedBefore, 1);
  await stand.desk.act(archivedBefore, "end");
  await archived(archivedBefore);
  const { id: prepared } = await stand.desk.createSession("Buổi đã lập trước khi sao lưu", points());
  const backups = join(directory, "backups");
  await mkdir(backups);
  await administer("backup", "--to", backups);
  await stand.desk.act(prepared, "start");
  await recorded(prepared, 1);
  await stand.desk.act(prepared, "end");
  await archived(prepared);
  const { id: running } = await stand.desk.createSession("Buổi lập sau khi sao lưu", points());
  await stand.desk.act(running, "start");
  await recorded(running, 1);
  const before = await stand.desk.session(running);

  await stand.hub.process.stop();
  await rm(stand.hub.dataDirectory, { recursive: true });
  const { stdout } = await administer("restore", join(backups, (await readdir(backups))[0]!));
  expect(stdout).toContain(archivedBefore);
  const main = join(repository, "src/hub/main.ts");
  restored = await supervise([process.execPath, main, "--config", join(directory, "hub/hub.json")], {
    logFile: stand.hub.logFile,
  });
  await until("the hub answers", () => fetch(stand.hub.url).then(() => true));
  await stand.desk.signIn(ADMINISTRATOR, stand.password);

  await explained("the running session is there again, with both rooms", async () => {
    const session = (await stand.desk.sessions()).find(({ id }) => id === running);
    return session?.state === "live" && session.points.length === NAMES.length;
  });
  await recorded(running, 3);
  await stand.desk.act(running, "end");
  for (const session of [archivedBefore, prepared, running]) {
    await archived(session);
    for (const { segments, others } of await differences(session)) {
      expect(segments).toBeGreaterThanOrEqual(session === running ? 3 : 1);
      expect(others).toEqual([]);
    }
    // Receipts and signatures too: what lies at the province since before the restoration fits what is stated now.
    for (const store of [join(stand.hub.dataDirectory, "archive"), stand.province.directory])
      await explained(`${store} has a whole bag`, async () => (await verifyBag(join(store, session))).whole);
  }
  const after = await stand.desk.session(running);
  expect(after).toMatchObject({ name: before.name, startedAt: before.startedAt, state: "ended" });
  expect(after.points.map(({ id, role }) => ({ id, role }))).toEqual(expect.arrayContaining(points()));
  expect(after.events.filter(({ kind }) => kind === "rememberedByRoom")).toHaveLength(NAMES.length);
  // No moment without a recording but the start.
  const { rooms } = await stand.desk.recording(running);
  for (const { gaps } of rooms) expect(gaps.map(({ cause }) => cause)).toEqual(["starting"]);
});
