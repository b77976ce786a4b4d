import NmsRtmp from "node-media-server/src/protocol/rtmp.js";
import nmsLogger from "node-media-server/src/core/logger.js";
import {
  FLV_TAG_HEADER_BYTES,
  FLV_TAG_OVERHEAD_BYTES,
  webSocketHeaderBytes,
  writeFlvTagFrame,
  writeWebSocketHeader,
} from "../../media/media.ts";

/** The largest message taken: a key frame of 1080p at any sane rate is below 1 MB. */
const MAX_MESSAGE_BYTES = 4 << 20;
/** FFmpeg uses five. */
const MAX_CHUNK_STREAMS = 16;
const MAX_CHUNK_BYTES = 1 << 20;
/** Told to the publisher, and FFmpeg then writes in chunks of the same size: nearly every message is one chunk. */
const CHUNK_BYTES = 1 << 20;
const RTMP_VERSION = 3;
/** Message types in which AMF3 comes: data, shared object, command (RTMP 1.0, 7.1). */
const AMF3_TYPES: ReadonlySet<number> = new Set([15, 16, 17]);

/**
 * Tags are carved from slabs of this size, one after another: an ArrayBuffer for each tag cost a fifth more CPU, by
 * garbage collection (50 streams of 720p25). A kept tag keeps its slab.
 */
const SLAB_BYTES = 128 << 10;
/** A tag above this, mostly a key frame, has a buffer of its own, so that little of a slab is lost at its end. */
const MAX_CARVED_BYTES = SLAB_BYTES / 4;

export type RtmpRefusal =
  | "notRtmp"
  | "badInput"
  | "messageTooLong"
  | "tooManyChunkStreams"
  | "headerInsideMessage"
  | "badChunkSize"
  | "emptyMessage"
  | "amf3"
  | "play"
  | "secondPublish"
  | "mediaBeforePublish";

export class RtmpError extends Error {
  override readonly name = "RtmpError";
  readonly code: RtmpRefusal;
  constructor(code: RtmpRefusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface RtmpHandlers {
  output(bytes: Uint8Array): void;
  /** Throws to refuse; the publisher is answered only when this returns. */
  publish(app: unknown, name: string): void;
  /**
   * A media message of the accepted publish.
   * @param tag the whole FLV tag with PreviousTagSize; no one writes to it again. A view into a slab.
   * @param message the same bytes behind the header of a WebSocket message
   */
  tag(type: number, timestampMs: number, tag: Buffer, message: Buffer): void;
  unpublish(): void;
}

/** The package prints what strangers send to standard output; nothing of it is for us. */
export function silenceNodeMediaServer(): void {
  nmsLogger.log = () => {};
}

/**
 * The RTMP parser of node-media-server for one publishing connection, with its holes closed. Stock it can be ended by
 * one unauthenticated packet, and lets a refused publisher go on sending frames.
 *
 * INVARIANTS
 * - After a throw the reader is of no use; the connection is destroyed.
 * - No media leaves before `publish` returned, and at most one publish is ever accepted.
 * - Each message is received into a buffer of its own, already framed as an FLV tag in a WebSocket message: bytes are
 *   copied once, whoever gets them.
 */
export class RtmpReader extends NmsRtmp {
  readonly #handlers: RtmpHandlers;
  #begun = false;
  #published = false;
  #slab: Buffer = Buffer.alloc(0);
  #slabUsed = 0;
  /** WebSocket messages for the RTMP messages under way, by chunk stream. */
  readonly #messages = new Map<number, Buffer>();

  constructor(handlers: RtmpHandlers) {
    super();
    this.#handlers = handlers;
    this.flv = null;
    this.outChunkSize = CHUNK_BYTES;
    this.onOutputCallback = (bytes) => handlers.output(bytes);
  }

  /** @throws RtmpError, or what `publish` threw. */
  push(chunk: Buffer): void {
    if (!this.#begun && chunk.length > 0) {
      if (chunk[0] !== RTMP_VERSION) throw new RtmpError("notRtmp", `first byte ${chunk[0]}, RTMP begins with 3`);
      this.#begun = true;
    }
    let failure: string | null;
    try {
      failure = this.parserData(chunk);
    } catch (error) {
      // The package throws plain errors of Buffer, URL and property access; ours carry a code and pass.
      if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError)
        throw new RtmpError("badInput", error.message, { cause: error });
      throw error;
    }
    if (failure !== null) throw new RtmpError("badInput", failure);
  }

  override packetParse(): void {
    super.packetParse();
    const { header, bytes } = this.parserPacket;
    if (bytes > 0 && header.fmt < 3)
      throw new RtmpError("headerInsideMessage", `chunk stream ${header.cid} began a message inside another`);
    if (header.length === 0) throw new RtmpError("emptyMessage", `message of type ${header.type} without a body`);
    if (header.length > MAX_MESSAGE_BYTES) throw new RtmpError("messageTooLong", `${header.length} bytes announced`);
    if (this.inPackets.size > MAX_CHUNK_STREAMS)
      throw new RtmpError("tooManyChunkStreams", `more than ${MAX_CHUNK_STREAMS} chunk streams`);
  }

  override packetAlloc(): void {
    const packet = this.parserPacket;
    const { cid, length } = packet.header;
    const tagBytes = length + FLV_TAG_OVERHEAD_BYTES;
    const headerBytes = webSocketHeaderBytes(tagBytes);
    const message = this.#carve(headerBytes + tagBytes);
    writeWebSocketHeader(message, tagBytes);
    this.#messages.set(cid, message);
    const from = headerBytes + FLV_TAG_HEADER_BYTES;
    packet.payload = message.subarray(from, from + length);
  }

  #carve(bytes: number): Buffer {
    if (bytes > MAX_CARVED_BYTES) return Buffer.allocUnsafeSlow(bytes);
    if (this.#slabUsed + bytes > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#slabUsed = 0;
    }
    return this.#slab.subarray(this.#slabUsed, (this.#slabUsed += bytes));
  }

  override packetHandler(): void {
    const { type } = this.parserPacket.header;
    if (AMF3_TYPES.has(type)) throw new RtmpError("amf3", `message of type ${type}`);
    super.packetHandler();
    if (!(this.inChunkSize >= 1 && this.inChunkSize <= MAX_CHUNK_BYTES))
      throw new RtmpError("badChunkSize", `chunk size ${this.inChunkSize}`);
  }

  override dataHandler(): void {
    const { header, clock } = this.parserPacket;
    if (!this.#published) throw new RtmpError("mediaBeforePublish", `message of type ${header.type} before a publish`);
    const message = this.#messages.get(header.cid)!;
    this.#messages.delete(header.cid);
    const tag = message.subarray(-header.length - FLV_TAG_OVERHEAD_BYTES);
    writeFlvTagFrame(tag, 0, header.type, clock, header.length);
    this.#handlers.tag(header.type, clock, tag, message);
  }

  override onPublish(message: { streamName?: unknown }): void {
    if (this.#published) throw new RtmpError("secondPublish", "a second publish on one connection");
    if (typeof message.streamName !== "string") throw new RtmpError("badInput", "a publish without a name");
    this.#handlers.publish(this.streamApp, message.streamName);
    this.#published = true;
    super.onPublish(message);
  }

  override onPlay(): void {
    throw new RtmpError("play", "viewers are not served over RTMP");
  }

  override onDeleteStream(): void {
    if (this.#published) this.#handlers.unpublish();
  }
}
