import { FLV_AUDIO, parseAacConfig, readFlvAudio, type FlvTag } from "../../media/media.ts";
import { openLink } from "./link.ts";
import type { SoundFrame, SoundPosition } from "./orders.ts";

/** What is heard of one room, in the worker: FLV audio tags → samples → the loudspeaker's port. */
export interface Listen {
  setUrl(url: string): void;
  setAwake(awake: boolean): void;
  readonly facts: { decodeErrors: number; reconnects: number };
  close(): void;
}

/** Some 2 s: more than that waits for a decoder that does not work. */
const QUEUE_LIMIT = 100;

export function createListen(options: {
  url: string;
  out: MessagePort;
  onPosition: (position: SoundPosition) => void;
  onLost: () => void;
}): Listen {
  const { out, onPosition, onLost } = options;
  let { url } = options;
  let awake = false;
  let decoder: AudioDecoder | undefined;
  let config: AudioDecoderConfig | undefined;
  let decodeErrors = 0;

  const send = (frame: SoundFrame) => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has no origin
    out.postMessage(frame, frame ? [frame.samples.buffer] : []);
  };
  const hear = (data: AudioData) => {
    if (awake) send({ samples: mono(data), mediaMs: data.timestamp / 1000, sampleRate: data.sampleRate });
    data.close();
  };
  const giveUp = () => {
    if (decoder && decoder.state !== "closed") decoder.close();
    decoder = undefined;
  };
  const makeDecoder = (wanted: AudioDecoderConfig): AudioDecoder => {
    const made: AudioDecoder = new AudioDecoder({
      output: (data) => (made === decoder ? hear(data) : data.close()),
      error: () => {
        if (made !== decoder) return;
        decodeErrors++;
        decoder = undefined;
      },
    });
    made.configure(wanted);
    return made;
  };
  const push = (tag: FlvTag) => {
    if (tag.type !== FLV_AUDIO) return;
    const audio = readFlvAudio(tag.body);
    if (audio.kind === "config") {
      giveUp();
      const aac = parseAacConfig(audio.audioSpecificConfig);
      config = aac && {
        codec: aac.codec,
        sampleRate: aac.sampleRate,
        numberOfChannels: aac.channels,
        description: aac.description.slice(),
      };
    } else if (audio.kind === "frame" && config && (decoder?.decodeQueueSize ?? 0) < QUEUE_LIMIT) {
      try {
        decoder ??= makeDecoder(config);
        decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: tag.timestampMs * 1000, data: audio.data }));
      } catch {
        decodeErrors++;
        giveUp();
      }
    }
  };
  const link = openLink(() => url, {
    onOpen: () => {},
    onTag: push,
    onLost() {
      giveUp();
      config = undefined;
      // The next run of the encoder has a clock of its own, so jitter is measured afresh.
      send(null);
      onLost();
    },
  });
  out.onmessage = ({ data }: MessageEvent<SoundPosition>) => onPosition(data);
  return {
    setUrl(next) {
      url = next;
    },
    setAwake(next) {
      awake = next;
    },
    get facts() {
      return { decodeErrors, reconnects: link.reconnects };
    },
    close() {
      link.close();
      giveUp();
      out.close();
    },
  };
}

/** Rooms speak with one voice: channels are averaged. */
function mono(data: AudioData): Float32Array<ArrayBuffer> {
  const samples = new Float32Array(data.numberOfFrames);
  data.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
  if (data.numberOfChannels === 1) return samples;
  const plane = new Float32Array(data.numberOfFrames);
  for (let channel = 1; channel < data.numberOfChannels; channel++) {
    data.copyTo(plane, { planeIndex: channel, format: "f32-planar" });
    for (let i = 0; i < samples.length; i++) samples[i]! += plane[i]!;
  }
  for (let i = 0; i < samples.length; i++) samples[i]! /= data.numberOfChannels;
  return samples;
}
