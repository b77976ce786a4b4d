/**
 * Reads the application protocols (ALPN, RFC 7301) that a TLS client offers out of the first bytes of a connection,
 * before anything else has looked at them. Pure.
 */
export type ClientHello =
  /** Not decidable yet. */
  | { kind: "more" }
  | { kind: "notTls" }
  | { kind: "malformed"; detail: string }
  /** Empty where the client offers none. */
  | { kind: "hello"; protocols: string[] };

const RECORD_HANDSHAKE = 22;
const RECORD_HEADER_BYTES = 5;
/** RFC 8446, 5.1: a plaintext record holds at most 2^14 bytes. */
const RECORD_MAX_BYTES = 1 << 14;
const HANDSHAKE_CLIENT_HELLO = 1;
const HANDSHAKE_HEADER_BYTES = 4;
const EXTENSION_ALPN = 16;

class Malformed extends Error {}

/** Walks a byte array; each step past its end is a Malformed. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  uint(width: 1 | 2 | 3): number {
    let value = 0;
    for (const byte of this.take(width, "integer")) value = value * 256 + byte;
    return value;
  }

  take(length: number, what: string): Uint8Array {
    if (length > this.left) throw new Malformed(`${what} runs past its end`);
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }

  /** A vector with its length before it (RFC 8446, 3.4). */
  vector(width: 1 | 2, what: string): Uint8Array {
    return this.take(this.uint(width), what);
  }
}

/** The handshake message, put together from as many records as it was cut into; undefined while it is not whole. */
function handshakeOf(bytes: Uint8Array): Uint8Array | ClientHello {
  const records = new Reader(bytes);
  const parts: Uint8Array[] = [];
  let have = 0;
  let need: number | undefined;
  while (records.left > 0) {
    const type = records.uint(1);
    if (type !== RECORD_HANDSHAKE)
      return parts.length === 0 ? { kind: "notTls" } : { kind: "malformed", detail: `record of type ${type}` };
    if (records.left === 0) break;
    if (records.uint(1) !== 3) return { kind: "notTls" };
    if (records.left < RECORD_HEADER_BYTES - 2) break;
    records.uint(1);
    const length = records.uint(2);
    if (length === 0 || length > RECORD_MAX_BYTES) return { kind: "malformed", detail: `record of ${length} bytes` };
    const part = records.take(Math.min(length, records.left), "record");
    if (part.length === 0) break;
    parts.push(part);
    have += part.length;
    if (parts[0]![0] !== HANDSHAKE_CLIENT_HELLO)
      return { kind: "malformed", detail: `handshake of type ${parts[0]![0]}` };
    need ??= have < HANDSHAKE_HEADER_BYTES ? undefined : HANDSHAKE_HEADER_BYTES + bodyLength(parts);
    if (need !== undefined && have >= need) return join(parts, have).subarray(HANDSHAKE_HEADER_BYTES, need);
    if (part.length < length) break;
  }
  return { kind: "more" };
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The 24 bits after the message's type; each may lie in a record of its own. */
function bodyLength(parts: readonly Uint8Array[]): number {
  const header: number[] = [];
  for (const part of parts) {
    header.push(...part.subarray(0, HANDSHAKE_HEADER_BYTES - header.length));
    if (header.length === HANDSHAKE_HEADER_BYTES) break;
  }
  return (header[1]! << 16) | (header[2]! << 8) | header[3]!;
}

/** RFC 8446, 4.1.2. */
function protocolsOf(body: Uint8Array): string[] {
  const hello = new Reader(body);
  hello.take(2, "legacy_version");
  hello.take(32, "random");
  hello.vector(1, "legacy_session_id");
  hello.vector(2, "cipher_suites");
  hello.vector(1, "legacy_compression_methods");
  if (hello.left === 0) return [];
  const extensions = new Reader(hello.vector(2, "extensions"));
  while (extensions.left > 0) {
    const type = extensions.uint(2);
    const data = extensions.vector(2, "extension");
    if (type === EXTENSION_ALPN) return namesOf(data);
  }
  return [];
}

function namesOf(extension: Uint8Array): string[] {
  const names = new Reader(new Reader(extension).vector(2, "ProtocolNameList"));
  const protocols: string[] = [];
  while (names.left > 0) {
    const name = names.vector(1, "ProtocolName");
    if (name.length === 0) throw new Malformed("empty ProtocolName");
    protocols.push(String.fromCharCode(...name));
  }
  return protocols;
}

/** @param bytes everything read from the connection so far; the caller bounds it */
export function readClientHello(bytes: Uint8Array): ClientHello {
  const handshake = handshakeOf(bytes);
  if (!(handshake instanceof Uint8Array)) return handshake;
  try {
    return { kind: "hello", protocols: protocolsOf(handshake) };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { kind: "malformed", detail: error.message };
  }
}
