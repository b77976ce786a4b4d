import { argon2, randomBytes, randomInt, timingSafeEqual, type Argon2Parameters } from "node:crypto";

/** OWASP's first choice for argon2id (Password Storage Cheat Sheet): 19 MiB, 2 passes, 1 lane; 76 ms on 2 cores. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const LENGTH_MIN = 12;
const LENGTH_MAX = 256;

const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,88})\$([A-Za-z0-9+/]{22,88})$/;

/** Two keyboards may send `ế` as one code point or as three: NFKC makes them one password (NIST SP 800-63B, 5.1.1.2). */
const normalize = (password: string): string => password.normalize("NFKC");

const derive = (password: string, nonce: Buffer, cost: typeof COST, tagLength: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const parameters: Argon2Parameters = { message: normalize(password), nonce, tagLength, ...cost };
    argon2("argon2id", parameters, (error, hash) => (error ? reject(error) : resolve(hash)));
  });

const base64 = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "");

/** A PHC string (https://github.com/P-H-C/phc-string-format) of argon2id. Computed off the main thread. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, COST, HASH_BYTES);
  return `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${base64(salt)}$${base64(hash)}`;
}

/** False too where the stored text is no PHC string of argon2id. */
export async function passwordHolds(password: string, phc: string): Promise<boolean> {
  const match = PHC.exec(phc);
  if (!match) return false;
  const [memory, passes, parallelism] = match.slice(1, 4).map(Number) as [number, number, number];
  const expected = Buffer.from(match[5]!, "base64");
  const salt = Buffer.from(match[4]!, "base64");
  return timingSafeEqual(await derive(password, salt, { memory, passes, parallelism }, expected.length), expected);
}

/** Why this password cannot be taken, or undefined where it can. */
export function passwordFault(next: string, current: string, login: string): string | undefined {
  const length = [...normalize(next)].length;
  if (length < LENGTH_MIN) return `a password has at least ${LENGTH_MIN} characters`;
  if (length > LENGTH_MAX) return `a password has at most ${LENGTH_MAX} characters`;
  if (normalize(next) === normalize(current)) return "the new password is the old one";
  if (new Set(normalize(next)).size < 5) return "the password repeats too few characters";
  if (normalize(next).toLowerCase().replaceAll(login.toLowerCase(), "").length < LENGTH_MIN / 2)
    return "the password is little more than the login";
  return undefined;
}

/** No letter or digit that a person could take for another: 31 characters, 79 bits in 16. */
const READABLE = "ABCDEFGHJKMNPQRSTUVWXYZ23456789";

/** `K3XM-92FA-…`: four groups of four, to be read from a terminal and typed once. */
export const oneTimePassword = (): string =>
  Array.from({ length: 4 }, () => Array.from({ length: 4 }, () => READABLE[randomInt(READABLE.length)]).join("")).join(
    "-",
  );

/** A one-time password as people type it: any case, with or without separators. */
export const readOneTimePassword = (typed: string): string =>
  (
    typed
      .toUpperCase()
      .replace(/[^A-Z0-9]/g, "")
      .match(/.{1,4}/g) ?? []
  ).join("-");
