import { z } from "zod";
import { BoxId, PointId } from "./ids.ts";

/**
 * Pairing. The box shows a random code on its own screen; the administrator types it at the hub. The code never
 * crosses the network: both sides prove that they know it by HMAC over everything that matters (certificate request,
 * CA certificate, issued certificate), keyed by scrypt of the code. A man in the middle would have to guess the code
 * within the few tries that the hub and the box allow. Comparing short hashes instead is unsound: a matching pair of
 * forged requests was found in 740 tries.
 */

/** 20 consonants: no word, no vowel with a diacritic, no digit taken for a letter. 8 characters are 34.6 bits. */
export const PAIRING_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ";
export const PAIRING_CODE_LENGTH = 8;
export const PAIRING_CODE_TTL_MS = 15 * 60_000;
/** Wrong codes typed at the hub before every waiting box must show a new one. */
export const PAIRING_MAX_TRIES = 5;

/** What the pure protocol needs of a crypto library; all byte arrays are raw. */
export interface PairingCrypto {
  /** scrypt with N = 2^15, r = 8, p = 1, 32 bytes (RFC 7914). */
  scrypt(password: string, salt: Uint8Array): Uint8Array;
  /** Of the text's UTF-8 bytes. */
  sha256(text: string): Uint8Array;
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** Constant-time comparison. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

/** `BCDF-GHJK` from 8 unbiased indices 0…19. */
export function formatPairingCode(indices: readonly number[]): string {
  const letters = indices.map((i) => PAIRING_ALPHABET[i]);
  if (letters.length !== PAIRING_CODE_LENGTH || letters.includes(undefined))
    throw new RangeError(`a pairing code needs ${PAIRING_CODE_LENGTH} indices below ${PAIRING_ALPHABET.length}`);
  return `${letters.slice(0, 4).join("")}-${letters.slice(4).join("")}`;
}

/** Upper case, separators removed; undefined where this cannot be a code, so that a slip of the hand costs no try. */
export function normalizePairingCode(typed: string): string | undefined {
  const code = typed.toUpperCase().replace(/[\s.–-]/g, "");
  if (code.length !== PAIRING_CODE_LENGTH) return undefined;
  return [...code].every((c) => PAIRING_ALPHABET.includes(c)) ? code : undefined;
}

function transcript(crypto: PairingCrypto, role: "box" | "hub", parts: readonly string[]): Uint8Array {
  // Each part is hashed by itself, so that no two lists of parts share a transcript.
  const hashes = [`diemcau-pair-v1/${role}`, ...parts].map((part) => crypto.sha256(part));
  const out = new Uint8Array(hashes.length * 32);
  hashes.forEach((hash, i) => out.set(hash, i * 32));
  return out;
}

export function pairingKey(crypto: PairingCrypto, code: string, salt: Uint8Array): Uint8Array {
  const normal = normalizePairingCode(code);
  if (!normal) throw new RangeError("not a pairing code");
  return crypto.scrypt(normal, salt);
}

/** The box's proof: it knows the code and asks this CA (PEM, exactly as received) to sign this request (PEM). */
export const boxProof = (crypto: PairingCrypto, key: Uint8Array, csrPem: string, caPem: string): Uint8Array =>
  crypto.hmacSha256(key, transcript(crypto, "box", [csrPem, caPem]));

/** The hub's proof: it was told the code, and this is the certificate that it made for this request. */
export const hubProof = (
  crypto: PairingCrypto,
  key: Uint8Array,
  csrPem: string,
  caPem: string,
  certificatePem: string,
): Uint8Array => crypto.hmacSha256(key, transcript(crypto, "hub", [csrPem, caPem, certificatePem]));

/** HTTP, on the web side of the hub's port: the box has no certificate yet and trusts nothing it hears. */
export const PAIRING_CA_PATH = "/pairing/ca";
export const PAIRING_REQUEST_PATH = "/pairing/requests";

/** GET PAIRING_CA_PATH. */
export const PairingCa = z.looseObject({ caPem: z.string().max(8_192) });
/** POST PAIRING_REQUEST_PATH; answers {@link PairingTicket}. */
export const PairingRequest = z.looseObject({
  csrPem: z.string().max(4_096),
  salt: z.base64().max(64),
  proof: z.base64().max(64),
  agentVersion: z.string().max(64),
  /** What helps an administrator to tell boxes apart: address and hardware, in words. */
  description: z.string().max(200),
});
export const PairingTicket = z.looseObject({ ticket: z.string() });
/** GET PAIRING_REQUEST_PATH/:ticket, asked once a second. */
export const PairingAnswer = z.discriminatedUnion("state", [
  z.looseObject({ state: z.literal("waiting") }),
  z.looseObject({ state: z.literal("expired") }),
  z.looseObject({
    state: z.literal("accepted"),
    box: BoxId,
    point: z.object({ id: PointId, name: z.string() }),
    certificatePem: z.string(),
    /** SubjectPublicKeyInfo (PEM) of the key that signs receipts. */
    receiptKeyPem: z.string(),
    proof: z.base64(),
  }),
]);
export type PairingRequest = z.infer<typeof PairingRequest>;
export type PairingAnswer = z.infer<typeof PairingAnswer>;
