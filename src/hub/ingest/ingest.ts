import type { Duplex } from "node:stream";
import {
  parseLiveStreamName,
  RTMP_APP,
  type BoxId,
  type LiveKind,
  type LiveStreamName,
} from "../../protocol/protocol.ts";
import { causeOf, type Clock, type Log } from "../../platform/platform.ts";
import { FLV_AUDIO, FLV_TAG_HEADER_BYTES, FLV_VIDEO } from "../../media/media.ts";
import { RtmpError, RtmpReader, silenceNodeMediaServer, type RtmpRefusal } from "./rtmp.ts";

/** Where the tags of accepted publishes go. */
export interface IngestSink {
  /** A publish begins. No two are open for one box and kind: the older one is closed first. */
  open(name: LiveStreamName): PublishSink;
}

export interface PublishSink {
  /**
   * One FLV tag of the publish's kind (AVC video or AAC audio).
   * @param tag the whole tag with PreviousTagSize; never written to again. A view into a slab of tags, mostly behind
   * the one before: who keeps it long copies it.
   * @param message the same bytes behind the header of a WebSocket message, ready for any number of viewers
   */
  tag(timestampMs: number, tag: Buffer, message: Buffer): void;
  close(): void;
}

export interface Ingest {
  /** Takes over a connection that `box` proved by its certificate. */
  accept(socket: Duplex, box: BoxId): void;
  /** Destroys every connection of the box. */
  disconnect(box: BoxId): void;
}

/** From the connection's first moment until its publish is accepted. */
const HANDSHAKE_MS = 5_000;
/** A publisher is silent for two looks in a row: dead after 10 to 15 s. */
const IDLE_LOOK_MS = 5_000;
const IDLE_LOOKS = 2;
/** Answers to a publisher are a few hundred bytes; who does not read them floods us with questions. */
const MAX_UNREAD_BYTES = 64 << 10;
/** A box publishes three times; more than this at once is a fault that must not take the hub's memory. */
const MAX_CONNECTIONS = 8;

type Refusal =
  | RtmpRefusal
  | "tooManyConnections"
  | "wrongApp"
  | "wrongName"
  | "wrongBox"
  | "unsupportedCodec"
  | "unreadAnswers"
  | "handshakeTimeout"
  | "idle";

class IngestError extends Error {
  override readonly name = "IngestError";
  readonly code: Refusal;
  constructor(code: Refusal, message: string) {
    super(message);
    this.code = code;
  }
}

const FLV_CODEC_AVC = 7;
const FLV_CODEC_AAC = 10;

/** RTMP from the boxes: checks each publish against the box's certificate and hands its tags to the sink. */
export function createIngest(options: { log: Log; clock: Clock; sink: IngestSink }): Ingest {
  silenceNodeMediaServer();
  const connections = new Map<BoxId, Set<Connection>>();
  return {
    accept(socket, box) {
      const siblings = connections.get(box) ?? new Set();
      connections.set(box, siblings);
      if (siblings.size >= MAX_CONNECTIONS) {
        const reason: Refusal = "tooManyConnections";
        options.log.warn("ingest.refused", { box, reason, detail: `${siblings.size} are open` });
        socket.on("error", () => {});
        socket.destroy();
        return;
      }
      const connection = new Connection(socket, box, siblings, options, () => {
        siblings.delete(connection);
        if (siblings.size === 0 && connections.get(box) === siblings) connections.delete(box);
      });
      siblings.add(connection);
    },
    disconnect(box) {
      for (const connection of connections.get(box) ?? []) connection.end("disconnected");
    },
  };
}

/**
 * INVARIANTS
 * - `end` runs once, whoever calls first; after it nothing reaches the sink and the socket is destroyed (never ended
 *   politely: a refused publisher could go on sending).
 * - A publish is open at the sink exactly while `#publish` is set.
 */
class Connection {
  readonly #socket: Duplex;
  readonly #box: BoxId;
  readonly #siblings: ReadonlySet<Connection>;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #sink: IngestSink;
  readonly #onEnd: () => void;
  readonly #reader: RtmpReader;
  readonly #ended = new AbortController();
  #publish: { kind: LiveKind; sink: PublishSink } | undefined;
  #silentLooks = 0;

