/**
 * FLV as it travels over the live WebSocket and inside RTMP (Adobe Flash Video File Format Specification 10.1, Annex E):
 * a 9-byte header, then tags, each followed by PreviousTagSize. RTMP message bodies of type 8, 9, 18 are tag bodies.
 */
export const FLV_AUDIO = 8;
export const FLV_VIDEO = 9;
export const FLV_SCRIPT = 18;
/** Header and PreviousTagSize0. */
export const FLV_HEADER_BYTES = 13;
export const FLV_TAG_HEADER_BYTES = 11;
/** What a tag costs beside its body: its header and the PreviousTagSize behind it. */
export const FLV_TAG_OVERHEAD_BYTES = FLV_TAG_HEADER_BYTES + 4;

export interface FlvTag {
  /** FLV_AUDIO, FLV_VIDEO, FLV_SCRIPT, or a type that a reader skips. */
  type: number;
  /** Decoding time, unsigned 32 bits: wraps after 49.7 days. */
  timestampMs: number;
  /** A view into the bytes that were read, no copy. */
  body: Uint8Array;
}

export class FlvError extends Error {
  override readonly name = "FlvError";
  readonly code: "notFlv" | "truncated" | "tooLarge";
  constructor(code: FlvError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** The FLV header with PreviousTagSize0: 13 bytes. */
export function flvHeader(has: { audio: boolean; video: boolean }): Uint8Array {
  const flags = (has.audio ? 4 : 0) | (has.video ? 1 : 0);
  return Uint8Array.of(0x46, 0x4c, 0x56, 1, flags, 0, 0, 0, 9, 0, 0, 0, 0);
}

/** Writes the 11 bytes before and the 4 behind a body of bodyBytes that already is, or will be, at `at` + 11. */
export function writeFlvTagFrame(
  out: Uint8Array,
  at: number,
  type: number,
  timestampMs: number,
  bodyBytes: number,
): void {
  out[at] = type;
  out[at + 1] = bodyBytes >> 16;
  out[at + 2] = bodyBytes >> 8;
  out[at + 3] = bodyBytes;
  out[at + 4] = timestampMs >> 16;
  out[at + 5] = timestampMs >> 8;
  out[at + 6] = timestampMs;
  out[at + 7] = timestampMs >> 24;
  out[at + 8] = 0;
  out[at + 9] = 0;
  out[at + 10] = 0;
  const total = FLV_TAG_HEADER_BYTES + bodyBytes;
  const end = at + total;
  out[end] = total >> 24;
  out[end + 1] = total >> 16;
  out[end + 2] = total >> 8;
  out[end + 3] = total;
}

/** One whole tag with its PreviousTagSize. */
export function flvTag(type: number, timestampMs: number, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(body.length + FLV_TAG_OVERHEAD_BYTES);
  writeFlvTagFrame(out, 0, type, timestampMs, body.length);
  out.set(body, FLV_TAG_HEADER_BYTES);
  return out;
}

export const isFlvHeader = (bytes: Uint8Array): boolean =>
  bytes.length >= 9 && bytes[0] === 0x46 && bytes[1] === 0x4c && bytes[2] === 0x56 && bytes[3] === 1;

const bodyBytesAt = (b: Uint8Array, at: number): number => (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;

const tagAt = (b: Uint8Array, at: number, bodyBytes: number): FlvTag => ({
  type: b[at]! & 0x1f,
  timestampMs: ((b[at + 7]! << 24) | (b[at + 4]! << 16) | (b[at + 5]! << 8) | b[at + 6]!) >>> 0,
  body: b.subarray(at + FLV_TAG_HEADER_BYTES, at + FLV_TAG_HEADER_BYTES + bodyBytes),
});

/**
 * The tags of a message that holds whole tags only, as the live WebSocket sends them; a leading FLV header is skipped.
 * @throws FlvError "truncated" where the last tag is not whole.
 */
export function readFlvTags(message: Uint8Array): FlvTag[] {
  const tags: FlvTag[] = [];
  let at = isFlvHeader(message) ? FLV_HEADER_BYTES : 0;
  while (at < message.length) {
    const bodyBytes = at + FLV_TAG_HEADER_BYTES <= message.length ? bodyBytesAt(message, at) : Infinity;
    if (at + bodyBytes + FLV_TAG_OVERHEAD_BYTES > message.length)
      throw new FlvError("truncated", `a tag at byte ${at} reaches beyond the message's ${message.length} bytes`);
    tags.push(tagAt(message, at, bodyBytes));
    at += bodyBytes + FLV_TAG_OVERHEAD_BYTES;
  }
  return tags;
}

/** Reads an FLV stream that arrives in chunks cut anywhere. */
export class FlvReader {
  #rest: Uint8Array = new Uint8Array(0);
  #headerSeen = false;
  readonly #maxTagBytes: number;

  constructor(maxTagBytes: number = 8 << 20) {
    this.#maxTagBytes = maxTagBytes;
  }

  /**
   * Takes the next bytes and returns the tags that are whole now; their bodies may be views into `chunk`.
   * @throws FlvError "notFlv" or "tooLarge"; the reader is of no use after that.
   */
  push(chunk: Uint8Array): FlvTag[] {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    const tags: FlvTag[] = [];
    let at = 0;
    if (!this.#headerSeen) {
      if (bytes.length < FLV_HEADER_BYTES) {
        this.#rest = bytes.slice();
        return tags;
      }
      if (!isFlvHeader(bytes)) throw new FlvError("notFlv", "the stream does not begin with an FLV header");
      this.#headerSeen = true;
      at = FLV_HEADER_BYTES;
    }
    while (at + FLV_TAG_HEADER_BYTES <= bytes.length) {
      const bodyBytes = bodyBytesAt(bytes, at);
      if (bodyBytes > this.#maxTagBytes) throw new FlvError("tooLarge", `a tag claims ${bodyBytes} bytes`);
      if (at + bodyBytes + FLV_TAG_OVERHEAD_BYTES > bytes.length) break;
      tags.push(tagAt(bytes, at, bodyBytes));
      at += bodyBytes + FLV_TAG_OVERHEAD_BYTES;
    }
    this.#rest = bytes.slice(at);
    return tags;
  }
}

/** What a video tag's body says; only AVC is used here, everything else is "other". */
export type FlvVideo =
  | { kind: "config"; avcC: Uint8Array }
  | { kind: "frame"; key: boolean; compositionMs: number; data: Uint8Array }
  | { kind: "end" }
  | { kind: "other" };

/** Reads the body of a FLV_VIDEO tag; `data` is length-prefixed NAL units as WebCodecs takes them beside avcC. */
export function readFlvVideo(body: Uint8Array): FlvVideo {
  if (body.length < 5 || (body[0]! & 0x8f) !== 7) return { kind: "other" };
  switch (body[1]) {
    case 0:
      return { kind: "config", avcC: body.subarray(5) };
    case 1:
      return {
        kind: "frame",
        key: ((body[0]! >> 4) & 7) === 1,
        // Signed 24 bits.
        compositionMs: ((body[2]! << 24) | (body[3]! << 16) | (body[4]! << 8)) >> 8,
        data: body.subarray(5),
      };
    case 2:
      return { kind: "end" };
    default:
      return { kind: "other" };
  }
}

/** What an audio tag's body says; only AAC is used here. */
export type FlvAudio =
  | { kind: "config"; audioSpecificConfig: Uint8Array }
  | { kind: "frame"; data: Uint8Array }
  | { kind: "other" };

/** Reads the body of a FLV_AUDIO tag; `data` is one raw AAC frame without ADTS. */
export function readFlvAudio(body: Uint8Array): FlvAudio {
  if (body.length < 2 || body[0]! >> 4 !== 10) return { kind: "other" };
  if (body[1] === 0) return { kind: "config", audioSpecificConfig: body.subarray(2) };
  return body[1] === 1 ? { kind: "frame", data: body.subarray(2) } : { kind: "other" };
}
