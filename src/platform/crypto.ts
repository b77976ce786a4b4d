import { createHash, createHmac, randomBytes, scrypt, scryptSync, timingSafeEqual } from "node:crypto";
import { createReadStream } from "node:fs";
import type { PairingCrypto } from "../protocol/protocol.ts";

/** N = 2^15 and r = 8 take 32 MiB and about 90 ms. */
const SCRYPT_BYTES = 32;
const SCRYPT_COST = { N: 1 << 15, r: 8, p: 1, maxmem: 64 << 20 };

/** Node's OpenSSL as the pairing protocol wants it. */
export const pairingCrypto: PairingCrypto = {
  scrypt: (password, salt) => scryptSync(password, salt, SCRYPT_BYTES, SCRYPT_COST),
  sha256: (text) => createHash("sha256").update(text, "utf8").digest(),
  hmacSha256: (key, data) => createHmac("sha256", key).update(data).digest(),
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
};

/** The same scrypt off the main thread: a hub that tries twenty salts must not hold up twenty rooms' pictures. */
export const pairingScrypt = (password: string, salt: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve, reject) =>
    scrypt(password, salt, SCRYPT_BYTES, SCRYPT_COST, (error, key) => (error ? reject(error) : resolve(key))),
  );

/** 10 bytes: what makeId wants. */
export const randomId = (): Uint8Array => randomBytes(10);

export const sha256Hex = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

/** SHA-256 of a file, read once; `onChunk` sees the same bytes that are hashed. */
export async function sha256File(
  path: string,
  onChunk?: (chunk: Buffer) => void,
): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    onChunk?.(chunk);
    sizeBytes += chunk.length;
  }
  return { sha256: hash.digest("hex"), sizeBytes };
}