  constructor(
    socket: Duplex,
    box: BoxId,
    siblings: ReadonlySet<Connection>,
    { log, clock, sink }: { log: Log; clock: Clock; sink: IngestSink },
    onEnd: () => void,
  ) {
    this.#socket = socket;
    this.#box = box;
    this.#siblings = siblings;
    this.#log = log.with({ box });
    this.#clock = clock;
    this.#sink = sink;
    this.#onEnd = onEnd;
    this.#reader = new RtmpReader({
      output: (bytes) => this.#answer(bytes),
      publish: (app, name) => this.#accept(app, name),
      tag: (type, timestampMs, tag, message) => this.#tag(type, timestampMs, tag, message),
      unpublish: () => this.end("unpublished"),
    });
    socket.on("data", (chunk: Buffer) => this.#data(chunk));
    socket.on("error", (error) => this.end(causeOf(error)));
    socket.on("end", () => this.end("hung up"));
    socket.on("close", () => this.end("closed"));
    void this.#watch(this.#ended.signal);
  }

  /** Ends the connection for a reason that is nobody's fault. */
  end(why: string): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    this.#socket.destroy();
    this.#onEnd();
    const publish = this.#publish;
    this.#publish = undefined;
    if (!publish) return;
    this.#log.info("ingest.ended", { kind: publish.kind, why });
    publish.sink.close();
  }

  #refuse(reason: Refusal, detail: string): void {
    if (this.#ended.signal.aborted) return;
    this.#log.warn("ingest.refused", { reason, detail });
    this.end(reason);
  }

  #data(chunk: Buffer): void {
    if (this.#ended.signal.aborted) return;
    this.#silentLooks = 0;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof RtmpError || error instanceof IngestError)) throw error;
      this.#refuse(error.code, error.message);
    }
  }

  #answer(bytes: Uint8Array): void {
    if (this.#ended.signal.aborted) return;
    if (this.#socket.writableLength > MAX_UNREAD_BYTES)
      throw new IngestError("unreadAnswers", `${this.#socket.writableLength} bytes of answers are unread`);
    this.#socket.write(bytes);
  }

  #accept(app: unknown, streamName: string): void {
    if (app !== RTMP_APP) throw new IngestError("wrongApp", `app ${String(app).slice(0, 64)}`);
    const name = parseLiveStreamName(streamName);
    if (!name) throw new IngestError("wrongName", `stream name ${streamName.slice(0, 64)}`);
    if (name.box !== this.#box) throw new IngestError("wrongBox", `stream of ${name.box}`);
    for (const other of this.#siblings) if (other.#publish?.kind === name.kind) other.end("replaced");
    this.#publish = { kind: name.kind, sink: this.#sink.open(name) };
    this.#log.info("ingest.publishing", { kind: name.kind, run: name.run });
  }

  #tag(type: number, timestampMs: number, tag: Buffer, message: Buffer): void {
    const publish = this.#publish;
    // The reader works through the rest of a chunk after `end`; metadata and the other kind's tags are not used.
    if (!publish || type !== (publish.kind === "audio" ? FLV_AUDIO : FLV_VIDEO)) return;
    const first = tag[FLV_TAG_HEADER_BYTES]!;
    // Bit 7 announces enhanced RTMP (a FourCC), which no decoder of ours is told about.
    if (type === FLV_VIDEO ? (first & 0x8f) !== FLV_CODEC_AVC : first >> 4 !== FLV_CODEC_AAC)
      throw new IngestError("unsupportedCodec", `first byte of the ${publish.kind} tag is ${first}`);
    publish.sink.tag(timestampMs, tag, message);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(HANDSHAKE_MS, signal);
      if (!this.#publish) return this.#refuse("handshakeTimeout", `no publish within ${HANDSHAKE_MS} ms`);
      for (;;) {
        if (this.#silentLooks++ >= IDLE_LOOKS)
          return this.#refuse("idle", `silent for ${IDLE_LOOKS * IDLE_LOOK_MS} ms`);
        await this.#clock.sleep(IDLE_LOOK_MS, signal);
      }
    } catch {
      // The connection ended first.
    }
  }
}
