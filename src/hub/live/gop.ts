import type { LiveKind } from "../../protocol/protocol.ts";
import { FLV_TAG_HEADER_BYTES } from "../../media/media.ts";

/** What a tag is to the fan-out: `sound` is an AAC frame, `other` is nothing a player needs. */
export type TagRole = "config" | "key" | "delta" | "sound" | "other";

/** Looks at the first two bytes of an AVC or AAC tag's body (FLV 10.1, E.4.2.1 and E.4.3.1). */
export function roleOf(kind: LiveKind, tag: Uint8Array): TagRole {
  const first = tag[FLV_TAG_HEADER_BYTES]!;
  const packetType = tag[FLV_TAG_HEADER_BYTES + 1];
  if (packetType === 0) return "config";
  if (packetType !== 1) return "other";
  if (kind === "audio") return "sound";
  return first >> 4 === 1 ? "key" : "delta";
}

/** Longest group of pictures kept for viewers that join in its middle. Boxes send a key frame every 1 to 2 s. */
const MAX_GOP_MS = 10_000;
const MAX_GOP_BYTES = 2 << 20;

/**
 * The pictures since the last key frame, each as a WebSocket message, so that a new viewer sees something at once.
 * Messages that lie behind one another in memory, as ingest makes them, are kept as one stretch: no object per picture
 * outlives its moment.
 */
export class GopCache {
  readonly #stretches: { memory: ArrayBufferLike; start: number; end: number }[] = [];
  #bytes = 0;
  #startMs = 0;
  /** False before the first key frame and after a group outgrew the bounds: a viewer waits for the next key frame. */
  #whole = false;

  /** All pictures from a key frame on, or none: whole messages, several in one array. */
  stretches(): Uint8Array[] {
    return this.#stretches.map(({ memory, start, end }) => new Uint8Array(memory, start, end - start));
  }

  add(role: TagRole, timestampMs: number, message: Uint8Array): void {
    if (role === "key") {
      this.clear();
      this.#whole = true;
      this.#startMs = timestampMs;
    }
    if (!this.#whole) return;
    this.#bytes += message.length;
    if (this.#bytes > MAX_GOP_BYTES || timestampMs - this.#startMs > MAX_GOP_MS) return this.clear();
    const last = this.#stretches.at(-1);
    const { buffer: memory, byteOffset: start, length } = message;
    if (last && last.memory === memory && last.end === start) last.end += length;
    else this.#stretches.push({ memory, start, end: start + length });
  }

  clear(): void {
    this.#stretches.length = 0;
    this.#bytes = 0;
    this.#whole = false;
  }
}
