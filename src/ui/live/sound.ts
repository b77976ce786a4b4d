import { FLV_AUDIO, parseAacConfig, readFlvAudio, type FlvTag } from "../../media/media.ts";
import type { SoundFacts } from "./jitter.ts";
import { openLink } from "./link.ts";
import type { SoundFrame, SoundReport } from "./sound.worklet.ts";
import { speakers } from "./speakers.ts";

/** One room's sound, heard from its making to its closing. */
export interface Sound {
  /** 0…1: -60 dB to full scale. */
  level(): number;
  readonly facts: (SoundFacts & { decodeErrors: number; reconnects: number }) | null;
  close(): void;
}

const METER_FLOOR_DB = 60;
/** Without a report for this long the context sleeps and nothing is heard. */
const REPORT_VALID_MS = 300;
/** Some 2 s: more than that waits for a decoder that does not work. */
const QUEUE_LIMIT = 100;

export const levelOf = (rms: number): number =>
  rms <= 0 ? 0 : Math.max(0, Math.min(1, 1 + (20 * Math.log10(rms)) / METER_FLOOR_DB));

export function openSound(url: () => string): Sound {
  let decoder: AudioDecoder | undefined;
  let config: AudioDecoderConfig | undefined;
  let node: { inputRate: number; worklet: AudioWorkletNode } | undefined;
  let report: { atMs: number; value: SoundReport } | undefined;
  let context: AudioContext | undefined;
  let closed = false;
  let decodeErrors = 0;

  const dropNode = () => {
    if (!node) return;
    const { worklet } = node;
    node = undefined;
    worklet.port.onmessage = null;
    // The port stays open so that this arrives; a processor that has ended is collected with it.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has no origin
    worklet.port.postMessage(null);
    worklet.disconnect();
  };
  const nodeFor = (inputRate: number, context: AudioContext): AudioWorkletNode => {
    if (node?.inputRate === inputRate) return node.worklet;
    dropNode();
    const worklet = new AudioWorkletNode(context, "live-sound", {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { inputRate },
    });
    worklet.port.onmessage = ({ data }: MessageEvent<SoundReport>) => {
      report = { atMs: performance.now(), value: data };
    };
    worklet.connect(context.destination);
    node = { inputRate, worklet };
    return worklet;
  };
  const hear = (data: AudioData) => {
    try {
      // A sleeping context takes nothing from its ports: frames would pile up there.
      if (context?.state !== "running") return;
      const frame: SoundFrame = { samples: mono(data), mediaMs: data.timestamp / 1000 };
      nodeFor(data.sampleRate, context).port.postMessage(frame, [frame.samples.buffer]);
    } finally {
      data.close();
    }
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
  const link = openLink(url, {
    onOpen: () => {},
    onTag: push,
    onLost: () => {
      giveUp();
      config = undefined;
      // The next run of the encoder has a clock of its own, so jitter is measured afresh.
      dropNode();
    },
  });
  const acquire = async () => {
    try {
      const acquired = await speakers.acquire();
      if (!closed) context = acquired;
    } catch {
      // Without a worklet there is no sound; the link's next connection tries again.
      decodeErrors++;
    }
  };
  void acquire();
  return {
    level() {
      return report && performance.now() - report.atMs < REPORT_VALID_MS ? levelOf(report.value.rms) : 0;
    },
    get facts() {
      return report ? { ...report.value.facts, decodeErrors, reconnects: link.reconnects } : null;
    },
    close() {
      closed = true;
      link.close();
      giveUp();
      dropNode();
      speakers.release();
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
