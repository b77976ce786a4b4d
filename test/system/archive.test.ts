import {
  appendFile,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { STORAGE_FILE } from "../../src/hub/archive/archive.ts";
import { createRereading } from "../../src/hub/archive/rereading.ts";
import {
  archiveTakePath,
  makeId,
  PointId,
  type HubMessage,
  type SegmentName,
  type SegmentRecord,
} from "../../src/protocol/protocol.ts";
import { runChecked, runProcess, sha256File, startProcess, systemClock } from "../../src/platform/platform.ts";
import { signatureHolds, verifyBag } from "../../src/evidence/evidence.ts";
import {
  countFrames,
  makeMaterial,
  openEvidenceStand,
  Take,
  type EvidenceStand,
  type Material,
} from "../support/evidence-stand.ts";
import { until } from "../support/until.ts";

let directory: string;
let material: Material[];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-material-"));
  material = await makeMaterial(directory, 4);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const bagOf = (stand: EvidenceStand) => join(stand.directories.archive, stand.session);
const copiesOf = async (stand: EvidenceStand) => (await stand.archive.summary(stand.session))!.copies;

/** Finished, with the viewing copies in the tag manifest. */
const bagFinished = (stand: EvidenceStand) =>
  until("the bag is finished", async () => {
    const bag = await stand.db.selectFrom("bag").selectAll().executeTakeFirst();
    return bag?.viewing === 1 && bag.additions === 0;
  });

const verified = (stand: EvidenceStand, count: number) =>
  until(`${count} segments are verified`, async () => (await copiesOf(stand)).hub === count);

const logged = (stand: EvidenceStand, event: string) => stand.logged.filter((line) => line.event === event);

const messages = <T extends HubMessage["type"]>(stand: EvidenceStand, type: T) =>
  stand.sent.flatMap(({ message }) => (message.type === type ? [message as HubMessage & { type: T }] : []));

/** A take of the given segments, its records accepted. */
async function recorded(stand: EvidenceStand, items: Material[], { end = true } = {}): Promise<Take> {
  const [box] = stand.boxes;
  const take = new Take(box!, stand.session);
  for (const item of items) take.segment(item);
  if (end) take.end();
  await stand.archive.records.accept(box!.id, take.message());
  return take;
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}

/** The same bytes with one bit of the middle changed. */
async function tampered(path: string): Promise<Buffer> {
  const bytes = await readFile(path);
  bytes[bytes.length >> 1]! ^= 1;
  return bytes;
}

/** Puts other bytes where a sealed, read-only file is. */
async function overwrite(path: string, data: string | Uint8Array): Promise<void> {
  await rm(path);
  await writeFile(path, data);
}

describe("a session becomes evidence", () => {
  test("that sha256sum, openssl and our own command accept, and that plays frame for frame", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    stand.start();
    // Files before records, then records before files.
    const first = new Take(box, stand.session);
    for (const item of material.slice(0, 2)) first.segment(item);
    first.end();
    await box.uploadAll(first);
    stand.archive.inboxChanged(box.id);
    await stand.archive.records.accept(box.id, first.message());
    const second = new Take(box, stand.session);
    second.gap("paused", 1500);
    for (const item of material.slice(2)) second.segment(item);
    second.end();
    await stand.archive.records.accept(box.id, second.message());
    await box.uploadAll(second);
    stand.archive.inboxChanged(box.id);
    await stand.endSession();
    await bagFinished(stand);
    const bag = bagOf(stand);

    for (const manifest of ["manifest-sha256.txt", "tagmanifest-sha256.txt"])
      await runChecked(["sha256sum", "--check", "--quiet", "--strict", manifest], { cwd: bag });
    const openssl = (key: string, file: string) =>
      runChecked(["openssl", "dgst", "-sha256", "-verify", key, "-signature", `${file}.sig`, file], { cwd: bag });
    const boxKey = `keys/${box.id}.pub.pem`;
    for (const take of [first, second]) {
      const folder = `data/${box.point}/${take.take}`;
      await openssl("keys/hub.pub.pem", `${folder}/chain.jsonl`);
      await openssl(boxKey, `${folder}/record-000000.json`);
      for (const seq of [0, 1]) {
        await openssl(boxKey, `${folder}/00000${seq}.json`);
        await openssl("keys/hub.pub.pem", `${folder}/00000${seq}.receipt.json`);
        const record = JSON.parse(await readFile(join(bag, folder, `00000${seq}.json`), "utf8")) as { sha256: string };
        expect(await sha256File(join(bag, folder, `00000${seq}.ts`))).toMatchObject({ sha256: record.sha256 });
      }
    }
    await openssl("keys/hub.pub.pem", "tagmanifest-sha256.txt");
    const ca = ["-no_check_time", "-CAfile", "keys/ca.pem"];
    await runChecked(["openssl", "verify", ...ca, `keys/${box.id}.crt.pem`], { cwd: bag });

    const frames = material.reduce((sum, item) => sum + item.frames, 0);
    expect(await verifyBag(bag)).toMatchObject({
      whole: true,
      differences: [],
      takes: 2,
      segments: 4,
      gaps: 1,
      frames,
    });
    expect(await countFrames(join(bag, "viewing", `${box.point}.mp4`))).toBe(frames);

    // The playlist lies where its addresses fit, as they do under the desk's API.
    const playlist = join(bag, "data", box.point, "index.m3u8");
    await writeFile(playlist, (await stand.archive.playlist(stand.session, box.point))!);
    const null_ = ["-map", "0:v", "-f", "null", "-"];
    const { stderr } = await runChecked(["ffmpeg", "-nostdin", "-loglevel", "info", "-i", playlist, ...null_]);
    expect(Number(/frame=\s*(\d+)[^\r\n]*$/m.exec(stderr.split("\r").at(-1)!)?.[1])).toBe(frames);

    const receipts = messages(stand, "receipts").flatMap(({ items }) => items);
    expect(receipts).toHaveLength(4);
    for (const receipt of receipts) expect(signatureHolds(receipt, stand.hub.receiptKeyPem)).toBe(true);
    await stand.archive.records.have(box.id, [second.message()]);
    expect(await stand.archive.records.receipts(box.id, [])).toHaveLength(2);
    await stand.archive.records.have(box.id, []);
    expect(await stand.archive.records.receipts(box.id, [second.take]), "not at the province yet").toEqual([]);
    expect(await filesBelow(stand.directories.inbox)).toEqual([]);
  });

  test("a room whose viewing copy cannot be made takes nothing from the others, and the bag is whole", async () => {
    await using stand = await openEvidenceStand({ boxes: 2 });
    stand.start();
    const noise = join(directory, "noise.ts");
    await writeFile(noise, randomBytes(20_000));
    const unplayable = { path: noise, frames: 25, ...(await sha256File(noise)) };
    for (const [index, item] of [unplayable, material[0]!].entries()) {
      const box = stand.boxes[index]!;
      const take = new Take(box, stand.session);
      take.segment(item);
      take.end();
      await stand.archive.records.accept(box.id, take.message());
      await box.uploadAll(take);
      stand.archive.inboxChanged(box.id);
    }
    await verified(stand, 2);
    await stand.endSession();
    const playable = join(bagOf(stand), "viewing", `${stand.boxes[1]!.point}.mp4`);
    await until("the bag names the one that could be made", async () => {
      const manifest = await readFile(join(bagOf(stand), "tagmanifest-sha256.txt"), "utf8");
      return manifest.includes(playable.split("/").at(-1)!) && (await verifyBag(bagOf(stand))).whole;
    });
    expect(await countFrames(playable)).toBe(25);
  });

  test("a room's screen is a second track beside the room: its own chain, playlist and viewing copy", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    const companion = { companionUrl: "https://hop.vn/1", companionName: "Họp" };
    await stand.db.updateTable("session").set(companion).execute();
    stand.start();
    const [room, screen] = [new Take(box, stand.session), new Take(box, stand.session, "screen")];
    // Both at the same time: their records come in turns.
    room.segment(material[0]!);
    screen.gap("starting", 700);
    screen.segment(material[2]!);
    room.segment(material[1]!);
    room.end();
    await box.uploadAll(room);
    await stand.archive.records.accept(box.id, room.message());
    await stand.endSession();
    await verified(stand, 2);
    expect((await copiesOf(stand)).hubComplete, "nothing is known of the screen").toBe(false);
    for (const part of [screen.message(0, 2), screen.message(2)]) await stand.archive.records.accept(box.id, part);
    screen.end();
    await stand.archive.records.accept(box.id, screen.message(3));
    await box.uploadAll(screen);
    const later = new Take(box, stand.session, "screen");
    later.gap("deviceLost", 300);
    later.segment(material[3]!);
    later.end();
    await box.uploadAll(later);
    await stand.archive.records.accept(box.id, later.message());
    stand.archive.inboxChanged(box.id);
    await verified(stand, 4);
    await bagFinished(stand);
    expect(await copiesOf(stand)).toMatchObject({ recorded: 4, hubComplete: true });

    const bag = bagOf(stand);
    expect(await verifyBag(bag)).toMatchObject({ whole: true, differences: [], takes: 3, screenTakes: 2, segments: 4 });
    const framesOf = (...items: number[]) => items.reduce((sum, i) => sum + material[i]!.frames, 0);
    expect(await countFrames(join(bag, "viewing", `${box.point}.mp4`))).toBe(framesOf(0, 1));
    expect(await countFrames(join(bag, "viewing", `${box.point}-screen.mp4`))).toBe(framesOf(2, 3));
    const info = await readFile(join(bag, "bag-info.txt"), "utf8");
    expect(info).toContain(`Room: ${box.point} Phòng 0; takes 1; frames ${framesOf(0, 1)}\n`);
    expect(info).toContain(`Screen: ${box.point} Phòng 0; takes 2; frames ${framesOf(2, 3)}\n`);

    const takesIn = async (track: "room" | "screen") =>
      [...(await stand.archive.playlist(stand.session, box.point, track))!.matchAll(/^(take-.*)\/.*$/gm)].map(
        (m) => m[1],
      );
    expect(await takesIn("room")).toEqual([room.take, room.take]);
    expect(await takesIn("screen")).toEqual([screen.take, later.take]);
    const view = (await stand.archive.recording(stand.session))!.rooms[0]!;
    expect(view.gaps).toEqual([]);
    expect(view.screen!.gaps.map(({ cause }) => cause)).toEqual(["starting", "deviceLost"]);
    expect(view.screen!.segments.map(({ take }) => take)).toEqual([screen.take, later.take]);
    // The room's time line is its own: the screen's takes, which lie over it, push nothing.
    expect(view.segments[0]!.startedAt).toBe((room.parsed[1] as SegmentRecord).startedAt.utc);
  });

  test("a take that comes after the bag was finished is added, and nothing that was there changes", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    stand.start();
    await box.uploadAll(await recorded(stand, material.slice(0, 1)));
    stand.archive.inboxChanged(box.id);
    await stand.endSession();
    await bagFinished(stand);
    const before = new Map<string, string>();
    for (const file of await filesBelow(join(bagOf(stand), "data"))) before.set(file, (await sha256File(file)).sha256);
    await box.uploadAll(await recorded(stand, material.slice(1, 2)));
    stand.archive.inboxChanged(box.id);
    await until("two takes in the bag", async () => {
      const bag = await stand.db.selectFrom("bag").selectAll().executeTakeFirst();
      return bag?.viewing === 1 && bag.additions === 0 && (await verifyBag(bagOf(stand))).takes === 2;
    });
    for (const [file, sha256] of before) expect((await sha256File(file)).sha256).toBe(sha256);
    expect(await verifyBag(bagOf(stand))).toMatchObject({ whole: true, segments: 2 });
  });

  test("playback gives verified segments and nothing else", async () => {
    await using stand = await openEvidenceStand({ boxes: 2 });
    const [box, other] = stand.boxes;
    stand.start();
    const take = await recorded(stand, material.slice(0, 2), { end: false });
    expect(await stand.archive.playlist(stand.session, box!.point)).toBeUndefined();
    await box!.upload(take.segments[0]!.name, material[0]!.path);
    stand.archive.inboxChanged(box!.id);
    await verified(stand, 1);
    const file = (point = box!.point, name = "000000.ts") =>
      stand.archive.segmentFile(stand.session, point, take.take, name);
    expect(await sha256File((await file())!)).toMatchObject({ sha256: material[0]!.sha256 });
    expect(await file(box!.point, "000001.ts")).toBeUndefined();
    expect(await file(other!.point)).toBeUndefined();
    expect(await file(box!.point, "../../../../hub.sqlite")).toBeUndefined();
    expect(await file(box!.point, "000000.json")).toBeUndefined();
    const view = await stand.archive.recording(stand.session);
    expect(view!.copies).toMatchObject({ recorded: 2, hub: 1, hubComplete: false });
    expect(view!.rooms.find(({ point }) => point.id === box!.point)!.segments.map(({ hub }) => hub)).toEqual([
      "verified",
      "waiting",
    ]);
    // The same in short, and one room in full.
    const inFull = view!.rooms.find(({ point }) => point.id === box!.point)!;
    expect(await stand.archive.roomRecording(stand.session, box!.point)).toEqual(inFull);
    const { segments, ...rest } = inFull;
    const inShort = (await stand.archive.overview(stand.session))!.rooms.find(({ point }) => point.id === box!.point);
    expect(inShort).toMatchObject(rest);
    expect(inShort!.spans.map(({ hub, sizeBytes }) => [hub, sizeBytes])).toEqual(
      segments.map(({ hub, sizeBytes }) => [hub, sizeBytes]),
    );
    expect(await stand.archive.roomRecording(stand.session, PointId.parse(`point-${"z".repeat(16)}`))).toBeUndefined();
    expect(await stand.archive.summaries()).toEqual([await stand.archive.summary(stand.session)]);
  });
});

