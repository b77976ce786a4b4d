import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyBag } from "../../src/evidence/evidence.ts";
import { createCarried, type Carried } from "../../src/hub/archive/archive.ts";
import type { CarriedView } from "../../src/hub/http/views.ts";
import { systemClock } from "../../src/platform/platform.ts";
import { segmentFileName, type RoomState, type SessionId } from "../../src/protocol/protocol.ts";
import { makeMaterial, openEvidenceStand, Take, type EvidenceStand, type Material } from "../support/evidence-stand.ts";
import { raiseStand, standLogs, type RoomProcess } from "../support/stand.ts";
import { until } from "../support/until.ts";

let directory: string;
let material: Material[];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-carried-"));
  material = await makeMaterial(join(directory, "material"), 3);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test("two boxes that are no more: what only their disks have is brought, and is as good as sent", async () => {
  await using stand = await raiseStand({
    directory: join(directory, "stand"),
    rooms: [
      { name: "UBND xã Ba Tơ", cable: true },
      { name: "UBND xã Ba Vì", cable: true },
    ],
  });
  const explained = async (error: unknown): Promise<never> => {
    throw new Error(await standLogs(join(directory, "stand")), { cause: error });
  };
  const { desk, hub, rooms } = stand;
  const [planned, alone] = rooms as [RoomProcess, RoomProcess];
  const state = async (room: RoomProcess) => (await (await fetch(`${room.roomUrl}/api/room`)).json()) as RoomState;
  const recorded = (room: RoomProcess, seconds: number) =>
    until("it is recorded", async () => ((await state(room)).recording?.seconds ?? 0) > seconds, {
      withinMs: 60_000,
      everyMs: 100,
    }).catch(explained);
  const press = async (room: RoomProcess, act: "start" | "stop", session: SessionId | null) => {
    const headers = { "content-type": "application/json", origin: room.roomUrl };
    const body = JSON.stringify({ session });
    const answer = await fetch(`${room.roomUrl}/api/room/${act}`, { method: "POST", headers, body });
    expect(answer.status).toBe(204);
  };

  // A planned session, of which the end never left the room; and one of which the hub has never heard.
  const { id } = await desk.createSession("Vụ 12", [{ id: planned.point, role: "central" }]);
  await desk.act(id, "start");
  alone.cable!.cut();
  await until("the room is alone", async () => (await state(alone)).start !== null, { withinMs: 30_000 }).catch(
    explained,
  );
  await press(alone, "start", null);
  await until("some of it is at the hub", async () => (await desk.recording(id)).copies.hub > 0, {
    withinMs: 60_000,
  }).catch(explained);
  planned.cable!.cut();
  await recorded(planned, 22);
  await recorded(alone, 5);
  for (const room of rooms) await room.process.stop();
  await desk.act(id, "end");
  for (const room of rooms) await desk.revoke(room.box);
  const before = (await desk.recording(id)).copies;
  expect(before.hubComplete).toBe(false);

  const bring = hub.dataDirectory + "/recording-import";
  await cp(join(planned.dataDirectory, "recordings"), join(bring, "o-dia-1/lib/diemcau/recordings"), {
    recursive: true,
  });
  await cp(join(alone.dataDirectory, "recordings"), join(bring, "o-dia-2/recordings"), { recursive: true });
  const look = () => desk.request<CarriedView>("GET", "/api/carried");
  const takeIn = async (folder: string) => {
    await desk.request("POST", "/api/carried", { folder });
    return until("it has been taken in", async () => {
      const { run } = await look();
      return run?.folder === folder && run.endedAt !== null && run;
    });
  };
  expect((await look()).folders).toEqual([
    { folder: "o-dia-1/lib/diemcau/recordings", sessions: 1, points: [planned.name], readable: true },
    { folder: "o-dia-2/recordings", sessions: 1, points: [alone.name], readable: true },
  ]);
  await expect(takeIn("../../..")).rejects.toThrow("404 notFound");

  const first = await takeIn("o-dia-1/lib/diemcau/recordings");
  expect(first).toMatchObject({ damaged: 0, missing: 0, refused: [], had: before.hub });
  expect(first.taken).toBeGreaterThan(0);
  await takeIn("o-dia-2/recordings");
  const sessions = await desk.sessions();
  const unplanned = sessions.find(({ adHoc }) => adHoc)!;
  expect(unplanned).toMatchObject({ name: `Buổi tiếp tại ${alone.name}`, state: "ended" });
  for (const session of [id, unplanned.id]) {
    const whole = await until("all of it is at the hub", async () => {
      const { copies } = await desk.recording(session);
      return copies.hubComplete && copies;
    }).catch(explained);
    expect(whole.hub).toBe(whole.recorded);
    const bag = join(hub.dataDirectory, "archive", session);
    await until("its bag is whole", async () => (await verifyBag(bag)).whole, { withinMs: 30_000 }).catch(explained);
  }
  expect((await desk.recording(id)).copies.hub).toBe(before.hub + first.taken);

  // Once more changes nothing.
  const again = await takeIn("o-dia-1/lib/diemcau/recordings");
  expect(again).toMatchObject({ taken: 0, had: before.hub + first.taken, refused: [] });
});

