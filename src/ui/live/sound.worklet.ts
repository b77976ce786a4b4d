import { JitterBuffer, type SoundFacts } from "./jitter.ts";
import type { SoundFrame, SoundPosition } from "./orders.ts";

/** AudioWorkletGlobalScope (https://webaudio.github.io/web-audio-api/), which lib.dom does not describe. */
declare const sampleRate: number;
declare const currentTime: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => object): void;

export interface SoundReport {
  /** Root mean square of what was played since the last report, full scale 1. */
  rms: number;
  facts: SoundFacts;
}

/** 48 ms at 48 kHz: a meter that moves at 20 pictures a second. */
const REPORT_QUANTA = 18;

/** The loudspeaker's end: one per room that is heard. First comes the port that frames come by; `null` ends it. */
class LiveSound extends AudioWorkletProcessor {
  #frames: MessagePort | undefined;
  #buffer: JitterBuffer | undefined;
  #inputRate = 0;
  #fresh = true;
  #ended = false;
  #quanta = 0;
  #square = 0;
  #count = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<MessagePort | null>) => {
      this.#frames?.close();
      if (data) {
        data.onmessage = ({ data }: MessageEvent<SoundFrame>) => this.#take(data);
        this.#frames = data;
      } else this.#ended = true;
    };
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0]![0]!;
    const buffer = this.#buffer;
    if (!buffer) return !this.#ended;
    const mediaMs = buffer.mediaMs;
    buffer.pull(out);
    for (const value of out) this.#square += value * value;
    this.#count += out.length;
    if (++this.#quanta === REPORT_QUANTA) {
      const report: SoundReport = { rms: Math.sqrt(this.#square / this.#count), facts: buffer.facts };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has no origin
      this.port.postMessage(report);
      if (mediaMs !== undefined) {
        const position: SoundPosition = { mediaMs, wallMs: Date.now() };
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has no origin
        this.#frames?.postMessage(position);
      }
      this.#quanta = this.#square = this.#count = 0;
    }
    return !this.#ended;
  }

  #take(frame: SoundFrame): void {
    if (!frame) {
      // What is there is played out; the next frame begins anew.
      this.#fresh = true;
      return;
    }
    if (!this.#buffer || this.#fresh || frame.sampleRate !== this.#inputRate) {
      this.#buffer = new JitterBuffer(frame.sampleRate, sampleRate);
      this.#inputRate = frame.sampleRate;
      this.#fresh = false;
    }
    this.#buffer.push(frame.samples, frame.mediaMs, currentTime * 1000);
  }
}

registerProcessor("live-sound", LiveSound);
