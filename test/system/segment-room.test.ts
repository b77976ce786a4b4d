import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdir, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openSpace } from "../../src/edge/space/space.ts";
import { createLog, randomId } from "../../src/platform/platform.ts";
import { makeId, segmentFileName } from "../../src/protocol/protocol.ts";
import { makeSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { steppedClock } from "../support/stepped-clock.ts";
import { newSessionId } from "../support/uplink-box.ts";
import { until } from "../support/until.ts";

/**
 * The instant in which an encoder opens its next file, on a real file system that somebody else fills to the last block
 * again and again. Only the clock is the test's: what is seen after 50 ms is seen after 50 ms.
 */
describe("never-again 7: the next segment of a running session", () => {
  const LOOK_MS = 50;
  const session = newSessionId();
  const take = makeId("take", randomId());
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  let disk: SmallDisk;
  let clock: ReturnType<typeof steppedClock>;
  let stop: AbortController;
  let running: Promise<void>;
  let openSeq: number | null;

  const path = (seq: number) => join(disk.directory, "recordings", session, take, segmentFileName(seq));
  const free = async () => {
    const { bavail, bsize } = await statfs(disk.directory);
    return bavail * bsize;
  };
  const asleep = () => until("it has looked", () => clock.sleepers() === 1, { everyMs: 2 });
  const step = async (ms: number) => {
    clock.step(ms);
    await asleep();
  };
  const heldBytes = async (seq: number) => (await stat(path(seq))).blocks * 512;

  beforeEach(async () => {
    disk = await makeSmallDisk(64e6);
    clock = steppedClock();
    openSeq = null;
    await mkdir(join(disk.directory, "recordings", session, take), { recursive: true });
    const space = await openSpace({
      log: createLog(clock, () => {}),
      clock,
      dataDirectory: disk.directory,
      secondMedium: undefined,
      box: () => null,
      bytesPerMinute: 6e6,
      screenBytesPerMinute: 0,
      assignment: () => ({
        ...{ type: "assignment", revision: 1, point: { id: makeId("point", randomId()), name: "Xã A" } },
        sessions: [
          {
            ...{ id: session, name: "Định kỳ", state: "live", role: "central", plannedMinutes: 5 },
            ...{ scheduledAt: null, startedAt: "2026-11-21T08:00:00.000Z", endedAt: null },
          },
        ],
      }),
      ledger: () => undefined,
      ledgerTakes: () => [],
      forgetTakes: async () => {},
      receiptKey: () => createPublicKey(key.export({ type: "spki", format: "pem" })),
    });
    stop = new AbortController();
    running = space.run(
      {
        takes: () => [],
        segments: () => [],
        sha256: async () => undefined,
        retire: async () => 0,
        past: async () => new Set(),
        sessionBytes: () => 0,
        openSegment: () => (openSeq === null ? null : { name: { session, take, seq: openSeq }, path: path(openSeq) }),
      },
      stop.signal,
    );
    await asleep();
    await writeFile(path(0), "x");
    openSeq = 0;
    await step(1_000);
    await until("its blocks are held", async () => (await heldBytes(0)) > 1e6);
  });
  afterEach(async () => {
    stop.abort();
    await running;
    await disk[Symbol.asyncDispose]();
  });

  test("finds room within 50 ms of a fill, again and again, while the one before comes to its end", async () => {
    await step(9_100);
    for (const fill of ["a", "b", "c"]) {
      await disk.fill(`filler-${fill}`);
      expect(await free()).toBeLessThan(16 * 1024);
      await step(LOOK_MS);
      expect(await free()).toBeGreaterThan(50_000);
    }
  });

  test("has its blocks 50 ms after its file is there, before the recorder has closed the one before", async () => {
    await step(9_100);
    await disk.fill("filler-a");
    await step(LOOK_MS);
    await writeFile(path(1), "x");
    await step(LOOK_MS);
    expect(await heldBytes(1)).toBeGreaterThan(1e6);
    openSeq = 1;
    await step(LOOK_MS);
    await disk.fill("filler-b");
    expect(await heldBytes(1)).toBeGreaterThan(1e6);
    expect(await heldBytes(0)).toBeLessThan(16 * 1024);
  });

  test("costs the reserve no more than itself: in the midst of a segment a fill is answered once a second", async () => {
    await disk.fill("filler-a");
    await step(LOOK_MS);
    expect(await free()).toBeLessThan(16 * 1024);
    await step(1_000);
    const given = await free();
    expect(given).toBeGreaterThan(50_000);
    expect(given).toBeLessThan(200_000);
  });
});
