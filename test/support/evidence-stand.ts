import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  GENESIS,
  makeId,
  segmentPath,
  type BoxId,
  type BoxRecords,
  type EvidenceRecord,
  type GapCause,
  type HubMessage,
  type PointId,
  type SegmentName,
  type SessionId,
  type SignedRecord,
  type TakeId,
  type Track,
} from "../../src/protocol/protocol.ts";
import { createLog, runChecked, sha256File, systemClock, type Log } from "../../src/platform/platform.ts";
import { chainHash, createSigner, type Signer } from "../../src/evidence/evidence.ts";
import { openDatabase, type HubDatabase } from "../../src/hub/database/database.ts";
import { createArchive, type Archive } from "../../src/hub/archive/archive.ts";

const id = <P extends "box" | "point" | "session" | "take">(prefix: P) => makeId(prefix, randomBytes(10));
const utc = (ms: number) => new Date(ms).toISOString();

export interface Material {
  path: string;
  frames: number;
  sizeBytes: number;
  sha256: string;
}

/** Real segments: moving picture and sound, 160x120 at 25 frames a second, one second each. */
export async function makeMaterial(directory: string, seconds: number): Promise<Material[]> {
  await mkdir(directory, { recursive: true });
  const video = ["-f", "lavfi", "-i", `testsrc2=size=160x120:rate=25:duration=${seconds}`];
  const audio = ["-f", "lavfi", "-i", `sine=frequency=440:duration=${seconds}`];
  const codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "25", "-c:a", "aac", "-threads", "1"];
  const segment = ["-f", "segment", "-segment_time", "1", "-segment_format", "mpegts", join(directory, "%06d.ts")];
  await runChecked(["ffmpeg", "-nostdin", "-loglevel", "error", ...video, ...audio, ...codecs, ...segment]);
  const material: Material[] = [];
  for (let index = 0; index < seconds; index++) {
    const path = join(directory, `${String(index).padStart(6, "0")}.ts`);
    material.push({ path, frames: await countFrames(path), ...(await sha256File(path)) });
  }
  return material;
}

export async function countFrames(path: string): Promise<number> {
  const select = ["-select_streams", "v:0", "-count_packets", "-show_entries", "stream=nb_read_packets"];
  const { stdout } = await runChecked(["ffprobe", "-v", "error", ...select, "-of", "csv=p=0", path]);
  return Number(/\d+/.exec(stdout)?.[0]);
}

interface Issued {
  certificatePem: string;
  signer: Signer;
}

/** Keys and certificates by openssl, as the hub's own authority makes them. */
async function issue(directory: string, name: string, ca?: string): Promise<Issued> {
  const key = join(directory, `${name}.key`);
  const pem = join(directory, `${name}.pem`);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key];
  const by = ca === undefined ? [] : ["-CA", join(directory, `${ca}.pem`), "-CAkey", join(directory, `${ca}.key`)];
  await runChecked(["openssl", "req", "-x509", ...curve, ...by, "-subj", `/CN=${name}`, "-days", "30", "-out", pem]);
  return { certificatePem: await readFile(pem, "utf8"), signer: createSigner(await readFile(key, "utf8")) };
}

/** One take as a box records it: every record signed and chained, every file at hand. */
export class Take {
  readonly take: TakeId;
  readonly records: SignedRecord[] = [];
  readonly parsed: EvidenceRecord[] = [];
  readonly segments: { name: SegmentName; material: Material }[] = [];
  private prev: string;
  private readonly box: EvidenceBox;
  private readonly session: SessionId;
  private readonly track: Track;

  /** @param track as boxes of before, a take of the room does not say so */
  constructor(box: EvidenceBox, session: SessionId, track: Track = "room") {
    this.take = id("take");
    this.box = box;
    this.session = session;
    this.track = track;
    this.prev = box.lastHash[track];
    this.add({
      kind: "takeStart",
      ...(track === "room" ? {} : { track }),
      agentVersion: "test",
      video: { codec: "h264", width: 160, height: 120, frameRate: 25 },
      audio: { codec: "aac", sampleRate: 44_100, channels: 1 },
      source: "test",
    });
  }

