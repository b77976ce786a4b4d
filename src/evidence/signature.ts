import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from "node:crypto";
import type { SignedRecord } from "../protocol/protocol.ts";

/**
 * ECDSA on P-256 with SHA-256 over a record's exact UTF-8 bytes, DER-encoded: what
 * `openssl dgst -sha256 -verify key.pem -signature x.sig x.json` checks, so that no software of ours is needed.
 */
export type Signer = (record: string) => SignedRecord;

export function createSigner(privateKeyPem: string): Signer {
  const key = createPrivateKey(privateKeyPem);
  return (record) => ({ record, signature: sign("sha256", Buffer.from(record, "utf8"), key).toString("base64") });
}

/** @param key public key or certificate, PEM, or a KeyObject made from it */
export function signatureHolds(signed: SignedRecord, key: string | KeyObject): boolean {
  const publicKey = typeof key === "string" ? createPublicKey(key) : key;
  try {
    return verify("sha256", Buffer.from(signed.record, "utf8"), publicKey, Buffer.from(signed.signature, "base64"));
  } catch {
    // OpenSSL throws on a signature that is not DER at all; it does not hold either.
    return false;
  }
}
