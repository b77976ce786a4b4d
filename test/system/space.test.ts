import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createSigner } from "../../src/evidence/evidence.ts";
import { addProvinceReceipt, addReceipt, emptyLedger, type TakeLedger } from "../../src/edge/ledger.ts";
import { openSpace, type Space } from "../../src/edge/space/space.ts";
import { createLog, sha256Hex, systemClock } from "../../src/platform/platform.ts";
import {
  makeId,
  segmentFileName,
  type AssignedSession,
  type Receipt,
  type SegmentName,
  type TakeId,
} from "../../src/protocol/protocol.ts";
import { makeSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { newSessionId } from "../support/uplink-box.ts";
import { until } from "../support/until.ts";

/** Reservation and eviction on a real file system of 64 MB; a minute of recording is 1 MB. */
describe("space on the box's disk", () => {
  const SEGMENT = 4e6;
  const hubKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" });
  const sign = createSigner(hubKey);
  const past = newSessionId();
  const take: TakeId = makeId("take", new Uint8Array(10).fill(7));
  const names: SegmentName[] = [0, 1, 2, 3, 4, 5, 6, 7].map((seq) => ({ session: past, take, seq }));
  const bytesOf = (seq: number) => Buffer.alloc(SEGMENT, seq + 1);
  let disk: SmallDisk;
  let folder: string;
  let ledger: TakeLedger;
  let sessions: AssignedSession[];
  let space: Space;
  let stop: AbortController;
  let running: Promise<void>;

  const assigned = (plannedMinutes: number): AssignedSession => ({
    ...{ id: newSessionId(), name: "Định kỳ", state: "draft", role: "central", plannedMinutes },
    ...{ scheduledAt: null, startedAt: null, endedAt: null },
  });
  const receive = async (seq: number, store: Receipt["store"]) => {
    const receipt: Receipt = {
      ...{
        v: 1,
        kind: "receipt",
        store,
        session: past,
        take,
        seq,
        sha256: sha256Hex(bytesOf(seq)),
        sizeBytes: SEGMENT,
      },
      at: "2026-11-21T08:00:00.000Z",
    };
    await space.keepReceipts([{ receipt, signed: sign(JSON.stringify(receipt)) }]);
    ledger = store === "hub" ? addReceipt(ledger, seq) : addProvinceReceipt(ledger, seq);
  };
  const files = async () => (await readdir(folder)).filter((name) => name.endsWith(".ts")).sort();
  const ready = () => space.facts()?.sessions.map((session) => session.ready);
  const schedule = (...next: AssignedSession[]) => {
    sessions = next;
    space.nudge();
  };

  beforeEach(async () => {
    disk = await makeSmallDisk(64e6);
    folder = join(disk.directory, "recordings", past, take);
    await mkdir(folder, { recursive: true });
    for (const { seq } of names) await writeFile(join(folder, segmentFileName(seq)), bytesOf(seq));
    ledger = emptyLedger();
    sessions = [];
    space = await openSpace({
      log: createLog(systemClock, () => {}),
      clock: systemClock,
      dataDirectory: disk.directory,
      secondMedium: undefined,
      box: () => null,
      bytesPerMinute: 1e6,
      screenBytesPerMinute: 0,
      assignment: () => ({
        type: "assignment",
        revision: 1,
        point: { id: makeId("point", new Uint8Array(10)), name: "Xã A" },
        sessions,
      }),
      ledger: () => ledger,
      ledgerTakes: () => [take],
      forgetTakes: async () => {},
      receiptKey: () => createPublicKey(hubKey),
    });
    stop = new AbortController();
    running = space.run(
      {
        segments: () =>
          names.map((name) => ({ name, sizeBytes: SEGMENT, path: join(folder, segmentFileName(name.seq)) })),
        sha256: async (_, seq) => sha256Hex(bytesOf(seq)),
        retire: async () => 0,
        past: async () => new Set(),
        takes: () => [{ session: past, take, records: 10, ended: true, closed: names.length, damaged: 0 }],
        sessionBytes: () => 0,
        openSegment: () => null,
      },
      stop.signal,
    );
  });
  afterEach(async () => {
    stop.abort();
    await running;
    await disk[Symbol.asyncDispose]();
  });

  test("never-again 3, 7: a session that needs room has the oldest evicted, as many as it needs, of those that two stores hold", async () => {
    for (const { seq } of names) await receive(seq, "hub");
    for (const seq of [1, 2, 3, 4, 5]) await receive(seq, "province");
    // 32 MB of segments on a disk of 64 MB: these 30 minutes need some 8 MB more than are free.
    schedule(assigned(30));
    await until("the session has its room", () => ready()?.[0] === true, { withinMs: 15_000, everyMs: 20 });
    const left = await files();
    expect(left).toContain("000000.ts");
    expect(left).not.toContain("000001.ts");
    expect(left.slice(-2)).toEqual(["000006.ts", "000007.ts"]);
    expect(left.length).toBeGreaterThan(4);
    expect(space.isDeleted(names[1]!)).toBe(true);
    expect(space.facts()!.reservedBytes).toBeGreaterThan(29e6);
  });

  test("never-again 3, 7: without a second receipt nothing is evicted, and the session is refused with what is missing", async () => {
    for (const { seq } of names) await receive(seq, "hub");
    schedule(assigned(30));
    await until("the session is refused", () => ready()?.[0] === false, { withinMs: 15_000, everyMs: 20 });
    expect(space.facts()!.sessions[0]!.missingBytes).toBeGreaterThan(1e6);
    expect(await files()).toHaveLength(8);
  });

  test("nothing is evicted while there is room for what is scheduled", async () => {
    for (const { seq } of names) for (const store of ["hub", "province"] as const) await receive(seq, store);
    schedule(assigned(10));
    await until("the session has its room", () => (space.facts()?.reservedBytes ?? 0) > 9e6, { withinMs: 15_000 });
    expect(await files()).toHaveLength(8);
  });

  test("a disk that went read-only is said to be so", async () => {
    await disk.failToReadOnly();
    schedule(assigned(10));
    await until("it is looked at", () => space.facts()?.state !== "ok", { withinMs: 15_000 });
    expect(space.facts()?.state).toBe("readOnly");
  });
});
