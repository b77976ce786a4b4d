import { expect, it } from "vitest";
import { createLog, systemClock } from "../../platform/platform.ts";
import { makeId, type SignedRecord } from "../../protocol/protocol.ts";
import { Owed, type Recordings } from "./owed.ts";

const id = (i: number) => new Uint8Array(10).fill(i);
const box = makeId("box", id(1));
const session = makeId("session", id(1));
const [spoilt, whole] = [makeId("take", id(1)), makeId("take", id(2))];

it("never-again 4: a take whose records the disk does not give back keeps no other from being told and sent", async () => {
  const told: string[] = [];
  const log = createLog(systemClock, (line) => told.push((JSON.parse(line) as { event: string }).event));
  const takes = [spoilt, whole].map((take) => ({ session, take, records: 3, ended: true, closed: 1, damaged: 0 }));
  const started: SignedRecord = {
    signature: "",
    record: JSON.stringify({
      ...{ v: 1, box, point: makeId("point", id(1)), session, take: whole, n: 0, prev: "0".repeat(64) },
      at: { utc: "2026-11-22T00:00:00.000Z", monotonicMs: 0, bootId: "b", hubOffsetMs: null, hubOffsetErrorMs: null },
      ...{ kind: "takeStart", agentVersion: "test", video: null, audio: null, source: "" },
    }),
  };
  const recordings: Recordings = {
    takes: () => takes,
    async records(take) {
      if (take === spoilt) throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
      return [started];
    },
    segments: (of) =>
      takes.filter(of ?? (() => true)).map(({ take }) => ({ name: { session, take, seq: 0 }, sizeBytes: 1 })),
    examine: async () => "whole",
    onRecord: () => {},
  };
  const owed = new Owed({
    log,
    recordings: () => recordings,
    state: { ledger: () => undefined },
    space: { isDeleted: () => false },
    box: () => box,
  });
  for (let look = 0; look < 2; look++) {
    expect((await owed.takesToTell()).map(({ take }) => take)).toEqual([whole]);
    expect((await owed.segmentsToSend()).map(({ name }) => name.take)).toEqual([whole]);
  }
  expect(await owed.sha256(spoilt, 0)).toBeUndefined();
  expect(await owed.records(spoilt, 0, 1)).toBeUndefined();
  expect(told).toEqual(["uplink.unreadableTake"]);
  expect([...owed.unreadable]).toEqual([spoilt]);
});
