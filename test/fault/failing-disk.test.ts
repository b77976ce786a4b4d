import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openRecorder, type Recorder } from "../../src/edge/recording/recording.ts";
import { openSpace, type Space } from "../../src/edge/space/space.ts";
import { chainHash, checkNextRecord, createSigner, emptyChain } from "../../src/evidence/evidence.ts";
import { createLog, isoUtc, processesWith, sha256File, systemClock } from "../../src/platform/platform.ts";
import { makeId, type EvidenceRecord, type TakeId } from "../../src/protocol/protocol.ts";
import { makeSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { until } from "../support/until.ts";
import { makeVolatileDisk } from "../support/volatile-disk.ts";

interface FailingDisk extends AsyncDisposable {
  directory: string;
  fail(): Promise<void> | void;
}

const DISKS: { how: string; make: (home: string) => Promise<FailingDisk> }[] = [
  {
    how: "turns read-only",
    make: async () => {
      const disk = await makeSmallDisk(64e6);
      return Object.assign(disk, { fail: () => disk.failToReadOnly() });
    },
  },
  // The encoder notices nothing: its writes end in memory.
  { how: "takes no writes and has no journal", make: (home) => makeVolatileDisk(home, ["-O", "^has_journal"]) },
];

/** A box with two media, each a file system of its own; the first one fails in mid-session. */
describe("a disk that fails in mid-session", () => {
  const box = makeId("box", new Uint8Array(10));
  const point = makeId("point", new Uint8Array(10));
  const session = { id: makeId("session", new Uint8Array(10)), startedAt: "" };
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signer = createSigner(privateKey.export({ type: "pkcs8", format: "pem" }));
  const SIZE = { width: 320, height: 180, frameRate: 25, maxBitrateKbps: 600 };
  let home: string;
  let first: FailingDisk;
  let second: SmallDisk;
  let space: Space;
  let recorder: Recorder;
  let stop: AbortController;
  let running: Promise<unknown>;
  const logged: { event: string }[] = [];
  const log = createLog(systemClock, (line) => logged.push(JSON.parse(line) as { event: string }));

  async function begin(): Promise<void> {
    space = await openSpace({
      ...{ log, clock: systemClock, dataDirectory: first.directory, secondMedium: second.directory },
      bytesPerMinute: 1e6,
      screenBytesPerMinute: 0,
      assignment: () => null,
      ledger: () => undefined,
      ledgerTakes: () => [],
      forgetTakes: async () => {},
      box: () => box,
      receiptKey: () => createPublicKey(publicKey.export({ type: "spki", format: "pem" })),
    });
    recorder = await openRecorder({
      ...{ log, clock: systemClock, dataDirectory: first.directory, runDirectory: join(home, "run") },
      config: {
        source: { kind: "virtual", label: "two disks", phrases: "/usr/share/sounds/alsa" },
        record: SIZE,
        live: { width: 160, height: 90, bitrateKbps: 60 },
      },
      liveUrl: (kind, run) => `rtmp://127.0.0.1:1/live/${box}_${kind}_${run}`,
      hubOffset: () => null,
      agentVersion: "test",
      fallback: space.fallback(),
    });
    recorder.setIdentity({ box, point, signer });
    stop = new AbortController();
    running = Promise.all([space.run(recorder, stop.signal), recorder.run(stop.signal)]);
  }
  const recordsOf = async (take: TakeId): Promise<EvidenceRecord[]> => {
    let tip = emptyChain(take);
    return (await recorder.records(take, 0, 100)).map((signed) => {
      const verdict = checkNextRecord(tip, signed, publicKey);
      if (!verdict.ok) throw new Error(verdict.detail);
      tip = verdict.tip;
      return verdict.record;
    });
  };

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "diemcau-failing-"));
    await mkdir(join(home, "run"));
    second = await makeSmallDisk(64e6);
  });
  afterEach(async () => {
    stop.abort();
    await running;
    for (const { pid } of processesWith(`${home}/run/encoder/`)) process.kill(pid, "SIGKILL");
    await first[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  test.each(DISKS)(
    "never-again 5: $how: the record goes on on the second medium, and the next start knows both",
    async ({ make }) => {
      first = await make(join(home, "first"));
      session.startedAt = isoUtc(systemClock.wallMs());
      await begin();
      recorder.setSession(session, "sessionEnded");
      await until("a segment is closed and the next one open", () => recorder.segments().length === 1, {
        withinMs: 40_000,
      });
      await until("the copy follows", () => space.facts()?.secondMedium?.state === "ok");
      const begunMs = systemClock.monotonicMs();
      await until("the next is in its midst", () => systemClock.monotonicMs() - begunMs > 3_000);
      await first.fail();
      await until("the second is recorded to", () => recorder.writing()?.directory.startsWith(second.directory), {
        withinMs: 20_000,
      });
      await until("the record goes on", () => recorder.segments().length >= 3, { withinMs: 40_000 });
      expect(recorder.facts().recording).toMatchObject({ session: session.id, growing: true });
      recorder.setSession(null, "sessionEnded");
      await until("all takes have ended", () => recorder.takes().every(({ ended }) => ended), { withinMs: 30_000 });

      const takes = await Promise.all(recorder.takes().map(({ take }) => recordsOf(take)));
      expect(takes).toHaveLength(2);
      const [before, after] = takes as [EvidenceRecord[], EvidenceRecord[]];
      expect(before.map(({ kind }) => kind)).toEqual(["takeStart", "gap", "segment", "segment", "takeEnd"]);
      const gap = after.find((record) => record.kind === "gap")!;
      expect(gap).toMatchObject({ cause: "mediumFailed" });
      const last = before.findLast((record) => record.kind === "segment")!;
      const recordedToMs = Date.parse(last.startedAt.utc) + last.streamEndMs - last.streamStartMs;
      expect(Math.abs(Date.parse(gap.from) - recordedToMs)).toBeLessThanOrEqual(2);
      expect(last.frames).toBeGreaterThan(25);
      expect(gap.durationMs).toBeLessThan(10_000);
      const [lastSigned] = await recorder.records(before[0]!.take, before.length - 1, 1);
      expect(after[0]!.prev).toBe(chainHash(lastSigned!.record));

      const told = recorder.segments();
      for (const { name, path } of told)
        expect((await sha256File(path)).sha256).toBe(await recorder.sha256(name.take, name.seq));
      expect(told.filter(({ path }) => path.startsWith(second.directory)).length).toBeGreaterThanOrEqual(3);

      stop.abort();
      await running;
      await begin();
      expect(recorder.takes().map(({ take, ended }) => ({ take, ended }))).toEqual(
        takes.map(([start]) => ({ take: start!.take, ended: true })),
      );
      expect(recorder.segments()).toEqual(told);
      // The mirror has had a round then, and has written to none of them.
      await until("the mirror has looked", () => space.facts()?.secondMedium?.state === "ok");
      const { name, sizeBytes } = told.at(-1)!;
      expect(await space.sourceOf(name, sizeBytes)).toBe(join(second.directory, "recordings"));
      for (const { name, path } of recorder.segments())
        expect((await sha256File(path)).sha256).toBe(await recorder.sha256(name.take, name.seq));
    },
  );
});
