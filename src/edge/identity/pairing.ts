import { X509Certificate, createPrivateKey } from "node:crypto";
import {
  boxProof,
  formatPairingCode,
  hubProof,
  PAIRING_ALPHABET,
  PAIRING_CODE_LENGTH,
  PAIRING_CODE_TTL_MS,
  pairingKey,
  type PairingAnswer,
  type PairingCrypto,
  type PairingRequest,
} from "../../protocol/protocol.ts";
import type { BoxIdentity } from "./identity.ts";

/** One code on the screen, and what hangs on it. */
export interface Attempt {
  code: string;
  /** Wall clock; for the screen. */
  expiresAtMs: number;
  request: PairingRequest;
  caPem: string;
  key: Uint8Array;
}

export interface AttemptInput {
  crypto: PairingCrypto;
  /** Uniformly random integer from 0 to below - 1. */
  randomInt: (below: number) => number;
  salt: Uint8Array;
  csrPem: string;
  caPem: string;
  agentVersion: string;
  description: string;
  wallMs: number;
}

export function beginAttempt(input: AttemptInput): Attempt {
  const { crypto, randomInt, salt, csrPem, caPem, agentVersion, description, wallMs } = input;
  const code = formatPairingCode(Array.from({ length: PAIRING_CODE_LENGTH }, () => randomInt(PAIRING_ALPHABET.length)));
  const key = pairingKey(crypto, code, salt);
  return {
    code,
    expiresAtMs: wallMs + PAIRING_CODE_TTL_MS,
    caPem,
    key,
    request: {
      csrPem,
      salt: Buffer.from(salt).toString("base64"),
      proof: Buffer.from(boxProof(crypto, key, csrPem, caPem)).toString("base64"),
      agentVersion: agentVersion.slice(0, 64),
      description: description.slice(0, 200),
    },
  };
}

export type AnswerVerdict =
  | { next: "wait" }
  /** This code is spent; show another. */
  | { next: "newCode"; reason: "expired" | "proofWrong" | "certificateWrong"; detail: string }
  | { next: "paired"; identity: BoxIdentity };

/** What to make of the hub's answer. Nothing in it is believed before the proof has been checked. */
export function judgeAnswer(
  crypto: PairingCrypto,
  attempt: Attempt,
  answer: PairingAnswer,
  keyPem: string,
): AnswerVerdict {
  if (answer.state === "waiting") return { next: "wait" };
  if (answer.state === "expired") return { next: "newCode", reason: "expired", detail: "the hub dropped the request" };
  const { certificatePem, receiptKeyPem, box, point } = answer;
  const expected = hubProof(crypto, attempt.key, attempt.request.csrPem, attempt.caPem, certificatePem);
  if (!crypto.equal(expected, Buffer.from(answer.proof, "base64")))
    return { next: "newCode", reason: "proofWrong", detail: "whoever answered does not know the code" };
  const fault = certificateFault(certificatePem, attempt.caPem, keyPem, box);
  if (fault !== undefined) return { next: "newCode", reason: "certificateWrong", detail: fault };
  return { next: "paired", identity: { box, point, keyPem, certificatePem, caPem: attempt.caPem, receiptKeyPem } };
}

/** Undefined where this is a certificate of that CA, for our key, in the name of that box. */
export function certificateFault(
  certificatePem: string,
  caPem: string,
  keyPem: string,
  box: string,
): string | undefined {
  try {
    const certificate = new X509Certificate(certificatePem);
    const ca = new X509Certificate(caPem);
    if (!ca.ca) return "the authority's certificate is none of an authority";
    if (!certificate.checkIssued(ca) || !certificate.verify(ca.publicKey)) return "not issued by the authority";
    if (!certificate.checkPrivateKey(createPrivateKey(keyPem))) return "not for this box's key";
    if (!certificate.subject.split("\n").includes(`CN=${box}`)) return `not in the name of ${box}`;
    return undefined;
  } catch (error) {
    return `unreadable: ${String(error)}`;
  }
}

/** SHA-256 of the certificate (DER) as 64 lower-case hex digits: what `openssl x509 -fingerprint -sha256` prints. */
export const certificateSha256 = (pem: string): string =>
  new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase();
