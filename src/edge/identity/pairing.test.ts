import { describe, expect, test } from "vitest";
import { pairingCrypto } from "../../platform/platform.ts";
import {
  boxProof,
  hubProof,
  makeId,
  PAIRING_ALPHABET,
  pairingKey,
  PairingRequest,
  type PairingAnswer,
} from "../../protocol/protocol.ts";
import { beginAttempt, judgeAnswer, type Attempt } from "./pairing.ts";

const begin = (overrides: Partial<Parameters<typeof beginAttempt>[0]> = {}): Attempt =>
  beginAttempt({
    crypto: pairingCrypto,
    randomInt: (below) => below - 1,
    salt: new Uint8Array(16).fill(7),
    csrPem: "request",
    caPem: "authority",
    agentVersion: "1",
    description: "a box",
    wallMs: 1_000,
    ...overrides,
  });

const accepted = (attempt: Attempt, knows: string, certificatePem = "certificate"): PairingAnswer => ({
  state: "accepted",
  box: makeId("box", new Uint8Array(10)),
  point: { id: makeId("point", new Uint8Array(10)), name: "Xã A" },
  certificatePem,
  receiptKeyPem: "key",
  proof: Buffer.from(
    hubProof(
      pairingCrypto,
      pairingKey(pairingCrypto, knows, Buffer.from(attempt.request.salt, "base64")),
      attempt.request.csrPem,
      attempt.caPem,
      certificatePem,
    ),
  ).toString("base64"),
});

describe("pairing attempt", () => {
  test("draws each letter of the code from the whole alphabet", () => {
    const bounds: number[] = [];
    const attempt = begin({ randomInt: (below) => bounds.push(below) - 1 });
    expect(bounds).toEqual(Array(8).fill(PAIRING_ALPHABET.length));
    expect(attempt.code).toBe("BCDF-GHJK");
  });

  test("sends a request that fits the protocol and proves the code without containing it", () => {
    const attempt = begin({ description: "x".repeat(500) });
    const request = PairingRequest.parse(attempt.request);
    const hubKey = pairingKey(pairingCrypto, attempt.code.toLowerCase(), Buffer.from(request.salt, "base64"));
    expect(Buffer.from(request.proof, "base64")).toEqual(
      Buffer.from(boxProof(pairingCrypto, hubKey, "request", "authority")),
    );
    expect(JSON.stringify(request)).not.toContain(attempt.code);
    expect(attempt.expiresAtMs).toBe(1_000 + 15 * 60_000);
  });
});

describe("the hub's answer", () => {
  test("is waited for", () => {
    expect(judgeAnswer(pairingCrypto, begin(), { state: "waiting" }, "")).toEqual({ next: "wait" });
  });

  test("asks for a new code when the hub dropped this one", () => {
    expect(judgeAnswer(pairingCrypto, begin(), { state: "expired" }, "")).toMatchObject({
      next: "newCode",
      reason: "expired",
    });
  });

  test("is refused from one who does not know the code", () => {
    const attempt = begin();
    expect(judgeAnswer(pairingCrypto, attempt, accepted(attempt, "BBBB-BBBB"), "")).toMatchObject({
      next: "newCode",
      reason: "proofWrong",
    });
  });

  test("is refused when the certificate was exchanged after the proof was made", () => {
    const attempt = begin();
    const answer = { ...accepted(attempt, attempt.code), certificatePem: "another" };
    expect(judgeAnswer(pairingCrypto, attempt, answer, "")).toMatchObject({ next: "newCode", reason: "proofWrong" });
  });

  test("is refused when it was made for the authority that a man in the middle showed to the hub", () => {
    const attempt = begin();
    const answer = accepted({ ...attempt, caPem: "the true one" }, attempt.code);
    expect(judgeAnswer(pairingCrypto, attempt, answer, "")).toMatchObject({ next: "newCode", reason: "proofWrong" });
  });

  test("with a right proof still needs a certificate that can be read", () => {
    const attempt = begin();
    expect(judgeAnswer(pairingCrypto, attempt, accepted(attempt, attempt.code), "")).toMatchObject({
      next: "newCode",
      reason: "certificateWrong",
    });
  });
});
