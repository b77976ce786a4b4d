import { describe, expect, test } from "vitest";
import { addReceipt, emptyLedger, isReceipted, isSettled, removeReceipt } from "./ledger.ts";

const withReceipts = (...seqs: number[]) => seqs.reduce(addReceipt, emptyLedger());

describe("receipts ledger", () => {
  test("is one number while receipts come in order", () => {
    expect(withReceipts(0, 1, 2)).toEqual({ records: 0, upTo: 3, also: [] });
  });

  test("closes up when a late receipt fills the hole", () => {
    expect(withReceipts(0, 2, 4, 3)).toEqual({ records: 0, upTo: 1, also: [2, 3, 4] });
    expect(withReceipts(0, 2, 4, 3, 1)).toEqual({ records: 0, upTo: 5, also: [] });
  });

  test("counts a receipt that comes twice once", () => {
    expect(withReceipts(1, 1, 0, 0, 1)).toEqual({ records: 0, upTo: 2, also: [] });
  });

  test("forgets exactly the one that the hub asks for again", () => {
    const ledger = removeReceipt(withReceipts(0, 1, 2, 3, 5), 1);
    expect([0, 1, 2, 3, 4, 5].filter((seq) => isReceipted(ledger, seq))).toEqual([0, 2, 3, 5]);
    expect(addReceipt(ledger, 1)).toEqual({ records: 0, upTo: 4, also: [5] });
    expect([2, 3, 5].filter((seq) => isReceipted(removeReceipt(withReceipts(2, 3, 5), 3), seq))).toEqual([2, 5]);
  });

  test("a take is settled only when it has ended, its records are held and each segment is receipted", () => {
    const take = { ended: true, records: 5 };
    const ledger = { ...withReceipts(0, 1, 2), records: 5 };
    expect(isSettled(ledger, take, 3)).toBe(true);
    expect(isSettled(ledger, { ...take, ended: false }, 3)).toBe(false);
    expect(isSettled({ ...ledger, records: 4 }, take, 3)).toBe(false);
    expect(isSettled(ledger, take, 4)).toBe(false);
    expect(isSettled(undefined, take, 0)).toBe(false);
  });
});
