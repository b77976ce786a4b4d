/**
 * Sound that says when it was made: four times a second, at the wall clock's quarters, 12 ms of one of eight tones in near
 * silence. The tone tells the quarter within two seconds, so that a mark is known again however late it comes. Pure.
 */
export const MARK_EVERY_MS = 250;
const MARK_MS = 12;
const TONES = 8;
export const MARK_CYCLE_MS = MARK_EVERY_MS * TONES;
const toneHz = (code: number): number => 900 + 300 * code;
const AMPLITUDE = 0.6;
/** Something for the codec to do between marks. */
const HUM = 0.01;

/** One sample of the marked sound. @param wallMs milliseconds since 1970 at which it is made */
export function markedSample(wallMs: number): number {
  const inMark = wallMs % MARK_EVERY_MS;
  const seconds = inMark / 1000;
  if (inMark >= MARK_MS) return HUM * Math.sin(2 * Math.PI * 220 * seconds);
  return AMPLITUDE * Math.sin(2 * Math.PI * toneHz(Math.floor(wallMs / MARK_EVERY_MS) % TONES) * seconds);
}

export interface HeardMark {
  /** Wall clock at which its beginning was heard. */
  atMs: number;
  code: number;
}

/** Age of a mark: when it was made is known but for whole cycles. @param about which of them is meant */
export function markAgeMs({ atMs, code }: HeardMark, about = 0): number {
  const age = (((atMs - code * MARK_EVERY_MS) % MARK_CYCLE_MS) + MARK_CYCLE_MS) % MARK_CYCLE_MS;
  return age + Math.max(0, Math.round((about - age) / MARK_CYCLE_MS)) * MARK_CYCLE_MS;
}

const LOUD = 0.15;
const QUIET_MS = 60;
/** The tone is told from these after its beginning. */
const LISTEN_MS = 9;

/** Finds marks in what is played, piece by piece. */
export class MarkReader {
  readonly #rate: number;
  #quiet = 0;
  #atMs = 0;
  #tone: number[] | undefined;

  constructor(rate: number) {
    this.#rate = rate;
  }

  /** @param wallMs when the first of these samples is played */
  push(samples: Float32Array, wallMs: number): HeardMark[] {
    const heard: HeardMark[] = [];
    for (const [i, value] of samples.entries()) {
      if (this.#tone) {
        this.#tone.push(value);
        if (this.#tone.length >= (this.#rate * LISTEN_MS) / 1000) {
          heard.push({ atMs: this.#atMs, code: this.#codeOf(this.#tone) });
          this.#tone = undefined;
          this.#quiet = 0;
        }
      } else if (Math.abs(value) < LOUD) this.#quiet++;
      else {
        if (this.#quiet > (this.#rate * QUIET_MS) / 1000) {
          this.#atMs = wallMs + (i / this.#rate) * 1000;
          this.#tone = [value];
        }
        this.#quiet = 0;
      }
    }
    return heard;
  }

  #codeOf(tone: number[]): number {
    const power = Array.from({ length: TONES }, (_, code) => {
      const step = (2 * Math.PI * toneHz(code)) / this.#rate;
      let re = 0;
      let im = 0;
      for (const [i, value] of tone.entries()) {
        re += value * Math.cos(step * i);
        im += value * Math.sin(step * i);
      }
      return re * re + im * im;
    });
    return power.indexOf(Math.max(...power));
  }
}
