import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openRecorder } from "../../src/edge/recording/recording.ts";
import { createSigner } from "../../src/evidence/evidence.ts";
import { placeTakes, type RecordedTake } from "../../src/hub/archive/placing.ts";
import { anchorsOf } from "../../src/hub/archive/records.ts";
import { createLog, isoUtc, processesWith, systemClock, type Clock } from "../../src/platform/platform.ts";
import {
  EvidenceRecord,
  GENESIS,
  makeId,
  type BoxId,
  type SegmentRecord,
  type SessionId,
  type TakeId,
} from "../../src/protocol/protocol.ts";
import { until } from "../support/until.ts";

const HOUR_MS = 3_600_000;
const box: BoxId = makeId("box", new Uint8Array(10));
const [first, second] = [1, 2].map((i) => makeId("session", new Uint8Array(10).fill(i))) as [SessionId, SessionId];

test("never-again 11: jumps of the wall clock by an hour move, reorder and overlap nothing; sessions follow each other at once", async () => {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-clock-"));
  let jumpMs = -HOUR_MS;
  let hubKnown = false;
  /** A box whose wall clock is set by anybody at any time; its hub's clock is right. */
  const clock: Clock = {
    ...systemClock,
    bootId: systemClock.bootId,
    wallMs: () => systemClock.wallMs() + jumpMs,
  };
  const runDirectory = join(directory, "run");
  const recorder = await openRecorder({
    clock,
    log: createLog(clock, () => {}),
    config: {
      source: { kind: "virtual", label: "clock", phrases: "/usr/share/sounds/alsa" },
      record: { width: 320, height: 180, frameRate: 25, maxBitrateKbps: 600 },
      live: { width: 160, height: 90, bitrateKbps: 60 },
    },
    dataDirectory: directory,
    runDirectory,
    liveUrl: (kind, run) => `rtmp://127.0.0.1:1/live/${kind}_${run}`,
    hubOffset: () => (hubKnown ? { offsetMs: -jumpMs, errorMs: 1 } : null),
    agentVersion: "test",
  });
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signer = createSigner(privateKey.export({ type: "pkcs8", format: "pem" }));
  recorder.setIdentity({ box, point: makeId("point", new Uint8Array(10)), signer });
  const stop = new AbortController();
  const running = recorder.run(stop.signal);
  try {
    const started = new Map<TakeId, number>();
    const record = async (session: SessionId) => {
      const before = recorder.takes().length;
      recorder.setSession({ id: session, startedAt: isoUtc(clock.wallMs() + (hubKnown ? -jumpMs : 0)) }, "paused");
      const take = await until("it records", () => recorder.takes().length > before && recorder.takes().at(-1)!.take, {
        withinMs: 60_000,
      });
      started.set(take, systemClock.wallMs());
      await until("two seconds are recorded", () => recorder.facts().encoder.frames >= 50, { withinMs: 60_000 });
    };
    const over = async (why: "sessionEnded" | "paused") => {
      recorder.setSession(null, why);
      await until("the take has ended", () => recorder.takes().every(({ ended }) => ended), { withinMs: 60_000 });
    };
    await record(first);
    // In mid-take, forward; the hub is still away.
    jumpMs = HOUR_MS;
    await over("paused");
    hubKnown = true;
    await record(first);
    jumpMs = -HOUR_MS;
    // The next session begins in the same step in which this one ends.
    await record(second);
    await over("sessionEnded");

    const takes: RecordedTake[] = [];
    const all: EvidenceRecord[] = [];
    for (const { take } of recorder.takes()) {
      const records = (await recorder.records(take, 0, 100)).map(({ record }) =>
        EvidenceRecord.parse(JSON.parse(record)),
      );
      const segments = records.filter((record): record is SegmentRecord => record.kind === "segment");
      const { startedAt } = segments[0]!;
      all.push(...records);
      takes.push({
        ...{ take, box, prevHash: records[0]!.prev, tipHash: null, startedMs: Date.parse(startedAt.utc) },
        durationMs: segments.reduce((sum, { streamStartMs, streamEndMs }) => sum + streamEndMs - streamStartMs, 0),
        clock: startedAt,
      });
    }
    for (const [i, take] of takes.entries()) take.tipHash = takes[i + 1]?.prevHash ?? "end";
    expect(takes.map(({ clock }) => clock!.hubOffsetMs !== null)).toEqual([false, true, true]);
    expect(takes[0]!.prevHash).toBe(GENESIS);
    // By its own word the first take was an hour ago.
    const [wrong, ...right] = takes.map(({ take, startedMs }) => Math.abs(startedMs - started.get(take)!));
    expect(wrong).toBeGreaterThan(HOUR_MS / 2);
    for (const awayMs of right) expect(awayMs).toBeLessThan(5_000);

    const placed = placeTakes(
      [...takes].reverse(),
      anchorsOf(box, all).map(({ boxId, ...anchor }) => ({ box: boxId, ...anchor })),
    );
    expect(placed.map(({ take, basis }) => [takes.findIndex((t) => t.take === take), basis])).toEqual([
      [0, "corrected"],
      [1, "hub"],
      [2, "hub"],
    ]);
    const shown = placed.map(({ take, shiftMs }) => {
      const { startedMs, durationMs } = takes.find((t) => t.take === take)!;
      return { take, fromMs: startedMs + shiftMs, toMs: startedMs + shiftMs + durationMs };
    });
    for (const { take, fromMs } of shown) expect(Math.abs(fromMs - started.get(take)!)).toBeLessThan(5_000);
    for (const [i, { fromMs }] of shown.slice(1).entries()) expect(fromMs).toBeGreaterThanOrEqual(shown[i]!.toMs);

    // Between the two sessions nothing but the encoder's start is missing, and it is stated.
    const gap = all.find((record) => record.kind === "gap" && record.session === second);
    const missingMs = shown[2]!.fromMs - shown[1]!.toMs;
    expect(gap).toMatchObject({ cause: "starting" });
    expect(missingMs).toBeLessThan(3_000);
    process.stdout.write(`switch of sessions: ${Math.round(missingMs)} ms missing\n`);
  } finally {
    stop.abort();
    await running;
    for (const { pid } of processesWith(`${runDirectory}/`)) process.kill(pid, "SIGKILL");
    await rm(directory, { recursive: true });
  }
});
