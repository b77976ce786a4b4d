import { ArrivalJitter } from "./arrivals.ts";
import { CONCEAL_REACH_MS, Concealment } from "./conceal.ts";
import { RunningMinimum } from "./minimum.ts";

/**
 * One room's sound between the network and the ear. Pure: arrival times come in as numbers and silence comes out as
 * zeros, so the AudioWorklet that feeds a loudspeaker and the tests that simulate an hour run the same code.
 *
 * INVARIANTS
 * - `pull` always fills the whole output and never waits; it allocates only where sound has run out.
 * - 0 ≤ write - read ≤ capacity - history: what was just played stays readable for concealment.
 * - Depth is steered to the target by resampling within ±MAX_STRETCH, which absorbs clock drift as well; only an
 *   excess that this would need tens of seconds for is cut out, under a cross-fade.
 */
export class JitterBuffer {
  readonly #inputRate: number;
  readonly #step: number;
  readonly #outputRate: number;
  readonly #ring: Float32Array;
  readonly #history: number;
  readonly #jitter = new ArrivalJitter();
  /** Absolute sample numbers of the input; doubles stay exact for thousands of years. */
  #write = 0;
  #read = 0;
  #state: "filling" | "playing" = "filling";
  #frameMs = 0;
  /** Time in the stream of what is written next. */
  #writeMediaMs: number | undefined;
  #smoothDepth = 0;
  #rate = 1;
  /** Samples of fade-in still to come. */
  #rising = 0;
  #concealment: Concealment | undefined;
  /** Cross-fade after a cut: where the old sound goes on, and samples still to come. */
  #crossing = 0;
  #crossFrom = 0;
  #underruns = 0;
  #cuts = 0;
  /** What underruns have taught beyond the arrivals that are counted, which leave out the rare ones. */
  #cautionMs = 0;
  /** The least that was left to play, of this look and of the one before. */
  readonly #spare = new RunningMinimum(SPARE_LOOK_MS);
  #playedMs = 0;
  /** What is too much at this moment is cut, however little it is. */
  #cutNow = false;

  /**
   * @param inputRate samples per second of what is pushed
   * @param outputRate samples per second of what is pulled
   */
  constructor(inputRate: number, outputRate: number) {
    this.#inputRate = inputRate;
    this.#outputRate = outputRate;
    this.#step = inputRate / outputRate;
    this.#ring = new Float32Array(2 ** Math.ceil(Math.log2(inputRate * CAPACITY_S)));
    this.#history = Math.ceil((inputRate * CONCEAL_REACH_MS) / 1000);
  }

  /** Takes one decoded frame. @param mediaMs its time in the stream @param nowMs when it came, any clock that runs on */
  push(samples: Float32Array, mediaMs: number, nowMs: number): void {
    if (samples.length === 0) return;
    this.#frameMs = (samples.length / this.#inputRate) * 1000;
    this.#writeMediaMs = mediaMs + this.#frameMs;
    if (this.#jitter.arrived(nowMs - mediaMs, nowMs) === "begun") {
      this.#cautionMs = 0;
      this.#cutNow = this.#state === "playing";
    }
    const mask = this.#ring.length - 1;
    for (let i = 0; i < samples.length; i++) this.#ring[(this.#write + i) & mask] = samples[i]!;
    this.#write += samples.length;
    const oldest = this.#write - (this.#ring.length - this.#history);
    if (this.#read < oldest) {
      this.#read = oldest;
      this.#cuts++;
    }
  }