describe("how loud a recording is", () => {
  /** At nice 19 a busy machine leaves it little. */
  const PATIENT = { withinMs: 60_000 };

  test("is measured from the sealed files when somebody asks, is kept, and touches nothing of the bag", async () => {
    await using stand = await openEvidenceStand();
    const [box] = stand.boxes;
    stand.start();
    const take = await recorded(stand, material.slice(0, 3));
    await box!.uploadAll(take);
    stand.archive.inboxChanged(box!.id);
    await verified(stand, 3);
    const ask = () => stand.archive.loudness(stand.session, box!.point, "room");
    await until("all of it is measured", async () => (await ask())!.complete, PATIENT);
    const { stepMs, levels } = (await ask())!;
    const bytes = [...Buffer.from(levels, "base64")];
    expect(stepMs).toBe(250);
    expect(bytes).toHaveLength(12);
    // FFmpeg's sine is 21 dB below full scale (RMS); the first and the last step may hold less than all of theirs.
    for (const level of bytes.slice(1, -1)) expect(Math.abs(level - 165)).toBeLessThan(12);
    expect(await stand.archive.loudness(stand.session, box!.point, "screen")).toBeUndefined();

    await stand.endSession();
    await until("the bag is whole", async () => (await verifyBag(bagOf(stand))).whole, PATIENT);
    expect((await filesBelow(bagOf(stand))).filter((path) => path.includes("loudness"))).toEqual([]);
    // What is kept is a cache: with it gone, the same is measured again.
    await rm(join(stand.directories.archive, ".loudness"), { recursive: true });
    await until("it is measured again", async () => (await ask())!.complete, PATIENT);
    expect((await ask())!.levels).toBe(levels);
  });

  test("that has no sound, or cannot be read, is silence and not asked for ever", async () => {
    await using stand = await openEvidenceStand();
    const [box] = stand.boxes;
    stand.start();
    const noise = join(directory, "no-sound.ts");
    await writeFile(noise, randomBytes(20_000));
    const take = await recorded(stand, [{ path: noise, frames: 25, ...(await sha256File(noise)) }]);
    await box!.uploadAll(take);
    stand.archive.inboxChanged(box!.id);
    await verified(stand, 1);
    const ask = () => stand.archive.loudness(stand.session, box!.point, "room");
    await until("it is given up", async () => (await ask())!.complete, PATIENT);
    expect([...Buffer.from((await ask())!.levels, "base64")].every((level) => level === 0)).toBe(true);
    expect(logged(stand, "archive.loudness")).toHaveLength(1);
  });
});

