import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openDatabase } from "../../src/hub/database/database.ts";
import type { DiskView, StickView } from "../../src/hub/http/views.ts";
import { diskCode, type RoomState } from "../../src/protocol/protocol.ts";
import { raiseStand, type Stand } from "../support/stand.ts";
import { until } from "../support/until.ts";

const NAME = "UBND xã Ba Vì";
const VOLUME = "3f2a91c4-5d1e-4b6f-8a70-0c9d2e7b1f35";
const FIRST = "bcdefghi-jklnrtuv-cccccccc-dddddddd-eeeeeeee-ffffffff-gggggggg-hhhhhhhh";
const SECOND = FIRST.replaceAll("c", "v");

let directory: string;
let stand: Stand;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-disk-key-"));
  stand = await raiseStand({
    directory,
    rooms: [{ name: NAME, config: { diskKeyFile: join(directory, "key.json") } }],
  });
});
afterEach(async () => {
  await stand[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const leave = (content: object | string) =>
  writeFile(join(directory, "key.json"), typeof content === "string" ? content : JSON.stringify(content));
const disks = () => stand.desk.request<DiskView[]>("GET", `/api/points/${stand.rooms[0]!.point}/disks`);
const stickOf = (box: string) => stand.desk.request<StickView>("POST", `/api/boxes/${box}/disk-key`);
const restartBox = async () => {
  const [room] = stand.rooms;
  room!.process.kill("SIGKILL");
  await until(
    "the box is connected again",
    async () => {
      const state = await fetch(`${room!.roomUrl}/api/room`).then((answer) => answer.json() as Promise<RoomState>);
      return state.connected;
    },
    { withinMs: 30_000 },
  );
};

test("the hub keeps what opens a box's disk, gives it out as a file, and writes down to whom", async () => {
  const [room] = stand.rooms;
  expect(await disks()).toEqual([]);
  await expect(stickOf(room!.box)).rejects.toThrow("404 notFound");

  await leave({ volume: VOLUME, key: FIRST });
  await restartBox();
  const [disk] = await until("the hub has the key", async () => {
    const known = await disks();
    return known.length > 0 && known;
  });
  expect(disk).toMatchObject({ box: room!.box, code: "3F2A-91C4", revokedAt: null });
  const { fileName, text } = await stickOf(room!.box);
  expect(fileName).toBe("diem-cau-mo-o-dia.txt");
  expect(text.split("\r\n")).toContain(FIRST);
  expect(text).toContain(`3F2A-91C4 của điểm cầu ${NAME}`);

  // Made anew by a factory reset: the former one opens nothing any more.
  const remade = VOLUME.replace("3f2a", "0001");
  await leave({ volume: remade, key: SECOND });
  await restartBox();
  await until("the hub has the new one", async () => (await disks())[0]!.code === diskCode(remade));
  expect((await stickOf(room!.box)).text.split("\r\n")).toContain(SECOND);

  // A box that was replaced may hold what nothing else does.
  await stand.desk.revoke(room!.box);
  expect(await disks()).toMatchObject([{ box: room!.box, revokedAt: expect.stringMatching(/^20/) as string }]);
  expect((await stickOf(room!.box)).text.split("\r\n")).toContain(SECOND);

  const db = await openDatabase(join(stand.hub.dataDirectory, "hub.db"));
  const noted = await db
    .selectFrom("auditEntry")
    .select(["actor", "detail"])
    .where("act", "=", "diskKey.given")
    .execute();
  await db.destroy();
  expect(noted.map(({ detail }) => detail)).toEqual(
    [VOLUME, remade, remade].map((volume) => JSON.stringify({ box: room!.box, volume })),
  );
  expect(noted.every(({ actor }) => actor === "Quản trị viên")).toBe(true);
});

test("a file that is no key is told to nobody, and the box is none the worse for it", async () => {
  await leave('{ "volume": "x", "key": "secret-words" }');
  await restartBox();
  await until("it is live again", async () => (await stand.desk.rooms())[0]!.connected);
  expect(await disks()).toEqual([]);
});
