/**
 * One room's sound between the network and the ear. Pure: arrival times come in as numbers and silence comes out as
 * zeros, so the AudioWorklet that feeds a loudspeaker and the tests that simulate an hour run the same code.
 *
 * INVARIANTS
 * - `pull` always fills the whole output; it never waits and never allocates.
 * - 0 ≤ write - read ≤ capacity - HISTORY: what was just played stays readable for concealment.
 * - Depth is steered to the target by resampling within ±MAX_STRETCH, which absorbs clock drift as well; only an
 *   excess that this would need tens of seconds for is cut out, under a cross-fade.
 */
export class JitterBuffer {
  readonly #inputRate: number;
  readonly #step: number;
  readonly #outputRate: number;
  readonly #ring: Float32Array;
  readonly #jitter: ArrivalJitter;
  /** Absolute sample numbers of the input; doubles stay exact for thousands of years. */
  #write = 0;
  #read = 0;
  #state: "filling" | "playing" = "filling";
  #frameMs = 0;
  #smoothDepth = 0;
  #rate = 1;
  /** Samples of fade-in still to come. */
  #rising = 0;
  /** Concealment: position that is played backwards, and samples of fade-out still to come. */
  #falling = 0;
  #fallFrom = 0;
  /** Cross-fade after a cut: where the old sound goes on, and samples still to come. */
  #crossing = 0;
  #crossFrom = 0;
  #underruns = 0;
  #cuts = 0;
  /** What underruns have taught beyond the p98, which alone would let each fiftieth frame come too late. */
  #cautionMs = 0;

  /**
   * @param inputRate samples per second of what is pushed
   * @param outputRate samples per second of what is pulled
   */
  constructor(inputRate: number, outputRate: number) {
    this.#inputRate = inputRate;
    this.#outputRate = outputRate;
    this.#step = inputRate / outputRate;
    this.#ring = new Float32Array(2 ** Math.ceil(Math.log2(inputRate * CAPACITY_S)));
    this.#jitter = new ArrivalJitter();
  }

  /** Takes one decoded frame. @param mediaMs its time in the stream @param nowMs when it came, any clock that runs on */
  push(samples: Float32Array, mediaMs: number, nowMs: number): void {
    if (samples.length === 0) return;
    this.#frameMs = (samples.length / this.#inputRate) * 1000;
    this.#jitter.arrived(nowMs - mediaMs);
    const mask = this.#ring.length - 1;
    for (let i = 0; i < samples.length; i++) this.#ring[(this.#write + i) & mask] = samples[i]!;
    this.#write += samples.length;
    const oldest = this.#write - (this.#ring.length - HISTORY);
    if (this.#read < oldest) {
      this.#read = oldest;
      this.#cuts++;
    }
  }

  /** Fills `out` with what is to be heard next. */
  pull(out: Float32Array): void {
    this.#cautionMs *= 2 ** (-out.length / this.#outputRate / CAUTION_HALF_LIFE_S);
    const target = this.#targetSamples();
    if (this.#state === "filling") this.#tryStart(target);
    else this.#steer(target, out.length);
    for (let k = 0; k < out.length; k++) out[k] = this.#next();
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

  #targetSamples(): number {
    const wantedMs = this.#jitter.p98Ms() + this.#frameMs + this.#cautionMs;
    const targetMs = Math.min(MAX_TARGET_MS, Math.max(MIN_TARGET_MS, wantedMs));
    return (targetMs / 1000) * this.#inputRate;
  }

  #tryStart(target: number): void {
    if (this.#write - this.#read < target) return;
    // What a pause in arrivals piled up is not worth hearing late.
    this.#read = this.#write - Math.ceil(target);
    this.#smoothDepth = target;
    this.#state = "playing";
    this.#rate = 1;
    this.#rising = this.#samples(RISE_MS);
    this.#falling = 0;
  }

  #steer(target: number, outLength: number): void {
    const depth = this.#write - this.#read;
    this.#smoothDepth += (depth - this.#smoothDepth) * Math.min(1, outLength / this.#outputRate / SMOOTHING_S);
    const toMs = 1000 / this.#inputRate;
    if ((this.#smoothDepth - target) * toMs > CUT_EXCESS_MS && depth > target && this.#crossing === 0) {
      this.#crossFrom = this.#read;
      this.#crossing = this.#samples(CROSS_MS);
      this.#read = this.#write - target;
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
      this.#fallFrom = this.#read;
      this.#falling = this.#samples(FALL_MS);
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
      value *= 1 - this.#rising / this.#samples(RISE_MS);
      this.#rising--;
    }
    return value;
  }

  /** The last sound mirrored in time and faded out: no click, and too short to be heard as an echo. */
  #conceal(): number {
    if (this.#falling === 0) return 0;
    const gain = this.#falling / this.#samples(FALL_MS);
    this.#falling--;
    this.#fallFrom -= this.#step;
    return this.#at(this.#fallFrom) * gain;
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
/** Samples kept behind the reading position; more than FALL_MS at 48 kHz. */
const HISTORY = 4096;
const MIN_TARGET_MS = 30;
/** Beyond this, talking to each other is worse than a gap now and then. */
const MAX_TARGET_MS = 250;
const CAUTION_STEP_MS = 10;
const MAX_CAUTION_MS = 80;
const CAUTION_HALF_LIFE_S = 60;
/** Half a per cent is below what an ear notices in speech, and covers drift of 5000 ppm. */
const MAX_STRETCH = 0.005;
const FULL_STRETCH_ERROR_MS = 20;
const SMOOTHING_S = 1;
/** 100 ms are gone in 20 s at full stretch; more is cut. */
const CUT_EXCESS_MS = 100;
const RISE_MS = 5;
const FALL_MS = 20;
const CROSS_MS = 10;

/** How late frames come, against the quickest of the last seconds: drift and a wrong clock cancel out. */
class ArrivalJitter {
  readonly #offsets = new Float64Array(WINDOW_FRAMES);
  readonly #sorted = new Float64Array(WINDOW_FRAMES);
  #count = 0;
  #p98Ms = FIRST_GUESS_MS;

  arrived(offsetMs: number): void {
    this.#offsets[this.#count++ % WINDOW_FRAMES] = offsetMs;
    if (this.#count % RECOUNT_FRAMES === 0) this.#recount();
  }

  p98Ms(): number {
    return this.#p98Ms;
  }

  #recount(): void {
    const length = Math.min(this.#count, WINDOW_FRAMES);
    this.#sorted.set(this.#offsets);
    const offsets = this.#sorted.subarray(0, length).sort();
    this.#p98Ms = offsets[Math.min(length - 1, Math.floor(length * 0.98))]! - offsets[0]!;
  }
}

/** Some 11 s of AAC frames at 48 kHz: long enough for a p98, short enough for 200 ppm of drift to be 2 ms. */
const WINDOW_FRAMES = 512;
const RECOUNT_FRAMES = 25;
/** Of a LAN, before there is anything to measure. */
const FIRST_GUESS_MS = 20;
