import {
  BufferTarget,
  CmafOutputFormat,
  EncodedAudioPacketSource,
  EncodedPacket,
  EncodedVideoPacketSource,
  HlsOutputFormat,
  Output,
  PathedTarget,
} from "mediabunny";
import { causeOf, type Log } from "../../platform/platform.ts";
import { type AacConfig, type AvcConfig, type FlvTag, readFlvAudio, readFlvVideo } from "../../media/media.ts";

const SEGMENT_SECONDS = 2;
const PLAYLIST_SEGMENTS = 6;
/** Segments kept after they left the playlist: a player may ask for one it read about a moment ago. */
const POPPED_SEGMENTS_KEPT = 3;
/** What may wait in the muxer for the other track; more means that one of the two has stopped. */
const MAX_WAITING_BYTES = 16 << 20;
/** Assumed for a frame whose successor is not known: only the last frame of a segment's end is touched by it. */
const ASSUMED_FRAME_MS = 40;

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  m3u8: "application/vnd.apple.mpegurl",
  mp4: "video/mp4",
  m4s: "video/iso.segment",
};

export interface HlsFile {
  body: Uint8Array;
  contentType: string;
}

export const HLS_MASTER = "index.m3u8";

/**
 * HLS (RFC 8216) of one box's live picture and sound, in memory: CMAF segments of 2 s, the last six in the playlist.
 *
 * INVARIANTS
 * - Packets reach the muxer in the order of arrival, one at a time; before the first key frame none does.
 * - Both kinds share one time line (they come from one run of one encoder); it begins at 0 with the first key frame.
 * - After a failure or `close` nothing more is taken and `file` knows nothing.
 */
export class HlsOutput {
  readonly #log: Log;
  readonly #onFailure: () => void;
  readonly #files = new Map<string, HlsFile>();
  readonly #popped: string[] = [];
  readonly #video: { source: EncodedVideoPacketSource; config: AvcConfig } | undefined;
  readonly #audio: { source: EncodedAudioPacketSource; config: AacConfig } | undefined;
  readonly #output: Output;
  readonly #changed = new Set<() => void>();
  #work: Promise<void>;
  #startMs: number | undefined;
  #lastVideoMs: number | undefined;
  #waitingBytes = 0;
  #closed = false;

  constructor(options: { log: Log; video?: AvcConfig; audio?: AacConfig; onFailure: () => void }) {
    this.#log = options.log;
    this.#onFailure = options.onFailure;
    this.#output = new Output({
      format: new HlsOutputFormat({
        segmentFormat: new CmafOutputFormat(),
        targetDuration: SEGMENT_SECONDS,
        live: true,
        maxLiveSegmentCount: PLAYLIST_SEGMENTS,
        onSegment: () => void (this.#waitingBytes = 0),
        onSegmentPopped: (path) => this.#forget(path),
      }),
      target: new PathedTarget(HLS_MASTER, ({ path }) => {
        const contentType = CONTENT_TYPES[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";
        return new BufferTarget({
          onFinalize: (body) => this.#keep(path, { body: new Uint8Array(body), contentType }),
        });
      }),
    });
    if (options.video) {
      this.#video = { source: new EncodedVideoPacketSource("avc"), config: options.video };
      this.#output.addVideoTrack(this.#video.source);
    }
    if (options.audio) {
      this.#audio = { source: new EncodedAudioPacketSource("aac"), config: options.audio };
      this.#output.addAudioTrack(this.#audio.source);
    }
    this.#work = this.#output.start().catch((error: unknown) => this.#fail(error));
  }

  /** The body of a video tag. */
  video(tag: FlvTag): void {
    const track = this.#video;
    const video = readFlvVideo(tag.body);
    if (!track || video.kind !== "frame" || this.#closed) return;
    if (this.#startMs === undefined) {
      if (!video.key) return;
      this.#startMs = tag.timestampMs + video.compositionMs;
    }
    const durationMs = this.#lastVideoMs === undefined ? ASSUMED_FRAME_MS : tag.timestampMs - this.#lastVideoMs;
    this.#lastVideoMs = tag.timestampMs;
    const { codec, description, width, height } = track.config;
    this.#add(video.data.length, () =>
      track.source.add(
        new EncodedPacket(
          video.data,
          video.key ? "key" : "delta",
          Math.max(0, tag.timestampMs + video.compositionMs - this.#startMs!) / 1000,
          Math.max(1, durationMs) / 1000,
        ),
        { decoderConfig: { codec, description, codedWidth: width, codedHeight: height } },
      ),
    );
  }

  /** The body of an audio tag. */
  audio(tag: FlvTag): void {
    const track = this.#audio;
    const audio = readFlvAudio(tag.body);
    if (!track || audio.kind !== "frame" || this.#closed) return;
    if (this.#startMs === undefined) {
      if (this.#video) return;
      this.#startMs = tag.timestampMs;
    }
    const atMs = tag.timestampMs - this.#startMs;
    if (atMs < 0) return;
    const { codec, description, sampleRate, channels, frameSamples } = track.config;
    this.#add(audio.data.length, () =>
      track.source.add(new EncodedPacket(audio.data, "key", atMs / 1000, frameSamples / sampleRate), {
        decoderConfig: { codec, description, sampleRate, numberOfChannels: channels },
      }),
    );
  }

  /** A file of this output; undefined where it is not there, not any more, or (after the deadline) not yet. */
  async file(name: string, deadline: AbortSignal): Promise<HlsFile | undefined> {
    while (!this.#files.has(name) && !this.#closed && !deadline.aborted && this.#files.get(HLS_MASTER) === undefined)
      await new Promise<void>((resolve) => {
        const done = () => {
          this.#changed.delete(done);
          deadline.removeEventListener("abort", done);
          resolve();
        };
        this.#changed.add(done);
        deadline.addEventListener("abort", done, { once: true });
      });
    return this.#closed ? undefined : this.#files.get(name);
  }

  async close(): Promise<void> {
    if (this.#closed) return this.#work;
    this.#closed = true;
    this.#files.clear();
    for (const wake of this.#changed) wake();
    this.#work = this.#work
      .then(() => this.#output.cancel())
      .catch((error: unknown) => this.#log.debug("hls.cancel", { cause: causeOf(error) }));
    return this.#work;
  }

  #add(bytes: number, add: () => Promise<void>): void {
    this.#waitingBytes += bytes;
    if (this.#waitingBytes > MAX_WAITING_BYTES) return this.#fail(new Error("one track has stopped"));
    this.#work = this.#work.then(() => (this.#closed ? undefined : add())).catch((error: unknown) => this.#fail(error));
  }

  #keep(path: string, file: HlsFile): void {
    if (this.#closed) return;
    this.#files.set(path, file);
    for (const wake of this.#changed) wake();
  }

  #forget(path: string): void {
    this.#popped.push(path);
    if (this.#popped.length > POPPED_SEGMENTS_KEPT) this.#files.delete(this.#popped.shift()!);
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#log.warn("hls.failed", { cause: causeOf(error) });
    void this.close();
    this.#onFailure();
  }
}
