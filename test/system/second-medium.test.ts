import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { copyTail } from "../../src/edge/space/second-medium.ts";
import { openSpace, type Space } from "../../src/edge/space/space.ts";
import { createLog, randomId, sha256Hex, systemClock } from "../../src/platform/platform.ts";
import { makeId, segmentFileName, segmentPath, type SegmentName } from "../../src/protocol/protocol.ts";
import { makeSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { newSessionId } from "../support/uplink-box.ts";
import { until } from "../support/until.ts";

/** A second medium that is a file system of its own: plugged in, pulled out, full, somebody else's. */
describe("the second medium", () => {
  const box = makeId("box", new Uint8Array(10));
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  const session = newSessionId();
  const take = makeId("take", randomId());
  let data: string;
  let second: SmallDisk;
  let space: Space;
  let stop: AbortController;
  let running: Promise<void>;
  let closed: { name: SegmentName; sizeBytes: number; sha256: string }[];
  let recording: boolean;

  const firstOf = (seq: number) => join(data, "recordings", segmentPath({ session, take, seq }));
  const secondOf = (seq: number) => join(second.directory, "recordings", segmentPath({ session, take, seq }));
  const open = () => closed.length;
  const same = (seq: number) => async () => {
    const [a, b] = await Promise.all([readFile(firstOf(seq)), readFile(secondOf(seq))]);
    return a.equals(b);
  };
  const write = (bytes: number) => appendFile(firstOf(open()), randomBytes(bytes));
  const close = async () => {
    const bytes = await readFile(firstOf(open()));
    const record = `{"seq":${open()}}\n`;
    await appendFile(join(data, "recordings", session, take, "records.jsonl"), record);
    closed.push({ name: { session, take, seq: open() }, sizeBytes: bytes.length, sha256: sha256Hex(bytes) });
  };
  const state = (expected: string) =>
    until(`the medium is ${expected}`, () => space.facts()?.secondMedium?.state === expected, { withinMs: 15_000 });

  async function begin(): Promise<void> {
    space = await openSpace({
      log: createLog(systemClock, () => {}),
      clock: systemClock,
      dataDirectory: data,
      secondMedium: second.directory,
      bytesPerMinute: 1e6,
      screenBytesPerMinute: 0,
      assignment: () => ({
        ...{ type: "assignment", revision: 1, point: { id: makeId("point", randomId()), name: "Xã A" } },
        sessions: [
          {
            ...{ id: session, name: "Định kỳ", state: "live", role: "central", plannedMinutes: 10 },
            ...{ scheduledAt: null, startedAt: "2026-11-21T08:00:00.000Z", endedAt: null },
          },
        ],
      }),
      ledger: () => undefined,
      ledgerTakes: () => [],
      forgetTakes: async () => {},
      box: () => box,
      receiptKey: () => createPublicKey(key.export({ type: "spki", format: "pem" })),
    });
    stop = new AbortController();
    running = space.run(
      {
        segments: () => closed.map((segment) => ({ ...segment, path: firstOf(segment.name.seq) })),
        sha256: async (_, seq) => closed[seq]?.sha256,
        retire: async () => 0,
        past: async () => new Set(),
        takes: () => [{ session, take, records: 1, ended: false, closed: closed.length, damaged: 0 }],
        sessionBytes: () => closed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        openSegment: () => (recording ? { name: { session, take, seq: open() }, path: firstOf(open()) } : null),
      },
      stop.signal,
    );
  }

  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), "diemcau-first-"));
    second = await makeSmallDisk(64e6);
    closed = [];
    recording = true;
    await mkdir(join(data, "recordings", session, take), { recursive: true });
    await writeFile(join(data, "recordings", session, take, "take.json"), "{}");
  });
  afterEach(async () => {
    stop?.abort();
    await running;
    await second[Symbol.asyncDispose]();
    await rm(data, { recursive: true });
  });

  test("has what was written within seconds, segment by segment, with intent and records", async () => {
    await write(300_000);
    await begin();
    await until("the open segment is there", same(0));
    await write(200_000);
    await until("what was added is there", same(0), { withinMs: 5_000, everyMs: 50 });
    await write(100_000);
    await close();
    await write(50_000);
    await until("the closed one is whole", same(0), { withinMs: 5_000, everyMs: 50 });
    await until("the next one has begun", same(1), { withinMs: 5_000, everyMs: 50 });
    const folder = join(second.directory, "recordings", session, take);
    const records = () => readFile(join(folder, "records.jsonl"), "utf8");
    await until("its record is there", async () => (await records()) !== "", { withinMs: 5_000, everyMs: 50 });
    expect((await readdir(folder)).sort()).toEqual(["000000.ts", "000001.ts", "records.jsonl", "take.json"]);
    expect(await records()).toBe('{"seq":0}\n');
    expect(space.facts()?.secondMedium).toEqual({ state: "ok", behindSegments: 0 });
  });

  test("never-again 8: pulled out in mid-session nothing lands on the disk below, and put back it catches up", async () => {
    await write(300_000);
    await begin();
    await until("the open segment is there", same(0));
    await second.pull();
    await write(100_000);
    await close();
    await write(200_000);
    await state("absent");
    expect(await readdir(second.directory)).toEqual([]);
    await second.insert();
    await until("the closed one is whole", same(0));
    await until("the open one follows", same(1));
    await state("ok");
  });

  test("never-again 8: a directory without its mount is never written to", async () => {
    await second.pull();
    await write(300_000);
    await begin();
    await until("it was looked at", () => space.facts()?.secondMedium !== undefined);
    await write(1_000);
    await close();
    await state("absent");
    expect(await readdir(second.directory)).toEqual([]);
  });

  test("never-again 8: a medium of another box, or with things on it, is left as it is", async () => {
    const identity = { v: 1, uuid: "7f3d9a52-8a0e-4a57-9d7c-0f6a1f3f2c11", box: makeId("box", randomId()) };
    await writeFile(join(second.directory, "diemcau-medium.json"), JSON.stringify(identity));
    await write(300_000);
    await begin();
    await state("foreign");
    expect((await readdir(second.directory)).sort()).toEqual(["diemcau-medium.json", "lost+found"]);
    stop.abort();
    await running;
    await rm(join(second.directory, "diemcau-medium.json"));
    await writeFile(join(second.directory, "holiday.jpg"), "");
    await begin();
    await state("foreign");
    expect((await readdir(second.directory)).sort()).toEqual(["holiday.jpg", "lost+found"]);
  });

  test("never-again 8: one that goes away between the look and the write gets not a byte below its mount", async () => {
    await write(300_000);
    const { dev } = await stat(second.directory);
    await second.pull();
    const below = join(second.directory, "000000.ts");
    await expect(copyTail(firstOf(0), below, dev)).rejects.toThrow("the medium went away");
    expect((await stat(below)).size).toBe(0);
    await rm(below);
  });

  test("full, it says so, and the first medium is as it was", async () => {
    await write(300_000);
    await begin();
    await until("the open segment is there", same(0));
    stop.abort();
    await running;
    await rm(join(second.directory, "reserve"), { force: true });
    await second.fill();
    await begin();
    await write(2_000_000);
    await state("full");
    expect(space.facts()?.state).toBe("ok");
    expect((await readFile(firstOf(0))).length).toBe(2_300_000);
  });

  test("its copy is sent where the first medium's is missing or not what was recorded", async () => {
    await begin();
    for (const seq of [0, 1, 2]) {
      await write(100_000);
      await close();
      await until(`segment ${seq} is there`, same(seq));
    }
    const first = join(data, "recordings");
    const copies = join(second.directory, "recordings");
    const sourceOf = (seq: number) => space.sourceOf(closed[seq]!.name, closed[seq]!.sizeBytes);
    expect(await sourceOf(0)).toBe(first);
    await rm(join(first, session, take, segmentFileName(1)));
    expect(await sourceOf(1)).toBe(copies);
    await writeFile(firstOf(2), Buffer.alloc(100_000));
    expect(await sourceOf(2), "nobody has complained yet").toBe(first);
    expect(await space.suspect(closed[2]!.name)).toBe("second");
    expect(await sourceOf(2)).toBe(copies);
    expect(await space.suspect(closed[0]!.name)).toBe("first");
    expect(await sourceOf(0)).toBe(first);
    await second.pull();
    await state("absent");
    expect(await sourceOf(1)).toBe(first);
    expect(await space.suspect(closed[2]!.name)).toBe("neither");
  });
});
