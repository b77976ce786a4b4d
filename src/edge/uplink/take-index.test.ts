import { describe, expect, test } from "vitest";
import { GENESIS, makeId, type BoxId, type SignedRecord, type TakeId } from "../../protocol/protocol.ts";
import { TakeIndex } from "./take-index.ts";

const box: BoxId = makeId("box", new Uint8Array(10).fill(1));
const take: TakeId = makeId("take", new Uint8Array(10).fill(2));
const at = {
  utc: "2026-11-21T08:00:00.000Z",
  monotonicMs: 0,
  bootId: "b",
  hubOffsetMs: null,
  hubOffsetErrorMs: null,
};
const base = {
  v: 1,
  box,
  point: makeId("point", new Uint8Array(10)),
  session: makeId("session", new Uint8Array(10)),
  take,
  prev: GENESIS,
  at,
};
const line = (record: object): SignedRecord => ({ record: JSON.stringify({ ...base, ...record }), signature: "" });
const hash = (seq: number) => seq.toString(16).padStart(64, "0");
const segment = (n: number, seq: number) =>
  line({
    n,
    kind: "segment",
    seq,
    sizeBytes: 1,
    sha256: hash(seq),
    frames: 1,
    streamStartMs: 0,
    streamEndMs: 1,
    startedAt: at,
  });

describe("take index", () => {
  test("finds a segment's hash wherever gaps have put its record, and reads each record once", async () => {
    const records = [
      line({ n: 0, kind: "takeStart", agentVersion: "1", video: null, audio: null, source: "" }),
      line({ n: 1, kind: "gap", cause: "starting", from: at.utc, to: at.utc, durationMs: 0, detail: "" }),
      segment(2, 0),
    ];
    let read = 0;
    const index = new TakeIndex(async (_, fromN, limit) => {
      const items = records.slice(fromN, fromN + limit);
      read += items.length;
      return items;
    });
    expect(await index.box(take)).toBe(box);
    expect(await index.sha256(take, 0)).toBe(hash(0));
    expect(await index.sha256(take, 1)).toBeUndefined();
    records.push(segment(3, 1));
    expect(await index.sha256(take, 1)).toBe(hash(1));
    expect(read).toBe(4);
  });
});
