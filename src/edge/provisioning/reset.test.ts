import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createSigner } from "../../evidence/evidence.ts";
import { makeId, type ResetOrder } from "../../protocol/protocol.ts";
import { judgeReset, type ResetFacts } from "./reset.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const sign = createSigner(privateKey.export({ type: "pkcs8", format: "pem" }));
const box = makeId("box", new Uint8Array(10));
const nowMs = Date.parse("2026-11-22T08:00:00.000Z");
const order: ResetOrder = {
  v: 1,
  kind: "reset",
  id: "0".repeat(20),
  box,
  issuedAt: "2026-11-22T07:59:00.000Z",
  until: "2026-11-22T08:04:00.000Z",
  by: "Quản trị viên",
  acceptLoss: null,
};
const facts: ResetFacts = {
  identity: { box, receiptKey: createPublicKey(privateKey) },
  hubMs: nowMs,
  recording: false,
  unsynced: { segments: 0, bytes: 0 },
};
const judge = (change: Partial<ResetOrder>, found: Partial<ResetFacts> = {}) =>
  judgeReset(sign(JSON.stringify({ ...order, ...change })), { ...facts, ...found });
const reason = (outcome: ReturnType<typeof judgeReset>) => (outcome.state === "refused" ? outcome.reason : "done");

describe("an order to forget everything", () => {
  test("is obeyed when it is the hub's, for this box, and costs nothing", () =>
    expect(judge({})).toEqual({ state: "done" }));

  test.each<[string, Partial<ResetOrder>, Partial<ResetFacts>, string]>([
    [
      "for another box: also what was meant for this one before it was reset",
      { box: makeId("box", new Uint8Array(10).fill(9)) },
      {},
      "wrongBox",
    ],
    ["too late", {}, { hubMs: nowMs + 300_000 }, "outOfTime"],
    ["before its time, by more than a clock may be wrong", {}, { hubMs: nowMs - 3_600_000 }, "outOfTime"],
    ["while a session is recorded", {}, { recording: true }, "recording"],
    ["while recordings would be lost", {}, { unsynced: { segments: 1, bytes: 1 } }, "unsynced"],
    [
      "while more would be lost than the administrator was told",
      { acceptLoss: { segments: 5, bytes: 100 } },
      { unsynced: { segments: 6, bytes: 90 } },
      "unsynced",
    ],
    ["by a box that was never paired", {}, { identity: null }, "notPaired"],
    ["without what an order says", { until: "soon" }, {}, "unreadable"],
  ])("is refused %s", (_, change, found, expected) => expect(reason(judge(change, found))).toBe(expected));

  test("is obeyed with the loss that the administrator accepted", () => {
    const acceptLoss = { segments: 5, bytes: 100 };
    expect(judge({ acceptLoss }, { unsynced: acceptLoss })).toEqual({ state: "done" });
    expect(reason(judge({ acceptLoss }, { unsynced: acceptLoss, recording: true }))).toBe("recording");
  });

  test("is refused when its words were changed after signing, or another signed them", () => {
    const signed = sign(JSON.stringify(order));
    expect(reason(judgeReset({ ...signed, record: signed.record.replace("null", "1   ") }, facts))).toBe("signature");
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const forged = createSigner(other.privateKey.export({ type: "pkcs8", format: "pem" }))(signed.record);
    expect(reason(judgeReset(forged, facts))).toBe("signature");
    expect(reason(judgeReset(undefined, facts))).toBe("unreadable");
    expect(reason(judgeReset(sign("not JSON"), facts))).toBe("unreadable");
  });
});
