/**
 * What is heard where sound is missing: the last period of the voice again and again, fading out. A gap of a lost
 * packet's length is then hardly heard, and a longer one falls silent instead of buzzing. Pure.
 */
export class Concealment {
  readonly #periodSamples: number;
  readonly #endAt: number;
  readonly #length: number;
  readonly #hold: number;
  readonly #seam: number;
  readonly #at: (position: number) => number;
  #played = 0;

  /**
   * @param at the sound by position; read up to `endAt`, and back to CONCEAL_REACH_MS before it
   * @param endAt where the sound ends
   * @param rate samples per second of positions
   */
  constructor(at: (position: number) => number, endAt: number, rate: number) {
    this.#at = at;
    this.#endAt = endAt;
    this.#length = (rate * FADE_MS) / 1000;
    this.#hold = (rate * HOLD_MS) / 1000;
    this.#seam = (rate * SEAM_MS) / 1000;
    this.#periodSamples = periodBefore(at, endAt, rate);
  }

  get ended(): boolean {
    return this.#played >= this.#length;
  }

  /** The next value; `step` is how far one output sample moves in the input. */
  next(step: number): number {
    if (this.ended) return 0;
    const phase = this.#played % this.#periodSamples;
    const from = this.#endAt - this.#periodSamples;
    let value = this.#at(from + phase);
    // The end of a period glides into what came before the period's beginning: they differ by little, not by nothing.
    const left = this.#periodSamples - phase;
    if (left < this.#seam) {
      const old = left / this.#seam;
      value = value * old + this.#at(from - left) * (1 - old);
    }
    const gain = this.#played <= this.#hold ? 1 : 1 - (this.#played - this.#hold) / (this.#length - this.#hold);
    this.#played += step;
    return value * gain;
  }
}

/** How far back from the end anything is read. */
export const CONCEAL_REACH_MS = 42;
const HOLD_MS = 10;
const FADE_MS = 60;
const SEAM_MS = 1;
/** Pitch of a voice: 67 to 400 Hz. */
const SHORTEST_PERIOD_MS = 2.5;
const LONGEST_PERIOD_MS = 15;
const COMPARED_MS = 20;
/** Pitch is found at this rate first: the search is on the audio thread. */
const SEARCH_RATE = 8_000;

/** The lag at which the sound before `endAt` is most like itself (normalised autocorrelation). */
function periodBefore(at: (position: number) => number, endAt: number, rate: number): number {
  const stride = Math.max(1, Math.floor(rate / SEARCH_RATE));
  const likeness = (lag: number, stride: number): number => {
    let product = 0;
    let energy = 1e-9;
    for (let back = (rate * COMPARED_MS) / 1000; back > 0; back -= stride) {
      const before = at(endAt - back - lag);
      product += at(endAt - back) * before;
      energy += before * before;
    }
    return product / Math.sqrt(energy);
  };
  const best = (from: number, to: number, stride: number): number => {
    let found = from;
    let most = -Infinity;
    for (let lag = from; lag <= to; lag += stride) {
      const value = likeness(lag, stride);
      if (value > most) [most, found] = [value, lag];
    }
    return found;
  };
  const shortest = Math.round((rate * SHORTEST_PERIOD_MS) / 1000);
  const coarse = best(shortest, (rate * LONGEST_PERIOD_MS) / 1000, stride);
  return best(Math.max(shortest, coarse - stride), coarse + stride, 1);
}
