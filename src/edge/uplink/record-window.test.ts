import { describe, expect, test } from "vitest";
import { makeId, type TakeId } from "../../protocol/protocol.ts";
import { BATCH_RECORDS, RecordWindow } from "./record-window.ts";

const take = (i: number): TakeId => makeId("take", new Uint8Array(10).fill(i));
const A = take(1);
const B = take(2);

describe("record window", () => {
  test("after connecting, nothing is sent before the hub has said what it holds", () => {
    const window = new RecordWindow();
    window.open([A], 0);
    expect(window.next([{ take: A, records: 7 }], 100)).toEqual([]);
    window.have(A, 3, 200);
    expect(window.next([{ take: A, records: 7 }], 200)).toEqual([{ take: A, firstN: 3, count: 4 }]);
  });

  test("a hub that says nothing is sent everything", () => {
    const window = new RecordWindow();
    window.open([A], 0);
    expect(window.next([{ take: A, records: 2 }], 6_000)).toEqual([{ take: A, firstN: 0, count: 2 }]);
  });

  test("records of a long take go in order, without holes, one batch at a time", () => {
    const window = new RecordWindow();
    window.open([A], 0);
    window.have(A, 0, 0);
    const records = BATCH_RECORDS * 2 + 5;
    const sent: [number, number][] = [];
    for (let have = 0; have < records;) {
      const [batch, ...more] = window.next([{ take: A, records }], 1);
      expect(more).toEqual([]);
      expect(window.next([{ take: A, records }], 1)).toEqual([]);
      sent.push([batch!.firstN, batch!.count]);
      have = batch!.firstN + batch!.count;
      expect(window.have(A, have, 1)).toBe("taken");
    }
    expect(sent).toEqual([
      [0, BATCH_RECORDS],
      [BATCH_RECORDS, BATCH_RECORDS],
      [2 * BATCH_RECORDS, 5],
    ]);
    expect(window.next([{ take: A, records }], 2)).toEqual([]);
  });

  test("takes do not wait for one another", () => {
    const window = new RecordWindow();
    window.open([A, B], 0);
    window.have(A, 0, 0);
    window.have(B, 1, 0);
    expect(
      window.next(
        [
          { take: A, records: 1 },
          { take: B, records: 3 },
        ],
        0,
      ),
    ).toEqual([
      { take: A, firstN: 0, count: 1 },
      { take: B, firstN: 1, count: 2 },
    ]);
  });

  test("a take that begins on this connection is sent from its first record", () => {
    const window = new RecordWindow();
    window.open([], 0);
    window.assume(A, 0);
    expect(window.next([{ take: A, records: 1 }], 1)).toEqual([{ take: A, firstN: 0, count: 1 }]);
  });

  test("what the hub did not take is sent again after a wait that grows, until there is progress", () => {
    const window = new RecordWindow();
    window.open([A], 0);
    window.have(A, 0, 0);
    const takes = [{ take: A, records: 10 }];
    const waitAfterRefusal = (now: number, have: number) => {
      expect(window.next(takes, now)).toHaveLength(1);
      window.have(A, have, now);
      let waited = 0;
      for (;;) {
        // A probe that finds something counts as sent, so it is the attempt itself.
        const due = window.next(takes, now + waited).length > 0;
        if (due) return waited;
        waited += 10;
      }
    };
    const first = waitAfterRefusal(0, 0);
    window.have(A, 0, first);
    let second = 0;
    while (window.next(takes, first + second).length === 0) second += 10;
    expect(second).toBeGreaterThan(first * 1.5);
    window.have(A, 10, first + second);
    expect(window.next([{ take: A, records: 11 }], first + second)).toEqual([{ take: A, firstN: 10, count: 1 }]);
  });

  test("never-again 4: an answer that never comes is not waited for for ever", () => {
    const window = new RecordWindow();
    window.open([A], 0);
    window.have(A, 0, 0);
    expect(window.next([{ take: A, records: 2 }], 0)).toHaveLength(1);
    expect(window.next([{ take: A, records: 3 }], 14_000)).toEqual([]);
    expect(window.next([{ take: A, records: 3 }], 15_001)).toEqual([{ take: A, firstN: 0, count: 3 }]);
  });

  test("a hub that was set back to a backup gets what it lost", () => {
    const window = new RecordWindow();
    window.open([A], 0);
    window.have(A, 9, 0);
    expect(window.next([{ take: A, records: 9 }], 0)).toEqual([]);
    window.have(A, 4, 10);
    expect(window.next([{ take: A, records: 9 }], 10)).toEqual([{ take: A, firstN: 4, count: 5 }]);
  });
});
