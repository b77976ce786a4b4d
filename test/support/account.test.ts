import { describe, expect, test } from "vitest";
import type { EvidenceRecord } from "../../src/protocol/protocol.ts";
import type { GapView, SegmentView } from "../../src/hub/http/views.ts";
import { accountFor, placesOf } from "./account.ts";

const START_MS = Date.parse("2026-11-02T08:00:00.000Z");
const utc = (seconds: number) => new Date(START_MS + seconds * 1_000).toISOString();
const session = { startedAt: utc(0), endedAt: utc(60) };
const segment = (from: number, seconds: number, seq = 0) =>
  ({
    ...{ kind: "segment", take: "take-a", seq, startedAt: { utc: utc(from) } },
    ...{ streamStartMs: 1_400, streamEndMs: 1_400 + seconds * 1_000, frames: seconds * 25 },
  }) as EvidenceRecord;
const gap = (from: number, to: number, cause = "encoderDied") =>
  ({ kind: "gap", take: "take-a", cause, detail: "", from: utc(from), to: utc(to) }) as EvidenceRecord;

describe("a room's account of its session (never-again 10)", () => {
  test("comes out even where every moment is recorded or stated as missing", () => {
    const account = accountFor([gap(0, 2, "starting"), segment(2, 30), gap(32, 35), segment(35, 26)], session);
    expect(account).toEqual({
      ...{ sessionMs: 60_000, recordedMs: 55_000, gapMs: 5_000, differenceMs: 0 },
      ...{ causes: { starting: 2_000, encoderDied: 3_000 }, missingFrames: 0, unexplained: [] },
    });
  });

  test("names a hole that nobody has stated, also at the end", () => {
    const { unexplained, differenceMs } = accountFor([segment(0, 30), segment(35, 10)], session);
    expect(unexplained.map(({ kind, fromMs, toMs }) => [kind, fromMs - START_MS, toMs - START_MS])).toEqual([
      ["nothingSaid", 30_000, 35_000],
      ["nothingSaid", 45_000, 60_000],
    ]);
    expect(differenceMs).toBe(-20_000);
  });

  test("names what two records claim, even if the sum comes out even", () => {
    const { unexplained, differenceMs } = accountFor([segment(0, 30), segment(25, 30), gap(55, 60)], session);
    expect(differenceMs).toBe(5_000);
    expect(unexplained.map(({ kind }) => kind)).toEqual(["saidTwice"]);
    expect(accountFor([segment(0, 30), segment(25, 30)], session).differenceMs).toBe(0);
    expect(accountFor([segment(0, 30), segment(25, 30)], session).unexplained).toHaveLength(2);
  });

  test("does not count a segment that no copy has whole", () => {
    const account = accountFor([segment(0, 30), segment(30, 30, 1)], session, {
      isUsable: (_, seq) => seq !== 1,
    });
    expect(account.differenceMs).toBe(-30_000);
  });

  test("takes what is stated as left out within a segment from it, and counts frames that lack without a word", () => {
    const start = { kind: "takeStart", take: "take-a", video: { frameRate: 25 } } as EvidenceRecord;
    const recorded = { ...segment(0, 60), frames: 60 * 25 - 50 - 3 } as EvidenceRecord;
    expect(accountFor([start, gap(20, 22, "framesMissing"), recorded], session)).toMatchObject({
      ...{ recordedMs: 58_000, gapMs: 2_000, differenceMs: 0, missingFrames: 3, unexplained: [] },
    });
    const lost = [gap(0, 60, "segmentDamaged"), gap(20, 22, "framesMissing"), recorded];
    expect(accountFor(lost, session, { isUsable: () => false })).toMatchObject({ gapMs: 60_000, unexplained: [] });
  });

  test("counts a take where the archive places it, if the box's clock was wrong (never-again 11)", () => {
    const wrong = [gap(3_600, 3_602), segment(3_602, 58)];
    expect(accountFor(wrong, session).unexplained).toHaveLength(1);
    const segments = [{ take: "take-a", seq: 0, startedAt: utc(2), durationMs: 58_000 }] as unknown as SegmentView[];
    const gaps = [{ take: "take-a", cause: "encoderDied", detail: "", from: utc(0), to: utc(2) }] as GapView[];
    expect(accountFor(wrong, session, { placeOf: placesOf({ segments, gaps }) })).toMatchObject({
      ...{ differenceMs: 0, unexplained: [] },
    });
  });
});