describe("what is brought is believed as little as what is sent", () => {
  let stand: EvidenceStand;
  let carried: Carried;
  let stop: () => Promise<void>;
  let bring: string;

  beforeAll(async () => {
    stand = await openEvidenceStand({ boxes: 2 });
    stop = stand.start();
    bring = join(stand.root, "bring");
    const { db, log, archive, directories } = stand;
    carried = createCarried({
      ...{ db, log, clock: systemClock, directory: bring, inbox: directories.inbox },
      ...{ records: archive.records, admit: (box) => archive.admit(box) },
      inboxChanged: (box) => archive.inboxChanged(box),
      boxKey: async (box) => stand.boxes.find(({ id }) => id === box)?.certificatePem,
      adopt: async () => {},
      audit: async () => {},
    });
  });
  afterAll(async () => {
    await carried?.close();
    await stop?.();
    await stand?.[Symbol.asyncDispose]();
  });

  /** As a box leaves it on its medium. */
  async function write(folder: string, take: Take, session: SessionId = stand.session): Promise<string> {
    const path = join(bring, folder, "recordings", session, take.take);
    await mkdir(path, { recursive: true });
    await writeFile(join(path, "records.jsonl"), take.records.map((signed) => `${JSON.stringify(signed)}\n`).join(""));
    for (const { name, material } of take.segments) await cp(material.path, join(path, segmentFileName(name.seq)));
    return path;
  }
  function recordThree(box = stand.boxes[0]!): Take {
    const take = new Take(box, stand.session);
    for (const one of material) take.segment(one);
    return take;
  }
  async function takeIn(folder: string) {
    const outcome = await carried.takeIn(`${folder}/recordings`, "Lan");
    if (!outcome.ok) throw new Error(outcome.detail);
    return until("it has been taken in", async () => {
      const { run } = await carried.view();
      return run?.endedAt != null && run;
    });
  }
  const verified = async (take: Take) =>
    (
      await stand.db
        .selectFrom("segment")
        .select("seq")
        .where("takeId", "=", take.take)
        .where("hubState", "=", "verified")
        .orderBy("seq")
        .execute()
    ).map(({ seq }) => seq);

  test("a take that never ended, its last line torn: all that was signed comes in", async () => {
    const take = recordThree();
    const path = await write("torn", take);
    const records = join(path, "records.jsonl");
    await truncate(records, (await readFile(records)).length - 5);
    // Recorded after the last record: nobody signed it.
    await cp(material[0]!.path, join(path, segmentFileName(3)));
    expect(await takeIn("torn")).toMatchObject({ taken: 2, damaged: 0, missing: 0, refused: [] });
    await until("both are verified", async () => (await verified(take)).length === 2);
  });

  test("a record that the medium does not give back any more: what comes before it comes in, and it is said", async () => {
    const take = recordThree();
    const records = join(await write("worn", take), "records.jsonl");
    const lines = (await readFile(records, "utf8")).split("\n");
    lines[2] = "\0".repeat(lines[2]!.length);
    await writeFile(records, lines.join("\n"));
    expect(await takeIn("worn")).toMatchObject({
      taken: 1,
      refused: [{ session: stand.session, reason: "unreadable" }],
    });
    await until("the first is verified", async () => (await verified(take)).length === 1);
  });

  test("a file that is not what was signed, or is missing, or is a link stays out, and the others come in", async () => {
    const take = recordThree();
    const path = await write("damaged", take);
    const bytes = await readFile(join(path, segmentFileName(0)));
    bytes[1_000]! ^= 1;
    await writeFile(join(path, segmentFileName(0)), bytes);
    await rm(join(path, segmentFileName(1)));
    expect(await takeIn("damaged")).toMatchObject({ taken: 1, damaged: 1, missing: 1 });
    await until("the third is verified", async () => (await verified(take)).includes(2));
    expect(await verified(take)).toEqual([2]);
    // Found later, on another medium.
    await rm(path, { recursive: true });
    const whole = await write("damaged", take);
    await rm(join(whole, segmentFileName(1)));
    await symlink(material[1]!.path, join(whole, segmentFileName(1)));
    expect(await takeIn("damaged")).toMatchObject({ taken: 1, had: 1, damaged: 1 });
    await until("the first is verified", async () => (await verified(take)).includes(0));
    expect(
      await readdir(dirname(stand.boxes[0]!.inboxPath({ session: stand.session, take: take.take, seq: 0 }))),
    ).toEqual([]);
  });

  test("a record that was changed ends its take there", async () => {
    const take = recordThree();
    take.records[2] = { ...take.records[2]!, record: take.records[2]!.record.replace('"frames":', '"frames":1') };
    await write("forged", take);
    expect(await takeIn("forged")).toMatchObject({ taken: 1, refused: [{ reason: "recordsRefused" }] });
    await until("what came before it is verified", async () => (await verified(take)).length === 1);
    expect(await verified(take)).toEqual([0]);
  });

  test("a box of another hub, and a room that had no part in the session", async () => {
    const foreign = recordThree(stand.boxes[1]);
    await write("foreign", foreign);
    const { certificatePem, id } = stand.boxes[1]!;
    Object.assign(stand.boxes[1]!, { id: `${id.slice(0, -1)}${id.endsWith("a") ? "b" : "a"}` });
    expect(await takeIn("foreign")).toMatchObject({ taken: 0, refused: [{ reason: "unknownBox" }] });
    Object.assign(stand.boxes[1]!, { id, certificatePem });
    await stand.db.deleteFrom("sessionPoint").where("pointId", "=", stand.boxes[1]!.point).execute();
    expect(await takeIn("foreign")).toMatchObject({ taken: 0, refused: [{ reason: "recordsRefused" }] });
    expect(await verified(foreign)).toEqual([]);
  });
});
