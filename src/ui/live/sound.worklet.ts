import { JitterBuffer, type SoundFacts } from "./jitter.ts";

/** AudioWorkletGlobalScope (https://webaudio.github.io/web-audio-api/), which lib.dom does not describe. */
declare const sampleRate: number;
declare const currentTime: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new (options: AudioWorkletNodeOptions) => object): void;

export interface SoundFrame {
  samples: Float32Array;
  mediaMs: number;
}
export interface SoundReport {
  /** Root mean square of what was played since the last report, full scale 1. */
  rms: number;
  facts: SoundFacts;
}

/** 48 ms at 48 kHz: a meter that moves at 20 pictures a second. */
const REPORT_QUANTA = 18;

/** The loudspeaker's end: one per room that is heard. Frames come in by the port, `null` ends it. */
class LiveSound extends AudioWorkletProcessor {
  readonly #buffer: JitterBuffer;
  #ended = false;
  #quanta = 0;
  #square = 0;
  #count = 0;

  constructor(options: AudioWorkletNodeOptions) {
    super();
    this.#buffer = new JitterBuffer((options.processorOptions as { inputRate: number }).inputRate, sampleRate);
    this.port.onmessage = ({ data }: MessageEvent<SoundFrame | null>) => {
      if (data) this.#buffer.push(data.samples, data.mediaMs, currentTime * 1000);
      else this.#ended = true;
    };
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0]![0]!;
    this.#buffer.pull(out);
    for (const value of out) this.#square += value * value;
    this.#count += out.length;
    if (++this.#quanta === REPORT_QUANTA) {
      const report: SoundReport = { rms: Math.sqrt(this.#square / this.#count), facts: this.#buffer.facts };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has no origin
      this.port.postMessage(report);
      this.#quanta = this.#square = this.#count = 0;
    }
    return !this.#ended;
  }
}

registerProcessor("live-sound", LiveSound);
