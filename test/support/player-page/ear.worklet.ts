/** AudioWorkletGlobalScope (https://webaudio.github.io/web-audio-api/), which lib.dom does not describe. */
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => object): void;

export interface Heard {
  samples: Float32Array;
  /** Wall clock at the first of each quantum of 128 samples. */
  wallMs: number[];
}

const QUANTA = 40;

/** Sits where the loudspeaker is and tells the page what comes there, and when. */
class Ear extends AudioWorkletProcessor {
  #samples = new Float32Array(QUANTA * 128);
  #wallMs: number[] = [];

  process(inputs: Float32Array[][]): boolean {
    const channel = inputs[0]![0];
    if (channel) this.#samples.set(channel, this.#wallMs.length * 128);
    else this.#samples.fill(0, this.#wallMs.length * 128, (this.#wallMs.length + 1) * 128);
    this.#wallMs.push(Date.now());
    if (this.#wallMs.length === QUANTA) {
      const heard: Heard = { samples: this.#samples, wallMs: this.#wallMs };
      this.port.postMessage(heard, [this.#samples.buffer]);
      this.#samples = new Float32Array(QUANTA * 128);
      this.#wallMs = [];
    }
    return true;
  }
}

registerProcessor("ear", Ear);
