import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  GENESIS,
  type BoxId,
  type PointId,
  type SessionId,
  type SignedRecord,
  type TakeId,
} from "../../protocol/protocol.ts";
import { chainHash, createSigner, emptyChain, type ChainTip, type Signer } from "../../evidence/evidence.ts";
import { clocksAtStart, planRecords, totalsOf, type RecordFacts } from "./records.ts";

const body = (letter: string) => letter.repeat(16);
const box = `box-${body("a")}` as BoxId;
const point = `point-${body("a")}` as PointId;
const session = `session-${body("a")}` as SessionId;
const take = `take-${body("a")}` as TakeId;

function keyPair(): { key: KeyObject; sign: Signer } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { key: publicKey, sign: createSigner(privateKey.export({ type: "pkcs8", format: "pem" })) };
}
const { key, sign } = keyPair();

const at = {
  utc: "2026-11-21T00:00:00.000Z",
  monotonicMs: 0,
  bootId: "b",
  hubOffsetMs: null,
  hubOffsetErrorMs: null,
};

/** A whole take: start, segments, end; `change` puts a lie into record n. */
function chain(segments: number, change?: { n: number; fields: object }): SignedRecord[] {
  const signed: SignedRecord[] = [];
  let prev = GENESIS;
  const add = (fields: object) => {
    const n = signed.length;
    const lie = change?.n === n ? change.fields : {};
    const next = sign(JSON.stringify({ v: 1, box, point, session, take, n, prev, at, ...fields, ...lie }));
    signed.push(next);
    prev = chainHash(next.record);
  };
  add({ kind: "takeStart", agentVersion: "1", video: null, audio: null, source: "x" });
  for (let seq = 0; seq < segments; seq++)
    add({
      kind: "segment",
      seq,
      sizeBytes: 100,
      sha256: "0".repeat(64),
      frames: 250,
      streamStartMs: seq * 10_000,
      streamEndMs: (seq + 1) * 10_000,
      startedAt: at,
    });
  add({ kind: "takeEnd", reason: "sessionEnded", segments, frames: 250 * segments });
  return signed;
}

const message = (items: SignedRecord[], firstN = 0) => ({ type: "records" as const, session, take, firstN, items });
const facts = (more: Partial<RecordFacts> = {}): RecordFacts => ({
  box,
  key,
  point,
  pointInSession: true,
  take: undefined,
  tip: emptyChain(take),
  held: new Map(),
  ...more,
});
/** The hub after it took the first `count` records. */
function after(records: SignedRecord[], count: number): RecordFacts {
  const tip: ChainTip = planRecords(message(records.slice(0, count)), facts()).tip;
  const held = new Map(records.slice(0, count).map(({ record }, n) => [n, record]));
  return facts({ take: { box, session }, tip, held });
}

describe("planRecords", () => {
  const records = chain(3);

  test("a take's clocks are those of its first frame, and of one without an encoder those of its statement", () => {
    const recordsOf = (signed: SignedRecord[]) => planRecords(message(signed), facts()).accepted.map((a) => a.record);
    const later = { ...at, utc: "2026-11-21T00:00:05.000Z", monotonicMs: 5_000 };
    const withMedia = chain(2, { n: 1, fields: { startedAt: later } });
    const recording = { n: 0, fields: { audio: { codec: "aac", sampleRate: 48_000, channels: 1 } } };
    expect(clocksAtStart(recordsOf(withMedia).slice(1))).toEqual(later);
    expect(clocksAtStart(recordsOf(chain(0, { n: 0, fields: { at: later } })))).toEqual(later);
    expect(clocksAtStart(recordsOf(chain(0, recording)))).toBeUndefined();
    expect(clocksAtStart(recordsOf(chain(2)).slice(2))).toBeUndefined();
  });

  test("takes a whole take in one message", () => {
    const plan = planRecords(message(records), facts());
    expect(plan.refusal).toBeUndefined();
    expect(plan.accepted).toHaveLength(5);
    expect(plan.tip).toMatchObject({ nextN: 5, nextSeq: 3, ended: true });
    expect(totalsOf(plan.accepted.map(({ record }) => record))).toEqual({
      sizeBytes: 300,
      gaps: 0,
      durationMs: 30_000,
    });
  });

  test("passes over what it holds and takes what is new", () => {
    const plan = planRecords(message(records), after(records, 3));
    expect(plan.refusal).toBeUndefined();
    expect(plan.accepted.map(({ record }) => record.n)).toEqual([3, 4]);
  });

  test("leaves records from further on, and says what comes next", () => {
    const plan = planRecords(message(records.slice(3), 3), after(records, 1));
    expect(plan).toMatchObject({ accepted: [], refusal: undefined, tip: { nextN: 1 } });
  });

  test("takes what is true before a lie and nothing after it", () => {
    const lying = chain(3, { n: 2, fields: { seq: 7 } });
    const plan = planRecords(message(lying), facts());
    expect(plan.accepted).toHaveLength(2);
    expect(plan.refusal).toMatchObject({ n: 2, reason: "wrongSeq" });
  });

  test.each([
    ["wrongBox", { box: `box-${body("b")}` }],
    ["wrongPoint", { point: `point-${body("b")}` }],
    ["wrongSession", { session: `session-${body("b")}` }],
    ["wrongTake", { take: `take-${body("b")}` }],
    ["malformed", { kind: "takeEnd", segments: "all" }],
    ["brokenChain", { prev: "f".repeat(64) }],
  ])("refuses %s", (reason, fields) => {
    const plan = planRecords(message(chain(2, { n: 1, fields })), facts());
    expect(plan.accepted).toHaveLength(1);
    expect(plan.refusal).toMatchObject({ n: 1, reason });
  });

  test("never-again 10: refuses what another key has signed", () => {
    expect(planRecords(message(records), facts({ key: keyPair().key })).refusal).toMatchObject({ reason: "signature" });
  });

  test("refuses another box's take and a session that the point is not part of", () => {
    const other = { box: `box-${body("b")}` as BoxId, session };
    expect(planRecords(message(records), facts({ take: other })).refusal).toMatchObject({ reason: "wrongBox" });
    expect(planRecords(message(records), facts({ pointInSession: false })).refusal).toMatchObject({
      reason: "pointNotInSession",
    });
  });

  test("tells a signed rewrite of a held record from noise", () => {
    const rewritten = chain(3, { n: 1, fields: { frames: 1 } });
    const held = after(records, 3);
    expect(planRecords(message(rewritten), held)).toMatchObject({
      accepted: [],
      refusal: { n: 1, reason: "rewritten" },
      tip: { nextN: 3 },
    });
    const noise = [{ record: "{}", signature: records[0]!.signature }];
    expect(planRecords(message(noise, 1), held).refusal).toMatchObject({ n: 1, reason: "signature" });
    expect(planRecords(message(records, -3), held).refusal).toMatchObject({ reason: "notNext" });
  });

  test("nothing follows the end of a take", () => {
    const held = after(records, 5);
    const more = sign(JSON.stringify({ v: 1, box, point, session, take, n: 5, prev: held.tip.prev, at, kind: "gap" }));
    expect(planRecords(message([more], 5), held).refusal).toMatchObject({ n: 5 });
  });
});
