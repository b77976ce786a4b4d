import { describe, expect, test } from "vitest";
import { makeId } from "../../protocol/protocol.ts";
import { planDeletions, planSpace, ReleaseBudget, reserveTarget, type HeldSegment } from "./plan.ts";

const take = makeId("take", new Uint8Array(10));
const session = makeId("session", new Uint8Array(10));
const other = makeId("session", new Uint8Array(10).fill(1));
const need = (bytes: number, of = session) => ({ session: of, bytes, running: false });

describe("readiness (never-again 7)", () => {
  const room = { freeBytes: 100e9, totalBytes: 500e9, reservedBytes: 0 };

  test("is given while all sessions fit beside what the system keeps", () => {
    expect(planSpace([need(50e9), need(49e9, other)], room)).toEqual({
      neededBytes: 99e9,
      coveredBytes: 99e9,
      readiness: [
        { session, ready: true, neededBytes: 50e9, missingBytes: 0 },
        { session: other, ready: true, neededBytes: 49e9, missingBytes: 0 },
      ],
    });
  });

  test("is refused to the later session, with what is missing, when both do not fit", () => {
    const { coveredBytes, readiness } = planSpace([need(50e9), need(60e9, other)], room);
    expect(coveredBytes).toBe(99e9);
    expect(readiness.map(({ ready, missingBytes }) => [ready, missingBytes])).toEqual([
      [true, 0],
      [false, 11e9],
    ]);
  });

  test("counts what the reserve holds as there", () => {
    const held = { freeBytes: 2e9, totalBytes: 500e9, reservedBytes: 50e9 };
    expect(planSpace([need(50e9)], held).readiness[0]!.ready).toBe(true);
    expect(planSpace([need(50e9)], { ...held, reservedBytes: 0 }).readiness[0]!.ready).toBe(false);
  });
});

describe("deletions (never-again 3)", () => {
  const held = (seq: number, hub: boolean, province: boolean): HeldSegment => ({
    name: { session, take, seq },
    sizeBytes: 10,
    hub,
    province,
  });

  test("are the oldest, as many as are needed, and none when nothing is missing", () => {
    const segments = [0, 1, 2, 3].map((seq) => held(seq, true, true));
    expect(planDeletions(segments, 15).map(({ name }) => name.seq)).toEqual([0, 1]);
    expect(planDeletions(segments, 0)).toEqual([]);
  });

  test("never touch what one of the two stores has not signed for, whatever is missing", () => {
    const segments = [held(0, true, false), held(1, false, true), held(2, false, false), held(3, true, true)];
    expect(planDeletions(segments, 1e12).map(({ name }) => name.seq)).toEqual([3]);
  });
});

describe("the reserve (never-again 7)", () => {
  test("is the whole need while nothing is recorded, and gives way to nobody", () => {
    expect(reserveTarget({ neededBytes: 100, coveredBytes: 100 }, 0, 0, 0)).toBe(100);
    // Somebody has filled the disk: what is held stays held.
    expect(reserveTarget({ neededBytes: 100, coveredBytes: 40 }, 90, 0, 1_000)).toBe(90);
    expect(reserveTarget({ neededBytes: 30, coveredBytes: 30 }, 90, 0, 0)).toBe(30);
  });

  test("leaves a lead free for the encoder, and shrinks with what has been recorded", () => {
    expect(reserveTarget({ neededBytes: 100, coveredBytes: 100 }, 100, 10, 0)).toBe(90);
    expect(reserveTarget({ neededBytes: 60, coveredBytes: 60 }, 90, 10, 0)).toBe(50);
  });

  test("gives way to a full disk only as fast as the budget allows", () => {
    expect(reserveTarget({ neededBytes: 100, coveredBytes: 70 }, 90, 10, 8)).toBe(82);
    expect(reserveTarget({ neededBytes: 100, coveredBytes: 70 }, 62, 10, 8)).toBe(60);
  });
});

test("the budget is one lead at once, then one in each 10 s, and is never saved up", () => {
  const budget = new ReleaseBudget(100);
  expect(budget.now(0)).toBe(100);
  budget.spend(100);
  expect(budget.now(1_000)).toBe(10);
  budget.spend(10);
  expect(budget.now(60_000)).toBe(100);
});