  /** Signs any record as the next of this take; `change` may put a lie into it. */
  add(fields: object, change: object = {}): SignedRecord {
    const at = this.box.clock();
    const base = { v: 1, box: this.box.id, point: this.box.point, session: this.session, take: this.take };
    const record = { ...base, n: this.records.length, prev: this.prev, at, ...fields, ...change };
    const signed = this.box.signer(JSON.stringify(record));
    this.records.push(signed);
    this.parsed.push(record as unknown as EvidenceRecord);
    this.prev = chainHash(signed.record);
    this.box.lastHash[this.track] = this.prev;
    return signed;
  }

  segment(material: Material, change: object = {}): void {
    const seq = this.segments.length;
    this.segments.push({ name: { session: this.session, take: this.take, seq }, material });
    const { sizeBytes, sha256, frames } = material;
    const span = { streamStartMs: seq * 1000, streamEndMs: (seq + 1) * 1000 };
    this.add({ kind: "segment", seq, sizeBytes, sha256, frames, ...span, startedAt: this.box.clock() }, change);
  }

  gap(cause: GapCause, durationMs: number, more: object = {}): void {
    const endMs = Date.now();
    this.add({ kind: "gap", cause, from: utc(endMs - durationMs), to: utc(endMs), durationMs, detail: "", ...more });
  }

  end(): void {
    const frames = this.segments.reduce((sum, { material }) => sum + material.frames, 0);
    this.add({ kind: "takeEnd", reason: "sessionEnded", segments: this.segments.length, frames });
  }

  /** Message with the records from n on. */
  message(firstN = 0, count = Infinity): BoxRecords {
    const items = this.records.slice(firstN, firstN + count);
    return { type: "records", session: this.session, take: this.take, firstN, items };
  }
}

export class EvidenceBox {
  readonly lastHash: Record<Track, string> = { room: GENESIS, screen: GENESIS };
  private readonly bootId: string = randomUUID();
  readonly id: BoxId;
  readonly point: PointId;
  readonly certificatePem: string;
  readonly signer: Signer;
  private readonly inbox: string;

  constructor(box: BoxId, point: PointId, issued: Issued, inbox: string) {
    this.id = box;
    this.point = point;
    this.certificatePem = issued.certificatePem;
    this.signer = issued.signer;
    this.inbox = inbox;
  }

  clock = () => ({
    utc: utc(Date.now()),
    monotonicMs: Math.round(performance.now()),
    bootId: this.bootId,
    hubOffsetMs: 0,
    hubOffsetErrorMs: 1,
  });

  inboxPath = (name: SegmentName): string => join(this.inbox, this.id, segmentPath(name));

  /** Puts a file where rsync would have put it, and by writes like rsync: a copy by the kernel is sooner on the disk. */
  async upload(name: SegmentName, path: string): Promise<void> {
    const to = this.inboxPath(name);
    await mkdir(dirname(to), { recursive: true });
    await writeFile(to, await readFile(path));
  }

  async uploadAll(take: Take): Promise<void> {
    for (const { name, material } of take.segments) await this.upload(name, material.path);
  }
}

/** A hub's archive with real keys, a real database and real directories, and boxes that record for it. */
export interface EvidenceStand extends AsyncDisposable {
  root: string;
  databaseFile: string;
  directories: { inbox: string; archive: string; quarantine: string; filled: string };
  db: HubDatabase;
  log: Log;
  logged: { event: string; level: string; [field: string]: unknown }[];
  /** With the moment of each, CLOCK_MONOTONIC. */
  sent: { box: BoxId; message: HubMessage; atMs: number }[];
  hub: Issued & { receiptKeyPem: string; caPem: string };
  archive: Archive;
  session: SessionId;
  boxes: EvidenceBox[];
  /** Runs the archive until the function given back is called. */
  start(): () => Promise<void>;
  endSession(): Promise<void>;
}

