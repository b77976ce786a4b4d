import { FLV_VIDEO, parseAvcConfig, readFlvVideo, type FlvTag } from "../../media/media.ts";
import { LagPolicy } from "./lag.ts";

/**
 * FLV video tags → decoded frames.
 *
 * INVARIANTS
 * - Each VideoFrame is either given away or closed here, and counted either way.
 * - Outputs of a decoder that was given up never leave.
 */
export interface Picture {
  push(tag: FlvTag): void;
  /** A new connection: another encoder run may follow, with clocks of its own. */
  restart(): void;
  readonly queued: number;
  readonly ageMs: number;
  close(): void;
}

/** Kept by the room over all of its connections and renditions. */
export interface PictureCounts {
  received: number;
  decoded: number;
  /** Of the decoded ones, those that are no longer held by anybody here. */
  closed: number;
  painted: number;
  /** Decoded and not painted, because newer frames were right behind. */
  skipped: number;
  /** Not decoded: without their key frame, or left out to come back to live. */
  dropped: number;
  /** Times that the lag policy threw a queue away at a key frame. */
  jumps: number;
  decodeErrors: number;
}

export interface PictureFacts extends PictureCounts {
  queued: number;
  /** Milliseconds that the last frame was late on its way, against the quickest of the last half minute. */
  ageMs: number;
  /** The frame shown last: its time in the stream, and the wall clock at each step. */
  last: FrameTimes | null;
}

export interface FrameTimes {
  mediaMs: number;
  arrivedMs: number;
  decodedMs: number;
  paintedMs: number;
}

export interface DecodedFrame {
  frame: VideoFrame;
  mediaMs: number;
  /** Wall clock. */
  arrivedMs: number;
  decodedMs: number;
}

/** Frames in a decoder at one time are far fewer. */
const ARRIVALS_KEPT = 64;

export const wallMs = (): number => performance.timeOrigin + performance.now();

export function createPicture(options: {
  counts: PictureCounts;
  /** Takes the frame over. */
  onFrame: (decoded: DecodedFrame) => void;
  /** The browser has no decoder for this stream. */
  onUnsupported: () => void;
}): Picture {
  const { counts, onFrame, onUnsupported } = options;
  let policy = new LagPolicy();
  let config: VideoDecoderConfig | undefined;
  let decoder: VideoDecoder | undefined;
  /** Microseconds of a frame → wall clock of its arrival. */
  const arrivals = new Map<number, number>();

  const giveUp = () => {
    if (decoder && decoder.state !== "closed") decoder.close();
    decoder = undefined;
    arrivals.clear();
    policy.needKeyFrame();
  };
  const show = (frame: VideoFrame) => {
    const decodedMs = wallMs();
    const arrivedMs = arrivals.get(frame.timestamp) ?? decodedMs;
    arrivals.delete(frame.timestamp);
    const mediaMs = frame.timestamp / 1000;
    if (policy.decoded(mediaMs, performance.now()) === "skip") {
      counts.skipped++;
      counts.closed++;
      frame.close();
      return;
    }
    onFrame({ frame, mediaMs, arrivedMs, decodedMs });
  };
  const makeDecoder = (wanted: VideoDecoderConfig): VideoDecoder => {
    const made: VideoDecoder = new VideoDecoder({
      output(frame) {
        counts.decoded++;
        if (made === decoder) return show(frame);
        counts.closed++;
        frame.close();
      },
      error: (error) => {
        if (made !== decoder) return;
        counts.decodeErrors++;
        giveUp();
        if (error.name === "NotSupportedError") onUnsupported();
      },
    });
    made.configure(wanted);
    return made;
  };
  const configure = (avcC: Uint8Array) => {
    const avc = parseAvcConfig(avcC);
    if (!avc) {
      counts.decodeErrors++;
      return;
    }
    giveUp();
    config = {
      codec: avc.codec,
      // A copy: the parsed one is a view into the whole message.
      description: avc.description.slice(),
      // 2 ms instead of 41 ms, measured: the decoder does not wait for frames that might have to be shown before.
      optimizeForLatency: true,
    };
  };
  const decode = (key: boolean, mediaMs: number, data: Uint8Array) => {
    if (!config) {
      counts.dropped++;
      return;
    }
    const verdict = policy.arrived({ key, mediaMs }, decoder?.decodeQueueSize ?? 0, performance.now());
    if (verdict === "drop") {
      counts.dropped++;
      return;
    }
    try {
      decoder ??= makeDecoder(config);
      if (verdict === "restart") {
        counts.jumps++;
        decoder.reset();
        decoder.configure(config);
        arrivals.clear();
      }
      const timestamp = mediaMs * 1000;
      if (arrivals.size < ARRIVALS_KEPT) arrivals.set(timestamp, wallMs());
      decoder.decode(new EncodedVideoChunk({ type: key ? "key" : "delta", timestamp, data }));
    } catch {
      // A damaged key frame, or a decoder that closed itself a moment ago.
      counts.decodeErrors++;
      giveUp();
    }
  };
  return {
    push(tag) {
      if (tag.type !== FLV_VIDEO) return;
      const video = readFlvVideo(tag.body);
      if (video.kind === "config") configure(video.avcC);
      else if (video.kind === "frame") {
        counts.received++;
        decode(video.key, tag.timestampMs + video.compositionMs, video.data);
      }
    },
    restart() {
      giveUp();
      config = undefined;
      policy = new LagPolicy();
    },
    get queued() {
      return decoder?.decodeQueueSize ?? 0;
    },
    get ageMs() {
      return policy.ageMs;
    },
    close() {
      giveUp();
      config = undefined;
    },
  };
}
