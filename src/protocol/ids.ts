import { z } from "zod";

/**
 * Identifiers are a prefix and 16 characters of base32 (80 random bits): safe as file names, URL path parts, RTMP
 * stream names, rsync arguments and certificate names, so nothing ever needs escaping.
 */
const BODY = "[a-z2-7]{16}";
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

const idSchema = <P extends string>(prefix: P) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}-${BODY}$`), `must be ${prefix}- followed by 16 characters a-z, 2-7`)
    .brand<P>();

export const BoxId = idSchema("box");
export type BoxId = z.infer<typeof BoxId>;
export const PointId = idSchema("point");
export type PointId = z.infer<typeof PointId>;
export const SessionId = idSchema("session");
export type SessionId = z.infer<typeof SessionId>;
export const TakeId = idSchema("take");
export type TakeId = z.infer<typeof TakeId>;

interface IdByPrefix {
  box: BoxId;
  point: PointId;
  session: SessionId;
  take: TakeId;
}

/** Makes an identifier from 10 random bytes that the caller supplies. */
export function makeId<P extends keyof IdByPrefix>(prefix: P, randomBytes: Uint8Array): IdByPrefix[P] {
  if (randomBytes.length !== 10) throw new RangeError(`makeId needs 10 bytes, got ${randomBytes.length}`);
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of randomBytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >> bits) & 31];
    }
    value &= (1 << bits) - 1;
  }
  return `${prefix}-${text}` as IdByPrefix[P];
}