  /** Fills `out` with what is to be heard next. */
  pull(out: Float32Array): void {
    const target = this.#targetSamples();
    if (this.#state === "filling") this.#tryStart(target);
    else this.#steer(target, out.length);
    for (let k = 0; k < out.length; k++) out[k] = this.#next();
    this.#forget((out.length / this.#outputRate) * 1000);
  }

  get facts(): SoundFacts {
    const toMs = 1000 / this.#inputRate;
    return {
      state: this.#state,
      depthMs: (this.#write - this.#read) * toMs,
      targetMs: this.#targetSamples() * toMs,
      rate: this.#rate,
      underruns: this.#underruns,
      cuts: this.#cuts,
    };
  }

  /** Time in the stream of what `pull` gives next; undefined while nothing plays. */
  get mediaMs(): number | undefined {
    if (this.#state === "filling" || this.#writeMediaMs === undefined) return undefined;
    return this.#writeMediaMs - ((this.#write - this.#read) / this.#inputRate) * 1000;
  }

  #targetSamples(): number {
    // Of the mean depth: frames come late by their mean, and half of one is played when the mean is taken.
    const wantedMs = this.#jitter.aboveMeanMs + this.#frameMs / 2 + MARGIN_MS + this.#cautionMs;
    const targetMs = Math.min(MAX_TARGET_MS, Math.max(MIN_TARGET_MS, wantedMs));
    return (targetMs / 1000) * this.#inputRate;
  }

  get #halfFrame(): number {
    return (this.#frameMs / 2000) * this.#inputRate;
  }

  #tryStart(target: number): void {
    // A frame has come just now, so there is half of one more than the mean.
    const depth = target + this.#halfFrame;
    if (this.#write - this.#read < depth) return;
    // What a pause in arrivals piled up is not worth hearing late.
    this.#read = this.#write - Math.ceil(depth);
    this.#smoothDepth = target;
    this.#state = "playing";
    this.#rate = 1;
    this.#rising = this.#samples(RISE_MS);
  }

  #steer(target: number, outLength: number): void {
    const depth = this.#write - this.#read;
    this.#smoothDepth += (depth - this.#smoothDepth) * Math.min(1, outLength / this.#outputRate / SMOOTHING_S);
    const toMs = 1000 / this.#inputRate;
    const excessMs = (this.#smoothDepth - target) * toMs;
    const limitMs = this.#cutNow ? FULL_STRETCH_ERROR_MS : CUT_EXCESS_MS;
    this.#cutNow = false;
    if (excessMs > limitMs && depth > target * 1.5 && this.#crossing === 0) {
      this.#crossFrom = this.#read;
      this.#crossing = this.#samples(CROSS_MS);
      this.#read = this.#write - target - this.#halfFrame;
      this.#smoothDepth = target;
      this.#cuts++;
    }
    const error = ((this.#smoothDepth - target) * toMs) / FULL_STRETCH_ERROR_MS;
    this.#rate = 1 + MAX_STRETCH * Math.max(-1, Math.min(1, error));
  }

  #next(): number {
    if (this.#state === "filling") return this.#conceal();
    // The interpolation looks two samples ahead.
    if (this.#write - this.#read < 3) {
      this.#underruns++;
      this.#cautionMs = Math.min(MAX_CAUTION_MS, this.#cautionMs + CAUTION_STEP_MS);
      this.#state = "filling";
      this.#crossing = 0;
      this.#rising = 0;
      this.#concealment = new Concealment((position) => this.#at(position), this.#read, this.#inputRate);
      return this.#conceal();
    }
    const step = this.#step * this.#rate;
    let value = this.#at(this.#read);
    this.#read += step;
    if (this.#crossing > 0) {
      const old = this.#crossing / this.#samples(CROSS_MS);
      value = value * (1 - old) + this.#at(this.#crossFrom) * old;
      this.#crossFrom += step;
      this.#crossing--;
    }
    if (this.#rising > 0) {
      const old = this.#rising / this.#samples(RISE_MS);
      value = value * (1 - old) + this.#conceal() * old;
      if (--this.#rising === 0) this.#concealment = undefined;
    }
    return value;
  }

  /** A lesson fades slowly while it is what keeps the sound going, and soon where there was as much to spare. */
  #forget(ms: number): void {
    this.#playedMs += ms;
    const leftMs = this.#state === "filling" ? 0 : ((this.#write - this.#read) / this.#inputRate) * 1000;
    const idle = this.#spare.lowest(leftMs, this.#playedMs) > this.#cautionMs;
    this.#cautionMs *= 2 ** (-ms / (idle ? IDLE_CAUTION_HALF_LIFE_MS : CAUTION_HALF_LIFE_MS));
  }

  #conceal(): number {
    return this.#concealment?.next(this.#step) ?? 0;
  }

  /** Catmull-Rom interpolation: a linear one would dull speech at the fractional positions of a slow stretch. */
  #at(position: number): number {
    const mask = this.#ring.length - 1;
    const i = Math.floor(position);
    const t = position - i;
    const a = this.#ring[(i - 1) & mask]!;
    const b = this.#ring[i & mask]!;
    const c = this.#ring[(i + 1) & mask]!;
    const d = this.#ring[(i + 2) & mask]!;
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
  }

  #samples(ms: number): number {
    return Math.round((ms / 1000) * this.#outputRate);
  }
}

export interface SoundFacts {
  state: "filling" | "playing";
  depthMs: number;
  targetMs: number;
  /** Speed of playing, 1 ± 0.005. */
  rate: number;
  /** Times that nothing was left to play. */
  underruns: number;
  /** Times that sound was left out to come back to live. */
  cuts: number;
}

const CAPACITY_S = 2;
const MIN_TARGET_MS = 15;
/** Frames are put into the audio thread's hands, and taken from there, a few quanta of 2.7 ms at a time. */
const MARGIN_MS = 4;
/** Beyond this, talking to each other is worse than a gap now and then. */
const MAX_TARGET_MS = 250;
const CAUTION_STEP_MS = 10;
const MAX_CAUTION_MS = 80;
const CAUTION_HALF_LIFE_MS = 60_000;
const IDLE_CAUTION_HALF_LIFE_MS = 5_000;
const SPARE_LOOK_MS = 10_000;
/** Half a per cent is below what an ear notices in speech, and covers drift of 5000 ppm. */
const MAX_STRETCH = 0.005;
const FULL_STRETCH_ERROR_MS = 20;
const SMOOTHING_S = 1;
/** 100 ms are gone in 20 s at full stretch; more is cut. */
const CUT_EXCESS_MS = 100;
const RISE_MS = 5;
const CROSS_MS = 10;
