import { generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readEdgeConfig } from "../../src/edge/config.ts";
import { Take } from "../../src/edge/recording/take.ts";
import { lookForMedium } from "../../src/edge/space/second-medium.ts";
import { createSigner } from "../../src/evidence/evidence.ts";
import { isoUtc, makeDirectory, sha256File, systemClock } from "../../src/platform/platform.ts";
import { makeId } from "../../src/protocol/protocol.ts";
import { makeMaterial, openEvidenceStand, Take as SentTake, type Material } from "../support/evidence-stand.ts";
import { until } from "../support/until.ts";
import { makeVolatileDisk, mountImage, type VolatileDisk } from "../support/volatile-disk.ts";

/** What box and hub say is on disk is there after a cut in that very moment; and network storage is no disk. */
describe("a drive with a volatile cache", () => {
  let directory: string;
  let home: string;
  let disk: VolatileDisk;
  let material: Material[];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "diemcau-promises-"));
    home = join(directory, "disk");
    material = await makeMaterial(join(directory, "material"), 2);
    disk = await makeVolatileDisk(home);
  });
  afterEach(async () => {
    await disk[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  /** The file system as a cut at that moment leaves it, with nothing of what was not flushed. */
  const after = async (atMs: number, image: string): Promise<AsyncDisposable & { directory: string }> => {
    await disk.cut(atMs, "nothing", Math.random, join(home, image));
    const mounted = join(home, `${image}-mounted`);
    return { ...(await mountImage(join(home, image), mounted)), directory: mounted };
  };

  test("never-again 9: a box's record of a segment is never on disk before the segment is, and neither is lost once told", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const told: number[] = [];
    const signing = {
      sign: createSigner(privateKey.export({ type: "pkcs8", format: "pem" })),
      readings: { clock: systemClock, hubOffset: () => null },
      wrote: () => void told.push(systemClock.monotonicMs()),
    };
    const at = { monotonicMs: 0, bootId: systemClock.bootId, hubOffsetMs: null, hubOffsetErrorMs: null };
    const now = { utc: isoUtc(systemClock.wallMs()), ...at };
    const [box, point] = [makeId("box", new Uint8Array(10)), makeId("point", new Uint8Array(10))];
    const [session, id] = [makeId("session", new Uint8Array(10)), makeId("take", new Uint8Array(10))];
    const folder = join(disk.directory, session, id);
    await makeDirectory(folder);
    const take = await Take.create(folder, {
      ...{ v: 1, box, point, session, take: id, track: "room", agentVersion: "test", source: "" },
      video: { codec: "h264", width: 160, height: 120, frameRate: 25 },
      audio: { codec: "aac", sampleRate: 44_100, channels: 1 },
      ...{ sessionStartedAt: now.utc, plannedAt: now },
    });
    await take.start(now, undefined, undefined, signing);
    for (const [seq, { path }] of material.entries()) {
      // Not copyFile: what the kernel copies by itself has its blocks at once, what a program writes has not.
      await writeFile(take.path(seq), await readFile(path));
      expect(await take.close(undefined, signing)).toBe(true);
    }
    await take.release();
    await disk.stop();
    for (const [n, atMs] of told.entries()) {
      await using left = await after(atMs, `record-${n}.img`);
      const found = (await Take.load(join(left.directory, relative(disk.directory, take.directory)), "room"))!;
      expect(found.records).toBe(n + 1);
      const segments = await found.readSegments();
      expect(segments).toHaveLength(n);
      for (const { seq, sha256 } of segments) expect((await sha256File(found.path(seq))).sha256).toBe(sha256);
    }
  });

  test("never-again 9: of what the hub has given a receipt for, file, record and receipt are whole on its disk", async () => {
    await using stand = await openEvidenceStand({ place: disk.directory });
    const box = stand.boxes[0]!;
    const take = new SentTake(box, stand.session);
    for (const item of material) take.segment(item);
    await stand.archive.records.accept(box.id, take.message());
    const stop = stand.start();
    await box.uploadAll(take);
    stand.archive.inboxChanged(box.id);
    const receipts = () =>
      stand.sent.flatMap(({ message, atMs }) =>
        message.type === "receipts" ? message.items.map(({ record }) => ({ record, atMs })) : [],
      );
    await until("both are receipted", () => receipts().length === 2);
    await stop();
    const folder = relative(disk.directory, stand.directories.archive);
    const media = (await stand.archive.segmentFile(stand.session, box.point, take.take, "000000.ts"))!;
    const takeFolder = relative(stand.directories.archive, join(media, ".."));
    await stand[Symbol.asyncDispose]();
    await disk.stop();
    for (const [n, { record, atMs }] of receipts().entries()) {
      await using left = await after(atMs, `receipt-${n}.img`);
      const { seq, sha256 } = JSON.parse(record) as { seq: number; sha256: string };
      const file = (suffix: string) =>
        join(left.directory, folder, takeFolder, `${String(seq).padStart(6, "0")}.${suffix}`);
      expect((await sha256File(file("ts"))).sha256).toBe(sha256);
      expect((await sha256File(file("receipt.json"))).sizeBytes).toBe(Buffer.byteLength(record));
    }
  });

  test("never-again 8: a box whose recordings would lie on network storage does not start, and takes none for a second medium", async () => {
    // FUSE without a block device, as sshfs is.
    const share = join(home, "drive");
    const file = join(directory, "box.json");
    const data = join(share, "data");
    await writeFile(file, JSON.stringify({ dataDirectory: data, runDirectory: directory, hub: { host: "hub" } }));
    await expect(readEdgeConfig(file)).rejects.toThrow("dataDirectory: lies on network storage (fuse)");
    const own = join(directory, "own");
    await mkdir(own);
    expect(await lookForMedium(share, own, makeId("box", new Uint8Array(10)))).toEqual({ kind: "foreign" });
    expect((await lookForMedium(disk.directory, own, makeId("box", new Uint8Array(10)))).kind).toBe("present");
  });
});