describe("what a box sends is not believed", () => {
  test("tampered and truncated files are kept aside and asked for again, until the right one comes (never-again 4, 9)", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    stand.start();
    const take = await recorded(stand, material.slice(0, 2));
    const lies = [await tampered(material[0]!.path), (await readFile(material[1]!.path)).subarray(0, 1000)];
    for (const [seq, bytes] of lies.entries()) {
      const path = box.inboxPath(take.segments[seq]!.name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes);
    }
    stand.archive.inboxChanged(box.id);
    await until("both are asked for again", () => messages(stand, "resend").length === 2);
    expect(messages(stand, "resend").map(({ seq, reason }) => [seq, reason])).toEqual(
      expect.arrayContaining([
        [0, "hashDiffers"],
        [1, "sizeDiffers"],
      ]),
    );
    expect(await copiesOf(stand)).toMatchObject({ hub: 0, refused: 2 });
    expect(await filesBelow(stand.directories.quarantine)).toHaveLength(2);
    expect(logged(stand, "archive.refused")[0]).toMatchObject({ box: box.id, level: "warn" });
    await box.uploadAll(take);
    stand.archive.inboxChanged(box.id);
    await verified(stand, 2);
    expect(await copiesOf(stand)).toMatchObject({ refused: 0 });
    expect(await filesBelow(stand.directories.quarantine)).toHaveLength(2);
  });

  test("a segment that its box has signed as lost is waited for no longer, and the bag says so (never-again 4, 10)", async () => {
    await using stand = await openEvidenceStand();
    stand.start();
    const [box] = stand.boxes;
    const take = await recorded(stand, material.slice(0, 2));
    await box!.upload(take.segments[0]!.name, material[0]!.path);
    await mkdir(dirname(box!.inboxPath(take.segments[1]!.name)), { recursive: true });
    await writeFile(box!.inboxPath(take.segments[1]!.name), await tampered(material[1]!.path));
    stand.archive.inboxChanged(box!.id);
    await until("it is refused", async () => (await copiesOf(stand)).refused === 1);
    await stand.endSession();

    const statement = new Take(box!, stand.session);
    statement.gap("segmentDamaged", 1_000, { segment: { take: take.take, seq: 1 } });
    statement.end();
    await stand.archive.records.accept(box!.id, statement.message());
    expect(await copiesOf(stand)).toMatchObject({ recorded: 2, hub: 1, refused: 0, hubComplete: true });
    await bagFinished(stand);
    const report = await verifyBag(bagOf(stand));
    expect(report).toMatchObject({ whole: true, segments: 2, gaps: 1 });
    expect(report.differences.map(({ code }) => code)).toEqual(["segmentDamaged"]);

    // A whole copy that turns up after all is taken.
    await box!.upload(take.segments[1]!.name, material[1]!.path);
    stand.archive.inboxChanged(box!.id);
    await verified(stand, 2);
    await bagFinished(stand);
    expect(await verifyBag(bagOf(stand))).toMatchObject({ whole: true, differences: [] });
  });

  test("never-again 10: a gap stands in the timeline with its cause as the box has signed it, and one that it has not signed is refused", async () => {
    await using stand = await openEvidenceStand({ boxes: 2 });
    const [box, other] = stand.boxes;
    const { records } = stand.archive;
    const take = new Take(box!, stand.session);
    take.segment(material[0]!);
    take.gap("encoderDied", 1_500);
    expect(await records.accept(box!.id, take.message())).toMatchObject({ nextN: 3 });
    const gaps = async () =>
      (await stand.archive.recording(stand.session))!.rooms.find(({ point }) => point.id === box!.point)!.gaps;
    expect(await gaps()).toMatchObject([{ take: take.take, cause: "encoderDied", durationMs: 1_500 }]);
    take.gap("paused", 60_000);
    const forged = other!.signer(take.records[3]!.record);
    expect(await records.accept(box!.id, { ...take.message(3), items: [forged] })).toMatchObject({ nextN: 3 });
    expect(await gaps()).toHaveLength(1);
  });

  test("a link in the inbox is never followed, and strays are left where they are", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    stand.start();
    const take = await recorded(stand, material.slice(0, 2));
    const [first, second] = take.segments.map(({ name }) => box.inboxPath(name));
    await mkdir(dirname(first!), { recursive: true });
    await symlink(material[0]!.path, first!);
    await copyFile(material[0]!.path, join(dirname(first!), "notes.txt"));
    await mkdir(join(dirname(first!), ".rsync-partial"));
    await copyFile(material[1]!.path, join(dirname(first!), ".rsync-partial", "000001.ts"));
    await copyFile(material[1]!.path, second!);
    stand.archive.inboxChanged(box.id);
    await verified(stand, 1);
    expect((await lstat(first!)).isSymbolicLink()).toBe(true);
    expect((await filesBelow(dirname(first!))).map((path) => path.slice(dirname(first!).length + 1)).sort()).toEqual([
      ".rsync-partial/000001.ts",
      "000000.ts",
      "notes.txt",
    ]);
    expect(logged(stand, "archive.stray").length).toBeGreaterThan(0);
  });

  test("records may come twice and out of order; a rewritten one is refused and leaves an audit entry", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    const { records } = stand.archive;
    const take = new Take(box, stand.session);
    for (const item of material) take.segment(item);
    expect(await records.accept(box.id, take.message(2))).toMatchObject({ nextN: 0 });
    const answers = await Promise.all([
      records.accept(box.id, take.message(0, 3)),
      records.accept(box.id, take.message(0, 3)),
      records.accept(box.id, take.message(1)),
    ]);
    expect(answers.map(({ nextN }) => nextN)).toEqual([3, 3, 5]);
    expect(await records.have(box.id, [take.message()])).toEqual([
      { type: "have", session: stand.session, take: take.take, nextN: 5 },
    ]);
    const rewritten = JSON.parse(take.records[2]!.record) as object;
    const lie = box.signer(JSON.stringify({ ...rewritten, sha256: "f".repeat(64) }));
    for (let time = 0; time < 2; time++)
      expect(await records.accept(box.id, { ...take.message(2, 1), items: [lie] })).toMatchObject({ nextN: 5 });
    expect(logged(stand, "archive.rewrite")).toHaveLength(1);
    const audits = await stand.db.selectFrom("auditEntry").selectAll().where("act", "=", "recordRewritten").execute();
    expect(audits).toHaveLength(1);
    expect(JSON.parse(audits[0]!.detail)).toMatchObject({ box: box.id, n: 2, offered: lie.record });
    const held = await stand.db.selectFrom("record").select(["record", "countersignature"]).orderBy("n").execute();
    expect(held.map(({ record }) => record)).toEqual(take.records.map(({ record }) => record));
    for (const { record, countersignature: signature } of held)
      expect(signatureHolds({ record, signature }, stand.hub.receiptKeyPem)).toBe(true);
  });

  test("another box's take, an unknown session and a stranger's session are refused without harm", async () => {
    await using stand = await openEvidenceStand({ boxes: 2 });
    const [box, other] = stand.boxes;
    stand.start();
    const take = await recorded(stand, material.slice(0, 1));
    expect(await stand.archive.records.accept(other!.id, take.message())).toMatchObject({ nextN: 3 });
    await other!.upload(take.segments[0]!.name, material[0]!.path);
    stand.archive.inboxChanged(other!.id);
    await until("the foreign file is kept aside", async () => {
      const kept = await filesBelow(stand.directories.quarantine);
      return kept.length === 1 && kept[0]!.includes(other!.id);
    });
    expect((await copiesOf(stand)).hub).toBe(0);
    const unknown = new Take(box!, `session-${"a".repeat(16)}` as SegmentName["session"]);
    expect(await stand.archive.records.accept(box!.id, unknown.message())).toMatchObject({ nextN: 0 });
    await stand.db.deleteFrom("sessionPoint").where("pointId", "=", other!.point).execute();
    const uninvited = new Take(other!, stand.session);
    expect(await stand.archive.records.accept(other!.id, uninvited.message())).toMatchObject({ nextN: 0 });
    expect(logged(stand, "archive.notYet")).toHaveLength(1);
    expect(await stand.db.selectFrom("take").select("id").execute()).toHaveLength(1);
  });
});

