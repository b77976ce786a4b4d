import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createSigner } from "../evidence/evidence.ts";
import { GENESIS, makeId, type Receipt } from "../protocol/protocol.ts";
import { judgeReceipt } from "./receipts.ts";

const newKey = () =>
  generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" });
const hubKey = newKey();
const sign = createSigner(hubKey);
const publicKey = createPublicKey(hubKey);
const sha256 = "a".repeat(64);
const recorded = async () => sha256;

const receipt: Receipt = {
  v: 1,
  kind: "receipt",
  store: "hub",
  session: makeId("session", new Uint8Array(10)),
  take: makeId("take", new Uint8Array(10)),
  seq: 4,
  sha256,
  sizeBytes: 10,
  at: "2026-11-21T08:00:00.000Z",
};

describe("a receipt", () => {
  test("holds when the hub signed it about the bytes that were recorded", async () => {
    expect(await judgeReceipt(sign(JSON.stringify(receipt)), publicKey, recorded)).toEqual({ ok: true, receipt });
  });

  test("signed by another key is refused", async () => {
    const signed = createSigner(newKey())(JSON.stringify(receipt));
    expect(await judgeReceipt(signed, publicKey, recorded)).toMatchObject({ ok: false, reason: "signature" });
  });

  test("changed after signing is refused", async () => {
    const signed = sign(JSON.stringify(receipt));
    const forged = { ...signed, record: signed.record.replace('"seq":4', '"seq":5') };
    expect(await judgeReceipt(forged, publicKey, recorded)).toMatchObject({ ok: false, reason: "signature" });
  });

  test("about other bytes than the box recorded is refused, though signed", async () => {
    const signed = sign(JSON.stringify({ ...receipt, sha256: GENESIS }));
    expect(await judgeReceipt(signed, publicKey, recorded)).toMatchObject({ ok: false, reason: "otherBytes" });
  });

  test("about a segment that the box never recorded is refused", async () => {
    const signed = sign(JSON.stringify(receipt));
    expect(await judgeReceipt(signed, publicKey, async () => undefined)).toMatchObject({ reason: "unknownSegment" });
  });

  test("that is signed and yet no receipt is refused", async () => {
    expect(await judgeReceipt(sign('{"kind":"takeEnd"}'), publicKey, recorded)).toMatchObject({ reason: "malformed" });
    expect(await judgeReceipt(sign("hello"), publicKey, recorded)).toMatchObject({ reason: "malformed" });
  });
});
