import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Receipt } from "../../src/protocol/protocol.ts";
import { runProcess, startProcess, systemClock, type Clock } from "../../src/platform/platform.ts";
import { signatureHolds, verifyBag } from "../../src/evidence/evidence.ts";
import { filesOfSegment } from "../../src/hub/province/plan.ts";
import { takeBackCopy } from "../../src/hub/province/taking-back-copy.ts";
import { createProvince } from "../../src/hub/province/province.ts";
import { makeMaterial, openEvidenceStand, Take, type EvidenceStand, type Material } from "../support/evidence-stand.ts";
import { flipByte } from "../support/flip-byte.ts";
import { freePort } from "../support/free-port.ts";
import { startProvince } from "../support/province-daemon.ts";
import { makeSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { until } from "../support/until.ts";

let directory: string;
let material: Material[];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-material-"));
  material = await makeMaterial(directory, 2);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Runs a province for the stand; ends with the scope. */
function run(stand: EvidenceStand, target: string, rereadEveryMs = 1e12, clock: Clock = systemClock) {
  const controller = new AbortController();
  const { db, log, archive } = stand;
  const province = createProvince({
    db,
    log,
    clock,
    archiveDirectory: stand.directories.archive,
    target,
    signer: stand.hub.signer,
    onCopied: archive.noteCopied,
    onSourceDamaged: archive.fetchAgain,
    onBroughtBack: archive.giveBack,
    missingPieces: archive.missingPieces,
    onPieceBroughtBack: archive.giveBackPiece,
    hasRoom: () => true,
    rereadEveryMs,
    onReread: () => {},
  });
  const unsubscribe = archive.onChange(() => province.nudge());
  const running = province.run(controller.signal);
  return {
    async [Symbol.asyncDispose]() {
      unsubscribe();
      controller.abort(new Error("stopped"));
      await running;
    },
  };
}

async function recordTake(stand: EvidenceStand, items: Material[]): Promise<Take> {
  const box = stand.boxes[0]!;
  const take = new Take(box, stand.session);
  for (const item of items) take.segment(item);
  take.end();
  await box.uploadAll(take);
  await stand.archive.records.accept(box.id, take.message());
  return take;
}

/** One take of two segments, and the session's end. */
async function recordSession(stand: EvidenceStand): Promise<Take> {
  const take = await recordTake(stand, material);
  await stand.endSession();
  return take;
}

/** A take of two segments at a hub whose disk then does not give back the first of them. */
async function recordAndSpoil(stand: EvidenceStand, disk: SmallDisk, what: "inode" | "bytes") {
  const stop = stand.start();
  const take = await recordTake(stand, material);
  await until("both are at the hub", async () => (await copiesOf(stand)).hub === 2);
  await stop();
  const { path } = await disk.spoil((name) => name.includes("archive/") && name.endsWith("000000.ts"), what);
  return { path, take };
}

const copiesOf = async (stand: EvidenceStand) => (await stand.archive.summary(stand.session))!.copies;
const provinceComplete = async (stand: EvidenceStand) => (await copiesOf(stand)).provinceComplete;
const failures = (stand: EvidenceStand) =>
  stand.logged.filter(({ event }) => event === "province.failed").map(({ cause }) => String(cause));

/** An rsync daemon on a port that is known beforehand, with lines of its own in the module. */
async function startDaemon(stand: EvidenceStand, port: number, lines: readonly string[] = []) {
  const storage = join(stand.root, "storage");
  await mkdir(storage, { recursive: true });
  const config = join(stand.root, "rsyncd.conf");
  const user = process.getuid?.() === 0 ? ["uid = root", "gid = root"] : [];
  const module = ["[diemcau]", `path = ${storage}`, "read only = no", ...user, ...lines];
  const head = ["use chroot = no", `port = ${port}`, "address = 127.0.0.1", "reverse lookup = no"];
  await writeFile(config, [...head, ...module, ""].join("\n"));
  const log = `--log-file=${join(stand.root, "rsyncd.log")}`;
  const daemon = await startProcess(["rsync", "--daemon", "--no-detach", `--config=${config}`, log], {
    stdio: "ignore",
  });
  return {
    directory: storage,
    async [Symbol.asyncDispose]() {
      await daemon.stop(3_000);
    },
  };
}

const bagAtProvince = (stand: EvidenceStand) =>
  until("the bag is at the province with its viewing copies", async () => {
    const bag = await stand.db.selectFrom("bag").selectAll().executeTakeFirstOrThrow();
    return bag.viewing === 1 && bag.additions === 0 && bag.provinceTagManifestSha256 === bag.tagManifestSha256;
  });

async function expectWholeBag(bag: string): Promise<void> {
  for (const manifest of ["manifest-sha256.txt", "tagmanifest-sha256.txt"])
    expect(await runProcess(["sha256sum", "-c", "--quiet", "--strict", manifest], { cwd: bag })).toMatchObject({
      code: 0,
      stdout: "",
    });
}

describe("province", () => {
  test("a daemon gets the whole bag, and the box a signed receipt for each segment", async () => {
    await using stand = await openEvidenceStand();
    await using daemon = await startProvince(join(stand.root, "province"));
    stand.start();
    await using _province = run(stand, daemon.target);
    const take = await recordSession(stand);
    await until("complete at the province", () => provinceComplete(stand));
    await bagAtProvince(stand);
    await expectWholeBag(join(daemon.directory, stand.session));
    const receipts = stand.sent
      .flatMap(({ message }) => (message.type === "receipts" ? message.items : []))
      .filter((signed) => signatureHolds(signed, stand.hub.receiptKeyPem))
      .map(({ record }) => Receipt.parse(JSON.parse(record)))
      .filter(({ store }) => store === "province");
    expect(receipts.map(({ take, seq, sha256 }) => ({ take, seq, sha256 }))).toEqual(
      material.map(({ sha256 }, seq) => ({ take: take.take, seq, sha256 })),
    );
  });

  test("a mounted path gets the same, read back file by file", async () => {
    await using stand = await openEvidenceStand();
    const target = join(stand.root, "share");
    await mkdir(target);
    stand.start();
    await using _province = run(stand, target);
    await recordSession(stand);
    await bagAtProvince(stand);
    expect(await provinceComplete(stand)).toBe(true);
    expect(await verifyBag(join(target, stand.session))).toMatchObject({ whole: true, segments: 2 });
  });

  test("never-again 8: a path whose share is not mounted is refused, and everything goes there once it is back", async () => {
    await using stand = await openEvidenceStand();
    const target = join(stand.root, "share");
    const away = join(stand.root, "away");
    await mkdir(target);
    stand.start();
    {
      await using _province = run(stand, target);
      await recordTake(stand, material.slice(0, 1));
      await until("the first is there", async () => (await copiesOf(stand)).province === 1);
    }
    await rename(target, away);
    await mkdir(target);
    await using _province = run(stand, target);
    await recordTake(stand, material.slice(1));
    await until("refused", () => failures(stand).some((cause) => cause.includes("not mounted")));
    expect(await readdir(target)).toEqual([]);
    expect((await copiesOf(stand)).province).toBe(1);
    await rm(target, { recursive: true });
    await rename(away, target);
    await until("the second is there", async () => (await copiesOf(stand)).province === 2);
  });

  test("never-again 4: a province that is down is tried until it is up", async () => {
    await using stand = await openEvidenceStand();
    const port = await freePort();
    stand.start();
    await using _province = run(stand, `rsync://127.0.0.1:${port}/diemcau`);
    await recordSession(stand);
    await until("it was tried in vain", () => failures(stand).length > 0);
    expect(await provinceComplete(stand)).toBe(false);
    await using daemon = await startDaemon(stand, port);
    await bagAtProvince(stand);
    await expectWholeBag(join(daemon.directory, stand.session));
  });

  test("never-again 9: a copy that rots between copying and comparing gets no receipt before it is whole", async () => {
    await using stand = await openEvidenceStand();
    const port = await freePort();
    stand.start();
    const spoil = join(stand.root, "spoil.sh");
    const spoilt = join(stand.root, "spoilt");
    // After the first transfer that brought a recording: one byte is changed, size and time stay.
    const script = [
      "#!/bin/sh",
      `[ -e ${spoilt} ] && exit 0`,
      `file=$(find ${join(stand.root, "storage")} -name '000000.ts' | head -n 1)`,
      '[ -n "$file" ] || exit 0',
      `cp -p "$file" ${spoilt}`,
      'chmod u+w "$file"',
      'printf X | dd of="$file" bs=1 seek=5000 conv=notrunc 2>/dev/null',
      `touch -r ${spoilt} "$file"`,
      "",
    ];
    await writeFile(spoil, script.join("\n"), { mode: 0o755 });
    await using daemon = await startDaemon(stand, port, [`post-xfer exec = ${spoil}`]);
    await using _province = run(stand, `rsync://127.0.0.1:${port}/diemcau`);
    await recordSession(stand);
    await until("the difference is noticed", () => failures(stand).some((cause) => cause.includes("1 copies differ")));
    await bagAtProvince(stand);
    await expectWholeBag(join(daemon.directory, stand.session));
    expect((await stat(spoilt)).isFile()).toBe(true);
  });

  test("a recording that has rotted at the hub is not spread with a receipt on it, and is had from its box again", async () => {
    await using stand = await openEvidenceStand();
    const target = join(stand.root, "share");
    await mkdir(target);
    const stop = stand.start();
    const take = await recordSession(stand);
    await until("the bag is finished", async () => {
      const bag = await stand.db.selectFrom("bag").selectAll().executeTakeFirstOrThrow();
      return bag.viewing === 1 && bag.additions === 0;
    });
    await stop();
    const path = await stand.archive.segmentFile(stand.session, stand.boxes[0]!.point, take.take, "000000.ts");
    const bytes = await readFile(path!);
    bytes[5000]! ^= 1;
    await rm(path!);
    await writeFile(path!, bytes);
    await using _province = run(stand, target);
    await until("the good one is there", async () => (await copiesOf(stand)).province === 1);
    expect(stand.logged.filter(({ event }) => event === "province.sourceDamaged")).toHaveLength(1);
    const folder = join(target, stand.session, "data", stand.boxes[0]!.point, take.take);
    expect((await readdir(folder)).filter((name) => name.endsWith(".ts"))).toEqual(["000001.ts"]);
    // Without a finished bag no tag file says that all is there.
    const bag = await stand.db.selectFrom("bag").selectAll().executeTakeFirstOrThrow();
    expect(bag).toMatchObject({ manifestSha256: null, tagManifestSha256: null });
    expect(await readdir(join(target, stand.session))).toEqual(["data"]);
    expect(await copiesOf(stand)).toMatchObject({ hub: 1, refused: 1 });

    const box = stand.boxes[0]!;
    stand.start();
    await until("its box is asked", () =>
      stand.sent.some(({ message }) => message.type === "resend" && message.seq === 0 && message.reason === "lost"),
    );
    await box.upload(take.segments[0]!.name, material[0]!.path);
    stand.archive.inboxChanged(box.id);
    await until("it is there too", async () => (await copiesOf(stand)).province === 2);
    expect(await copiesOf(stand)).toMatchObject({ hub: 2, refused: 0 });
    await bagAtProvince(stand);
    await expectWholeBag(join(target, stand.session));
    expect(await readFile(path!)).toEqual(await readFile(material[0]!.path));
    const kept = await readdir(stand.directories.quarantine, { recursive: true });
    expect(kept.filter((name) => name.endsWith(".ts"))).toHaveLength(1);
  });

  test.each(["inode", "bytes"] as const)(
    "never-again 4: a recording that the hub's disk does not give back keeps no other from hub and province (%s)",
    async (what) => {
      await using disk = await makeSmallDisk(64 << 20);
      await using stand = await openEvidenceStand({ place: disk.directory });
      const { path } = await recordAndSpoil(stand, disk, what);
      const target = join(stand.root, "share");
      await mkdir(target);
      {
        await using _province = run(stand, target);
        await until("the other is there", async () => (await copiesOf(stand)).province === 1);
        expect(await copiesOf(stand)).toMatchObject({ hub: 1, refused: 1 });
      }
      stand.start();
      await recordTake(stand, material.slice(0, 1));
      await until("the next take is at the hub", async () => (await copiesOf(stand)).hub === 2);
      const told = stand.logged.find(({ event }) => event === "archive.unreadable");
      expect(told?.["path"]).toBe(join(disk.directory, path));
    },
  );

  test("a recording whose bytes the hub's disk does not give back is had from its box again, into another place", async () => {
    await using disk = await makeSmallDisk(64 << 20);
    await using stand = await openEvidenceStand({ place: disk.directory });
    const { path, take } = await recordAndSpoil(stand, disk, "bytes");
    const target = join(stand.root, "share");
    await mkdir(target);
    await using _province = run(stand, target);
    await until("it is missed", async () => (await copiesOf(stand)).refused === 1);
    stand.start();
    await stand.boxes[0]!.upload(take.segments[0]!.name, material[0]!.path);
    await until("it is at both again", async () => (await copiesOf(stand)).province === 2);
    expect(await readFile(join(disk.directory, path))).toEqual(await readFile(material[0]!.path));
    // What cannot be read is kept: a laboratory may still get something from it.
    const kept = await readdir(stand.directories.quarantine, { recursive: true });
    expect(kept.filter((name) => name.includes("000000."))).toHaveLength(1);
  });

  test("a recording that the hub has lost and its box has deleted comes back from the province", async () => {
    await using stand = await openEvidenceStand();
    await using daemon = await startProvince(join(stand.root, "province"));
    const stop = stand.start();
    const box = stand.boxes[0]!;
    const take = await recordSession(stand);
    const place = (seq: number) => join(stand.directories.archive, filesOfSegment(nameOf(take, seq)).media);
    const nameOf = (of: Take, seq: number) => ({ ...of.segments[seq]!.name, point: box.point });
    {
      await using _province = run(stand, daemon.target);
      await bagAtProvince(stand);
    }
    await stop();
    await rm(place(0));
    await rm(place(1));
    await writeFile(place(1), "rot");
    for (const { name } of take.segments) await stand.archive.fetchAgain({ box: box.id, name });
    expect(await copiesOf(stand)).toMatchObject({ hub: 0, refused: 2 });
    stand.start();
    await using _province = run(stand, daemon.target);
    await until("both are at the hub", async () => (await copiesOf(stand)).hub === 2);
    for (const seq of [0, 1]) expect(await readFile(place(seq))).toEqual(await readFile(material[seq]!.path));
    await bagAtProvince(stand);
    expect(await verifyBag(join(stand.directories.archive, stand.session))).toMatchObject({ whole: true, segments: 2 });
    await expectWholeBag(join(daemon.directory, stand.session));
    expect(await readdir(join(stand.directories.archive, ".province"))).not.toContain("back");
  });

  test("so does what was copied after the hub's last backup, and nothing is said of what is not there", async () => {
    await using stand = await openEvidenceStand();
    await using daemon = await startProvince(join(stand.root, "province"));
    stand.start();
    const take = await recordSession(stand);
    {
      await using _province = run(stand, daemon.target);
      await bagAtProvince(stand);
    }
    for (const { name } of take.segments) {
      await rm(join(stand.directories.archive, filesOfSegment({ ...name, point: stand.boxes[0]!.point }).media));
      await stand.archive.fetchAgain({ box: stand.boxes[0]!.id, name });
      await takeBackCopy(stand.db, name);
    }
    const gone = filesOfSegment({ ...take.segments[1]!.name, point: stand.boxes[0]!.point }).media;
    await rm(join(daemon.directory, gone));
    const tomorrow: Clock = { ...systemClock, wallMs: () => systemClock.wallMs() + 25 * 3_600_000 };
    await using _province = run(stand, daemon.target, 1e12, tomorrow);
    await until("one is at both", async () => {
      const { hub, province } = await copiesOf(stand);
      return hub === 1 && province === 1;
    });
    expect(stand.logged.map(({ event }) => event)).not.toContain("province.copyDamaged");
    await stand.boxes[0]!.upload(take.segments[1]!.name, material[1]!.path);
    stand.archive.inboxChanged(stand.boxes[0]!.id);
    await bagAtProvince(stand);
    await expectWholeBag(join(daemon.directory, stand.session));
  });

  test("a province's copy that has rotted is not brought back, and counts as not copied", async () => {
    await using stand = await openEvidenceStand();
    const target = join(stand.root, "share");
    await mkdir(target);
    stand.start();
    await using _province = run(stand, target);
    const box = stand.boxes[0]!;
    const take = await recordSession(stand);
    await bagAtProvince(stand);
    const { media } = filesOfSegment({ ...take.segments[0]!.name, point: box.point });
    await rm(join(target, media));
    await writeFile(join(target, media), "rot");
    await stand.archive.fetchAgain({ box: box.id, name: take.segments[0]!.name });
    await until("it is told", () => stand.logged.some(({ event }) => event === "province.copyDamaged"));
    expect(await copiesOf(stand)).toMatchObject({ hub: 1, province: 1 });
    await box.upload(take.segments[0]!.name, material[0]!.path);
    await until("it is whole at both", async () => (await copiesOf(stand)).province === 2);
    await bagAtProvince(stand);
    await expectWholeBag(join(target, stand.session));
  });

  test.each(["daemon", "path"])(
    "what rots at the province is found when it is read again, and copied again (%s)",
    async (kind) => {
      await using stand = await openEvidenceStand();
      await using daemon = await startProvince(join(stand.root, "province"));
      stand.start();
      const target = kind === "daemon" ? daemon.target : daemon.directory;
      const take = await recordSession(stand);
      {
        await using _province = run(stand, target);
        await bagAtProvince(stand);
      }
      const { media, small } = filesOfSegment({ ...take.segments[0]!.name, point: stand.boxes[0]!.point });
      const gone = filesOfSegment({ ...take.segments[1]!.name, point: stand.boxes[0]!.point }).small[0]!;
      for (const file of [media, small[0]!]) await flipByte(join(daemon.directory, file));
      await rm(join(daemon.directory, gone));
      await using _province = run(stand, target, 200);
      await until("it was read", async () => (await copiesOf(stand)).provinceRereadAt !== null);
      await until("it is told", () => stand.logged.some(({ event }) => event === "province.copyDamaged"));
      await bagAtProvince(stand);
      await expectWholeBag(join(daemon.directory, stand.session));
      expect(await copiesOf(stand)).toMatchObject({ hub: 2, province: 2, provinceComplete: true });
    },
  );

  test("never-again 9: what rots at the hub costs the province's copy nothing when it is compared, and comes back from there", async () => {
    await using stand = await openEvidenceStand();
    await using daemon = await startProvince(join(stand.root, "province"));
    stand.start();
    const take = await recordSession(stand);
    {
      await using _province = run(stand, daemon.target);
      await bagAtProvince(stand);
    }
    const { media } = filesOfSegment({ ...take.segments[0]!.name, point: stand.boxes[0]!.point });
    const here = join(stand.directories.archive, media);
    const bytes = await readFile(here);
    bytes[5000]! ^= 1;
    await rm(here);
    await writeFile(here, bytes);
    await using _province = run(stand, daemon.target, 200);
    await until("it is noticed", () => stand.logged.some(({ event }) => event === "province.sourceDamaged"));
    await until("it is whole at both", async () => (await copiesOf(stand)).provinceComplete);
    expect(await readFile(here)).toEqual(await readFile(material[0]!.path));
    expect(stand.logged.filter(({ event }) => event === "province.copyDamaged")).toEqual([]);
    await bagAtProvince(stand);
    await expectWholeBag(join(daemon.directory, stand.session));
  });

  test("another hub's storage is not written to, and a new target gets everything again", async () => {
    await using stand = await openEvidenceStand();
    const foreign = join(stand.root, "foreign");
    const fresh = join(stand.root, "fresh");
    const old = join(stand.root, "old");
    for (const folder of [foreign, fresh, old]) await mkdir(folder);
    const identity = `${JSON.stringify({ storage: "province", uuid: randomUUID() })}\n`;
    await writeFile(join(foreign, "diemcau-storage.json"), identity);
    stand.start();
    const take = await recordSession(stand);
    {
      await using _province = run(stand, foreign);
      await until("refused", () => failures(stand).some((cause) => cause.includes("another hub")));
      expect(await readdir(foreign)).toEqual(["diemcau-storage.json"]);
      expect(await readFile(join(foreign, "diemcau-storage.json"), "utf8")).toBe(identity);
    }
    {
      await using _province = run(stand, old);
      await until("whole there", async () => (await verifyBag(join(old, stand.session))).whole);
    }
    // What the hub has lost is at the former target only: it counts as copied to neither.
    const { name } = take.segments[0]!;
    await stand.archive.fetchAgain({ box: stand.boxes[0]!.id, name });
    await using _province = run(stand, fresh);
    await until("the new target is known", () => stand.logged.some(({ before }) => before === `${old}/`));
    await stand.boxes[0]!.upload(name, material[0]!.path);
    stand.archive.inboxChanged(stand.boxes[0]!.id);
    await until("whole there", async () => (await verifyBag(join(fresh, stand.session))).whole);
    expect(await copiesOf(stand)).toMatchObject({ province: 2 });
    expect(await verifyBag(join(old, stand.session))).toMatchObject({ whole: true });
  });
});
