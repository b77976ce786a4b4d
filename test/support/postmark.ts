/**
 * A mark behind the body of a media tag: its number in the stream and when it was sent (CLOCK_MONOTONIC, the same for all
 * processes of a machine). It is found again in whatever bytes a viewer receives, WebSocket, FLV or RTMP, without parsing
 * them, so that reading costs a load generator next to nothing and all servers are read alike.
 */
const MAGIC = Buffer.from("9d3ac1f7e85b62a4", "hex");
export const POSTMARK_BYTES = MAGIC.length + 12;

export function postmark(number: number, sentMs: number): Buffer {
  const mark = Buffer.allocUnsafe(POSTMARK_BYTES);
  MAGIC.copy(mark);
  mark.writeUInt32BE(number, MAGIC.length);
  mark.writeDoubleBE(sentMs, MAGIC.length + 4);
  return mark;
}

/** Finds postmarks in a stream that arrives in pieces cut anywhere. */
export class PostmarkReader {
  readonly #onMark: (number: number, sentMs: number) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onMark: (number: number, sentMs: number) => void) {
    this.#onMark = onMark;
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let from = 0;
    for (;;) {
      const at = bytes.indexOf(MAGIC, from);
      if (at < 0 || at + POSTMARK_BYTES > bytes.length) {
        // What may be the beginning of a mark waits for the next piece.
        const keep = at < 0 ? Math.max(from, bytes.length - MAGIC.length + 1) : at;
        this.#rest = Buffer.from(bytes.subarray(keep));
        return;
      }
      this.#onMark(bytes.readUInt32BE(at + MAGIC.length), bytes.readDoubleBE(at + MAGIC.length + 4));
      from = at + POSTMARK_BYTES;
    }
  }
}
