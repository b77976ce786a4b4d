import { createWriteStream } from "node:fs";
import { chmod, mkdtemp, readdir, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDatabase } from "../../src/hub/database/database.ts";
import type { RecordingCopyView } from "../../src/hub/http/views.ts";
import { verifyBag } from "../../src/evidence/evidence.ts";
import { runChecked } from "../../src/platform/platform.ts";
import { makeMaterial, openEvidenceStand, Take, type Material } from "../support/evidence-stand.ts";
import { raiseStand } from "../support/stand.ts";
import { until } from "../support/until.ts";

let directory: string;
let material: Material[];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-copy-"));
  material = await makeMaterial(join(directory, "material"), 3);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const keep = (stream: ReadableStream<Uint8Array>, file: string) =>
  pipeline(Readable.fromWeb(stream as never), createWriteStream(file));
/** By another program's reading of ZIP. */
const unpack = (file: string, folder: string) => runChecked(["python3", "-m", "zipfile", "-e", file, folder]);

test("a session is carried away as one file, by somebody who is written down, and is checked as any bag", async () => {
  const name = "Vụ 12/2026: đất đai";
  await using stand = await raiseStand({ directory: join(directory, "stand"), rooms: [{ name: "UBND xã Ba Tơ" }] });
  const { desk, hub, rooms } = stand;
  const session = await desk.createSession(name, [{ id: rooms[0]!.point, role: "central" }]);
  const copyOf = () => desk.request<RecordingCopyView>("GET", `/api/copies/${session.id}`);
  await desk.act(session.id, "start");
  await until("something is at the hub", async () => (await desk.recording(session.id)).copies.hub > 0, {
    withinMs: 60_000,
  });
  await expect(copyOf()).rejects.toThrow("409 wrongState");
  await desk.act(session.id, "end");
  const { path, sizeBytes } = await until("it can be copied", () => copyOf().catch(() => undefined), {
    withinMs: 60_000,
  });

  const stranger = await fetch(`${hub.url}${path}`);
  expect(stranger.status).toBe(401);
  const response = await fetch(`${hub.url}${path}`, { headers: { cookie: desk.cookie } });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-disposition")).toContain(encodeURIComponent("Vụ 12 2026 đất đai.zip"));
  const file = join(directory, "copy.zip");
  await keep(response.body!, file);
  expect(Number(response.headers.get("content-length"))).toBe((await stat(file)).size);
  // Viewing copies may have come between question and file.
  expect((await stat(file)).size).toBeGreaterThanOrEqual(sizeBytes);

  await unpack(file, join(directory, "carried"));
  const bag = join(directory, "carried", session.id);
  await runChecked(["sha256sum", "--quiet", "--strict", "-c", "manifest-sha256.txt", "tagmanifest-sha256.txt"], {
    cwd: bag,
  });
  expect(await verifyBag(bag)).toMatchObject({ whole: true, differences: [] });

  // Breaking it off costs the hub nothing.
  const breaking = new AbortController();
  const broken = await fetch(`${hub.url}${path}`, { headers: { cookie: desk.cookie }, signal: breaking.signal });
  await broken.body!.getReader().read();
  breaking.abort();

  // A file that has rotted breaks the copy off, and is had from its box again.
  const [first] = (
    await runChecked(["find", join(hub.dataDirectory, "archive", session.id), "-name", "000000.ts"])
  ).stdout.split("\n");
  const { size } = await stat(first!);
  await chmod(first!, 0o600);
  await writeFile(first!, Buffer.alloc(size, 7));
  const spoilt = await fetch(`${hub.url}${path}`, { headers: { cookie: desk.cookie } });
  await expect(keep(spoilt.body!, join(directory, "spoilt.zip"))).rejects.toThrow("terminated");
  await until("it can be copied again", () => copyOf().catch(() => undefined), { withinMs: 60_000 });
  const mended = await fetch(`${hub.url}${path}`, { headers: { cookie: desk.cookie } });
  await keep(mended.body!, join(directory, "mended.zip"));
  expect(hub.process.restarts).toBe(0);

  const db = await openDatabase(join(hub.dataDirectory, "hub.db"));
  const noted = await db.selectFrom("auditEntry").select(["actor", "detail"]).where("act", "=", "copyTaken").execute();
  await db.destroy();
  expect(noted).toHaveLength(4);
  expect(noted[0]).toEqual({
    ...{ actor: "Quản trị viên" },
    detail: JSON.stringify({ session: session.id, sizeBytes: (await stat(file)).size }),
  });
});

describe("of a bag that has come to harm", () => {
  const finished = async () => {
    const stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    stand.start();
    const take = new Take(box, stand.session);
    for (const item of material) take.segment(item);
    take.end();
    await stand.archive.records.accept(box.id, take.message());
    await box.uploadAll(take);
    stand.archive.inboxChanged(box.id);
    await stand.endSession();
    const copy = await until("the bag is finished, with its viewing copy", async () => {
      const bag = await stand.db.selectFrom("bag").selectAll().executeTakeFirst();
      return bag?.viewing === 1 && bag.additions === 0 && (await stand.archive.copyOf(stand.session));
    });
    const media = (seq: number) =>
      join(stand.directories.archive, stand.session, "data", box.point, take.take, `00000${seq}.ts`);
    const waiting = () =>
      stand.db
        .selectFrom("segment")
        .select("seq")
        .where("hubState", "=", "waiting")
        .execute()
        .then((rows) => rows.map(({ seq }) => seq));
    return { stand, copy, media, waiting };
  };

  test("no copy comes to its end, and what differs is had again", async () => {
    const { stand, copy, media, waiting } = await finished();
    await using _ = stand;
    const whole = join(directory, "whole.zip");
    await keep(copy.open(), whole);
    expect((await stat(whole)).size).toBe(copy.sizeBytes);

    await chmod(media(1), 0o600);
    const { size } = await stat(media(1));
    await writeFile(media(1), Buffer.alloc(size, 7));
    const again = (await stand.archive.copyOf(stand.session))!;
    await expect(keep(again.open(), join(directory, "spoilt.zip"))).rejects.toThrow("is not what the bag states of it");
    expect(await waiting()).toEqual([1]);
    expect(await stand.archive.copyOf(stand.session)).toBeUndefined();
  });

  test("one that somebody breaks off leaves no file open, and the hub as it was", async () => {
    const { stand, copy } = await finished();
    await using _ = stand;
    const openFiles = async () => {
      const links = await readdir("/proc/self/fd").then((fds) =>
        Promise.all(fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ""))),
      );
      return links.filter((path) => path.startsWith(stand.directories.archive) && /\.(ts|mp4)$/.test(path));
    };
    const reader = copy.open().getReader();
    await until("it reads a recording", async () => {
      await reader.read();
      return (await openFiles()).length > 0;
    });
    await reader.cancel();
    await until("it is closed", async () => (await openFiles()).length === 0);
    const after = join(directory, "after.zip");
    await keep((await stand.archive.copyOf(stand.session))!.open(), after);
    expect((await stat(after)).size).toBe(copy.sizeBytes);
  });

  test("nothing is begun where a recording has gone", async () => {
    const { stand, media, waiting } = await finished();
    await using _ = stand;
    await rm(media(2));
    expect(await stand.archive.copyOf(stand.session)).toBeUndefined();
    expect(await waiting()).toEqual([2]);
  });
});
