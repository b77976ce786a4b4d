import { generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Take } from "../../src/edge/recording/take.ts";
import { createSigner } from "../../src/evidence/evidence.ts";
import { isoUtc, runChecked, systemClock } from "../../src/platform/platform.ts";
import {
  EvidenceRecord,
  makeId,
  RECORDS_FILE,
  SEGMENT_FILE_PATTERN,
  type SignedRecord,
} from "../../src/protocol/protocol.ts";
import { accountFor } from "../support/account.ts";

test("never-again 10: pictures that are missing within a take, also from one segment to the next, are signed gaps", async () => {
  const home = await mkdtemp(join(tmpdir(), "diemcau-missing-"));
  try {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const signing = {
      sign: createSigner(privateKey.export({ type: "pkcs8", format: "pem" })),
      readings: { clock: systemClock, hubOffset: () => null },
      wrote: () => {},
    };
    const [box, point] = [makeId("box", new Uint8Array(10)), makeId("point", new Uint8Array(10))];
    const [session, id] = [makeId("session", new Uint8Array(10)), makeId("take", new Uint8Array(10))];
    const now = {
      ...{ utc: "2026-11-02T08:00:00.000Z", monotonicMs: 5_000, bootId: systemClock.bootId },
      ...{ hubOffsetMs: null, hubOffsetErrorMs: null },
    };
    const directory = join(home, session, id);
    await mkdir(directory, { recursive: true });
    const take = await Take.create(directory, {
      ...{ v: 1, box, point, session, take: id, track: "room", agentVersion: "test", source: "" },
      video: { codec: "h264", width: 160, height: 120, frameRate: 25 },
      audio: { codec: "aac", sampleRate: 48_000, channels: 1 },
      ...{ sessionStartedAt: now.utc, plannedAt: now },
    });
    // 2.00 to 2.96 s is missing in the first segment, 3.60 to 4.40 s across the boundary at 4 s; the rest is there.
    const lacking = "select=not(between(n\\,50\\,73)+between(n\\,90\\,109))";
    await runChecked([
      ...["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=8"],
      ...["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=8", "-vf", lacking, "-fps_mode", "passthrough"],
      ...["-c:v", "libx264", "-bf", "0", "-force_key_frames", "expr:gte(t,n_forced*4)", "-c:a", "aac"],
      ...["-f", "segment", "-segment_format", "mpegts", "-segment_time", "4", "-muxdelay", "0"],
      join(directory, SEGMENT_FILE_PATTERN),
    ]);
    await take.start(now, undefined, undefined, signing);
    while (await take.close(undefined, signing));
    await take.finish("sessionEnded", { framesCaptured: null, framesEncoded: null }, signing);
    const lines = (await readFile(join(directory, RECORDS_FILE), "utf8")).trimEnd().split("\n");
    const records = lines.map((line) => EvidenceRecord.parse(JSON.parse((JSON.parse(line) as SignedRecord).record)));
    const gaps = records.flatMap((record) => (record.kind === "gap" ? [record] : []));
    const at = (seconds: number) => isoUtc(Date.parse(now.utc) + seconds * 1_000);
    expect(gaps.map(({ cause, from, to }) => [cause, from, to])).toEqual([
      ["framesMissing", at(2), at(2.96)],
      ["framesMissing", at(3.6), at(4.4)],
    ]);
    expect(gaps.map(({ durationMs }) => Math.round(durationMs))).toEqual([960, 800]);
    const account = accountFor(records, { startedAt: now.utc, endedAt: at(8) });
    expect(account).toMatchObject({ recordedMs: 8_000 - 960 - 800, gapMs: 960 + 800, unexplained: [] });
  } finally {
    await rm(home, { recursive: true });
  }
});