describe("nothing is lost", () => {
  test("kill -9 again and again in the middle of the work", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    const items = Array.from({ length: 40 }, (_, index) => material[index % material.length]!);
    const take = await recorded(stand, items);
    await box.uploadAll(take);
    await stand.endSession();
    const sealed = async () => (await copiesOf(stand)).hub;
    const child = join(import.meta.dirname, "../support/archive-child.ts");
    const start = () => startProcess([process.execPath, child, stand.root], { stdio: ["ignore", "ignore", "ignore"] });
    let killed = 0;
    for (const stage of [1, 9, 17, 25, 33]) {
      const archive = await start();
      await until(`${stage} are verified`, async () => (await sealed()) >= stage, { everyMs: 1 });
      archive.kill("SIGKILL");
      await archive.exited;
      if ((await sealed()) < 40) killed++;
    }
    expect(killed).toBeGreaterThan(2);
    const last = await start();
    await bagFinished(stand);
    expect((await last.stop(5_000)).how).toBe("terminated");
    expect(await copiesOf(stand)).toMatchObject({ recorded: 40, hub: 40, hubComplete: true });
    expect(await verifyBag(bagOf(stand))).toMatchObject({ whole: true, differences: [], segments: 40 });
    expect(await filesBelow(stand.directories.inbox)).toEqual([]);
    expect(await filesBelow(stand.directories.quarantine)).toEqual([]);
    for (const folder of [".staging", ".finishing", ".viewing"])
      expect(await filesBelow(join(stand.directories.archive, folder))).toEqual([]);
  });

  test("never-again 8: an archive whose disk is not mounted gets nothing, and everything once it is back", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    const stop = stand.start();
    const take = await recorded(stand, material.slice(0, 2));
    await box.upload(take.segments[0]!.name, material[0]!.path);
    stand.archive.inboxChanged(box.id);
    await verified(stand, 1);
    await stop();
    const away = join(stand.root, "away");
    await rename(stand.directories.archive, away);
    await mkdir(stand.directories.archive);
    stand.start();
    await box.upload(take.segments[1]!.name, material[1]!.path);
    stand.archive.inboxChanged(box.id);
    await until("the refusal is logged", () =>
      logged(stand, "archive.failed").some(({ cause }) => String(cause).includes("not mounted")),
    );
    expect(await readdir(stand.directories.archive)).toEqual([]);
    await rm(stand.directories.archive, { recursive: true });
    await rename(away, stand.directories.archive);
    await verified(stand, 2);
  });

  test("never-again 4: a recording that has gone from the archive before the bag is finished is fetched again", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    stand.start();
    const take = await recorded(stand, material.slice(0, 1));
    await box.uploadAll(take);
    stand.archive.inboxChanged(box.id);
    await verified(stand, 1);
    await rm((await stand.archive.segmentFile(stand.session, box.point, take.take, "000000.ts"))!);
    await stand.endSession();
    const [resend] = await until("the box is asked", () => {
      const asked = messages(stand, "resend");
      return asked.length > 0 && asked;
    });
    expect(resend).toMatchObject({ take: take.take, seq: 0, reason: "lost" });
    // The box did not hear it. It holds a receipt, so it names no take when it is back.
    const before = messages(stand, "resend").length;
    await stand.archive.records.have(box.id, []);
    await until("it is asked again", () => messages(stand, "resend").length > before);
    await box.uploadAll(take);
    stand.archive.inboxChanged(box.id);
    await bagFinished(stand);
    expect(await verifyBag(bagOf(stand))).toMatchObject({ whole: true });
  });

  test("never-again 4: one file that cannot be put in its place keeps no other waiting", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    stand.start();
    const take = await recorded(stand, material.slice(0, 2));
    await until("the archive has its name", async () =>
      (await readdir(stand.directories.archive)).includes(STORAGE_FILE),
    );
    const inTheWay = join(bagOf(stand), archiveTakePath(box.point, take.take), "000000.ts");
    await mkdir(inTheWay, { recursive: true });
    await box.uploadAll(take);
    stand.archive.inboxChanged(box.id);
    await until("the other is verified", async () => (await copiesOf(stand)).hub === 1);
    await rm(inTheWay, { recursive: true });
    await verified(stand, 2);
    expect(await copiesOf(stand)).toMatchObject({ hub: 2, refused: 0 });
  });

  test("what rots in the archive is found when it is read again, and is whole again", async () => {
    await using stand = await openEvidenceStand({ rereadEveryMs: 200 });
    const box = stand.boxes[0]!;
    const stop = stand.start();
    const take = await recorded(stand, material.slice(0, 3));
    await box.uploadAll(take);
    stand.archive.inboxChanged(box.id);
    await stand.endSession();
    await bagFinished(stand);
    await stop();
    const media = join(bagOf(stand), archiveTakePath(box.point, take.take), "000001.ts");
    await overwrite(media, await tampered(media));
    stand.start();
    const [resend] = await until("the box is asked", () => {
      const asked = messages(stand, "resend");
      return asked.length > 0 && asked;
    });
    expect(resend).toMatchObject({ take: take.take, seq: 1, reason: "lost" });
    await box.upload(take.segments[1]!.name, material[1]!.path);
    stand.archive.inboxChanged(box.id);
    await bagFinished(stand);
    expect(await verifyBag(bagOf(stand))).toMatchObject({ whole: true, segments: 3 });
    const quarantine = (await filesBelow(stand.directories.quarantine)).map((path) => basename(path));
    expect(quarantine.filter((name) => name.startsWith("000001."))).toHaveLength(1);
  });

  test("records and signatures that rot are made anew when the archive is read again", async () => {
    await using stand = await openEvidenceStand({ rereadEveryMs: 200 });
    const box = stand.boxes[0]!;
    const stop = stand.start();
    const take = await recorded(stand, material.slice(0, 2));
    await box.uploadAll(take);
    stand.archive.inboxChanged(box.id);
    await stand.endSession();
    await bagFinished(stand);
    await stop();
    const before = (await copiesOf(stand)).rereadAt ?? "";
    const folder = join(bagOf(stand), archiveTakePath(box.point, take.take));
    const words = (await readdir(folder)).filter((name) => !name.endsWith(".ts"));
    for (const name of words) await overwrite(join(folder, name), await tampered(join(folder, name)));
    stand.start();
    await until("the take was read", async () => ((await copiesOf(stand)).rereadAt ?? "") > before);
    await bagFinished(stand);
    expect(await verifyBag(bagOf(stand))).toMatchObject({ whole: true, segments: 2 });
    expect(await filesBelow(stand.directories.quarantine)).toHaveLength(words.length);
  });

  test("the archive is not read again while a session runs", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    stand.start();
    const take = await recorded(stand, material.slice(0, 1));
    await box.uploadAll(take);
    stand.archive.inboxChanged(box.id);
    await stand.endSession();
    await bagFinished(stand);
    const lost: string[] = [];
    const rereading = createRereading({
      ...{ db: stand.db, log: stand.log, clock: systemClock, directories: stand.directories, everyMs: 0 },
      sidecars: {
        certify: async () => expect.unreachable(),
        ensure: async () => {},
        signatureOf: async () => Buffer.of(),
      },
      onLost: async ({ name }) => void lost.push(name.take),
    });
    await overwrite(join(bagOf(stand), archiveTakePath(box.point, take.take), "000000.ts"), "rot");
    const { signal } = new AbortController();
    const turn = (state: "live" | "paused" | "ended") =>
      stand.db.updateTable("session").set({ state }).where("id", "=", other).execute();
    const at = new Date().toISOString();
    const other = makeId("session", randomBytes(10));
    await stand.db
      .insertInto("session")
      .values({ id: other, name: "Khác", state: "live", scheduledAt: null, createdAt: at, startedAt: at, endedAt: at })
      .execute();
    expect(await rereading.next(signal)).toBeUndefined();
    await turn("paused");
    expect(await rereading.next(signal)).toBeUndefined();
    await turn("ended");
    expect(await rereading.next(signal)).toBe(stand.session);
    expect(lost).toEqual([take.take]);
  });

  test("a take that cannot be read again keeps no other from being read", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    stand.start();
    const takes = [await recorded(stand, material.slice(0, 1)), await recorded(stand, material.slice(1, 2))];
    for (const take of takes) await box.uploadAll(take);
    stand.archive.inboxChanged(box.id);
    await stand.endSession();
    await bagFinished(stand);
    const read: string[] = [];
    const rereading = createRereading({
      ...{ db: stand.db, log: stand.log, clock: systemClock, directories: stand.directories, everyMs: 0 },
      sidecars: {
        certify: async () => expect.unreachable(),
        ensure: async () => {},
        async signatureOf(_, path) {
          if (path.includes(takes[0]!.take)) throw new Error("EIO");
          read.push(path);
          return Buffer.of();
        },
      },
      onLost: async () => {},
    });
    const { signal } = new AbortController();
    await stand.db.updateTable("take").set({ rereadAt: "2020" }).where("id", "=", takes[0]!.take).execute();
    await expect(rereading.next(signal)).rejects.toThrow("EIO");
    expect(await rereading.next(signal)).toBe(stand.session);
    expect(read).toEqual([expect.stringContaining(takes[1]!.take)]);
  });

  test("a database restored from yesterday finds the files of today", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    const stop = stand.start();
    const take = await recorded(stand, material.slice(0, 2));
    await box.uploadAll(take);
    stand.archive.inboxChanged(box.id);
    await verified(stand, 2);
    await stop();
    const forget = { hubState: "waiting" as const, hubReceipt: null, hubReceiptSignature: null };
    await stand.db.updateTable("segment").set(forget).execute();
    await stand.db.updateTable("take").set({ hubSegments: 0 }).execute();
    stand.start();
    await verified(stand, 2);
    await stand.endSession();
    await bagFinished(stand);
    expect(await verifyBag(bagOf(stand))).toMatchObject({ whole: true });
    expect(await filesBelow(stand.directories.quarantine)).toEqual([]);
  });
});