/**
 * @param options.rereadEveryMs how soon the archive is read again; never, in a test
 * @param options.place where it makes its folder, and leaves it; of a disk of its own, for instance
 */
export async function openEvidenceStand(
  options: { boxes?: number; place?: string; rereadEveryMs?: number } = {},
): Promise<EvidenceStand> {
  const root = await mkdtemp(join(options.place ?? tmpdir(), "diemcau-archive-"));
  const databaseFile = join(root, "hub.sqlite");
  const directories = {
    inbox: join(root, "inbox"),
    archive: join(root, "archive"),
    quarantine: join(root, "quarantine"),
    filled: join(root, "filled"),
  };
  const db = await openDatabase(databaseFile);
  const caPem = (await issue(root, "ca")).certificatePem;
  const issued = await issue(root, "hub", "ca");
  const { stdout: receiptKeyPem } = await runChecked([
    "openssl",
    "x509",
    "-in",
    join(root, "hub.pem"),
    "-pubkey",
    "-noout",
  ]);
  const hub = { ...issued, receiptKeyPem, caPem };
  const at = utc(Date.now());
  const session = id("session");
  await db
    .insertInto("session")
    .values({ id: session, name: "Thử", state: "live", scheduledAt: null, createdAt: at, startedAt: at, endedAt: null })
    .execute();
  const boxes: EvidenceBox[] = [];
  for (let index = 0; index < (options.boxes ?? 1); index++) {
    const box = new EvidenceBox(id("box"), id("point"), await issue(root, `box${index}`, "ca"), directories.inbox);
    boxes.push(box);
    const { certificatePem } = box;
    await db
      .insertInto("bridgePoint")
      .values({ id: box.point, name: `Phòng ${index}`, createdAt: at })
      .execute();
    const serial = `${index}`;
    await db
      .insertInto("box")
      .values({ id: box.id, pointId: box.point, serial, certificatePem, pairedAt: at, revokedAt: null, seenAt: null })
      .execute();
    await db.insertInto("sessionPoint").values({ sessionId: session, pointId: box.point, role: "delegate" }).execute();
  }
  const logged: EvidenceStand["logged"] = [];
  const sent: EvidenceStand["sent"] = [];
  const log = createLog(systemClock, (line) => logged.push(JSON.parse(line)), "debug");
  const archive = createArchive({
    db,
    log,
    clock: systemClock,
    directories,
    signer: hub.signer,
    trust: hub,
    boxKey: async (box) =>
      (await db.selectFrom("box").select("certificatePem").where("id", "=", box).executeTakeFirst())?.certificatePem,
    send: (box, message) => void sent.push({ box, message, atMs: systemClock.monotonicMs() }),
    limits: { keepFreeBytes: 0, inboxBytesPerBox: 8e9 },
    rereadEveryMs: options.rereadEveryMs ?? 1e12,
  });
  const stops = new Set<() => Promise<void>>();
  return {
    root,
    databaseFile,
    directories,
    db,
    log,
    logged,
    sent,
    hub,
    archive,
    session,
    boxes,
    start() {
      const controller = new AbortController();
      const running = archive.run(controller.signal);
      const stop = async () => {
        stops.delete(stop);
        controller.abort(new Error("stopped"));
        await running;
      };
      stops.add(stop);
      return stop;
    },
    async endSession() {
      await db
        .updateTable("session")
        .set({ state: "ended", endedAt: utc(Date.now()) })
        .where("id", "=", session)
        .execute();
    },
    async [Symbol.asyncDispose]() {
      for (const stop of stops) await stop();
      await db.destroy();
      if (!options.place) await rm(root, { recursive: true, force: true });
    },
  };
}
