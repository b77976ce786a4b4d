import { FLV_VIDEO, parseAvcConfig, readFlvVideo, type FlvTag } from "../../media/media.ts";
import { LagPolicy } from "./lag.ts";
import type { Screen } from "./screen.ts";

/**
 * FLV video tags → decoded frames → a screen.
 *
 * INVARIANTS
 * - Each VideoFrame is either handed to the screen, which closes it, or closed here.
 * - Outputs of a decoder that was given up never reach the screen.
 */
export interface Picture {
  push(tag: FlvTag): void;
  /** A new connection: another encoder run may follow, with clocks of its own. */
  restart(): void;
  readonly facts: PictureFacts;
  close(): void;
}

export interface PictureFacts {
  received: number;
  painted: number;
  /** Decoded and not painted, because newer frames were right behind. */
  skipped: number;
  /** Not decoded: without their key frame, or left out to come back to live. */
  dropped: number;
  /** Times that the lag policy threw a queue away at a key frame. */
  jumps: number;
  decodeErrors: number;
  queued: number;
  ageMs: number;
}

export function createPicture(options: {
  screen: Screen;
  onPainted: () => void;
  /** The browser has no decoder for this stream. */
  onUnsupported: () => void;
}): Picture {
  const { screen, onPainted, onUnsupported } = options;
  let policy = new LagPolicy();
  let config: VideoDecoderConfig | undefined;
  let decoder: VideoDecoder | undefined;
  const counts = { received: 0, painted: 0, skipped: 0, dropped: 0, jumps: 0, decodeErrors: 0 };

  const giveUp = () => {
    if (decoder && decoder.state !== "closed") decoder.close();
    decoder = undefined;
    policy.needKeyFrame();
  };
  const show = (frame: VideoFrame) => {
    if (policy.decoded(frame.timestamp / 1000, performance.now()) === "skip") {
      counts.skipped++;
      frame.close();
      return;
    }
    counts.painted++;
    screen.paint(frame);
    onPainted();
  };
  const makeDecoder = (wanted: VideoDecoderConfig): VideoDecoder => {
    const made: VideoDecoder = new VideoDecoder({
      output: (frame) => (made === decoder ? show(frame) : frame.close()),
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
      }
      decoder.decode(new EncodedVideoChunk({ type: key ? "key" : "delta", timestamp: mediaMs * 1000, data }));
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
    get facts() {
      return { ...counts, queued: decoder?.decodeQueueSize ?? 0, ageMs: policy.ageMs };
    },
    close() {
      giveUp();
      config = undefined;
      screen.close();
    },
  };
}