describe("verify", () => {
  test("names every difference in a bag that somebody has touched", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    stand.start();
    const take = await recorded(stand, material.slice(0, 2));
    await box.uploadAll(take);
    stand.archive.inboxChanged(box.id);
    await stand.endSession();
    await bagFinished(stand);
    const folder = `data/${box.point}/${take.take}`;
    const touched = async (change: (bag: string) => Promise<void>) => {
      const bag = join(stand.root, "copy");
      await rm(bag, { recursive: true, force: true });
      await runChecked(["cp", "-a", bagOf(stand), bag]);
      await change(bag);
      const { whole, differences } = await verifyBag(bag);
      expect(whole).toBe(false);
      return differences.map(({ code, path }) => `${code} ${path}`);
    };
    const file = (name: string) => (bag: string) => join(bag, folder, name);
    const media = file("000000.ts");
    expect(await touched(async (bag) => overwrite(media(bag), await tampered(media(bag))))).toEqual([
      `changed ${folder}/000000.ts`,
    ]);
    expect(await touched((bag) => rm(media(bag)))).toEqual([`missing ${folder}/000000.ts`]);
    expect(await touched((bag) => writeFile(join(bag, folder, "000009.ts"), "x"))).toEqual([
      `unlisted ${folder}/000009.ts`,
    ]);
    // A manifest made to fit the forged file is no longer the one that the hub has signed.
    const forged = await touched(async (bag) => {
      await overwrite(media(bag), await tampered(media(bag)));
      const sums = async (name: string, ...files: string[]) => {
        const { stdout } = await runChecked(["sha256sum", ...files], { cwd: bag });
        const path = join(bag, name);
        let text = await readFile(path, "utf8");
        for (const line of stdout.trim().split("\n"))
          text = text.replace(
            new RegExp(`^[0-9a-f]{64}(  ${line.slice(66).replaceAll(".", "\\.")})$`, "m"),
            `${line.slice(0, 64)}$1`,
          );
        await overwrite(path, text);
      };
      await sums("manifest-sha256.txt", `${folder}/000000.ts`);
      await sums("tagmanifest-sha256.txt", "manifest-sha256.txt");
    });
    expect(forged).toEqual(["tagManifestSignature tagmanifest-sha256.txt.sig", `segmentDiffers ${folder}/000000.ts`]);
    const shortened = await touched(async (bag) => {
      const chain = file("chain.jsonl")(bag);
      await overwrite(chain, (await readFile(chain, "utf8")).split("\n").slice(0, -2).join("\n") + "\n");
    });
    expect(shortened).toEqual(
      expect.arrayContaining([`chainSignature ${folder}/chain.jsonl.sig`, `chainNotEnded ${folder}/chain.jsonl`]),
    );
    const receipt = await touched(async (bag) => {
      const path = file("000001.receipt.json")(bag);
      await overwrite(path, (await readFile(path, "utf8")).replace('"hub"', '"province"'));
    });
    expect(receipt).toEqual(
      expect.arrayContaining([
        `receiptSignature ${folder}/000001.receipt.json`,
        `receipt ${folder}/000001.receipt.json`,
      ]),
    );
  });

  test("is a command: 0 for a whole bag, 1 with a line for each difference, 2 for wrong use", async () => {
    await using stand = await openEvidenceStand();
    const box = stand.boxes[0]!;
    stand.start();
    const take = await recorded(stand, material.slice(0, 1));
    await box.uploadAll(take);
    stand.archive.inboxChanged(box.id);
    await stand.endSession();
    await bagFinished(stand);
    const command = join(import.meta.dirname, "../../src/evidence/verify.ts");
    const verify = (...args: string[]) => runProcess([process.execPath, command, ...args]);
    const whole = await verify(bagOf(stand));
    expect(whole).toMatchObject({ code: 0, stderr: "" });
    expect(whole.stdout).toMatch(/^NGUYÊN VẸN$/m);
    expect((await verify(bagOf(stand), "--ca-sha256", "00".repeat(32))).code).toBe(1);
    await appendFile(join(bagOf(stand), "bag-info.txt"), "Room: thêm\n");
    const touched = await verify(bagOf(stand));
    expect(touched.code).toBe(1);
    expect(touched.stdout).toMatch(/^SAI: bag-info\.txt: /m);
    expect((await verify()).code).toBe(2);
    expect((await verify(stand.root)).code).toBe(1);
  });
});
