/**
 * How late frames come: drift and a wrong clock cancel out, because only differences within seconds count. Counted by the
 * moment of arrival: a page or a line that stands still for once makes dozens of frames late and is one slot. What came
 * while the player began is forgotten after BEGIN_MS: it was the page that was late, building itself, and not the line. Pure.
 */
export class ArrivalJitter {
  /** The newest is last. */
  readonly #slots: Slot[] = [];
  readonly #sorted = new Float64Array(WINDOW_SLOTS);
  #firstMs: number | undefined;
  #beginning = true;
  #aboveMeanMs = FIRST_GUESS_MS;

  /** @returns "begun" with the frame that ends the beginning */
  arrived(offsetMs: number, nowMs: number): "begun" | undefined {
    this.#firstMs ??= nowMs;
    const begun = this.#beginning && nowMs - this.#firstMs >= BEGIN_MS;
    if (begun) {
      this.#beginning = false;
      const line = this.#slots.findIndex(({ number }) => number * SLOT_MS > nowMs - BEGUN_MS);
      this.#slots.splice(0, line < 0 ? this.#slots.length : line);
      if (line >= 0) this.#recount();
    }
    const number = Math.floor(nowMs / SLOT_MS);
    let slot = this.#slots.at(-1);
    if (slot?.number !== number) {
      if (slot) this.#recount();
      // The oldest is used again: nothing is to be collected on the audio thread.
      slot = this.#slots.length < WINDOW_SLOTS ? { ...EMPTY_SLOT } : this.#slots.shift()!;
      Object.assign(slot, EMPTY_SLOT, { number });
      this.#slots.push(slot);
    }
    slot.latestMs = Math.max(slot.latestMs, offsetMs);
    slot.sumMs += offsetMs;
    slot.frames++;
    return begun ? "begun" : undefined;
  }

  /** How much later than the mean frames come, but for the latest of RARE of all moments. */
  get aboveMeanMs(): number {
    return this.#aboveMeanMs;
  }

  #recount(): void {
    let sumMs = 0;
    let frames = 0;
    for (const [i, slot] of this.#slots.entries()) {
      this.#sorted[i] = slot.latestMs;
      sumMs += slot.sumMs;
      frames += slot.frames;
    }
    const latest = this.#sorted.subarray(0, this.#slots.length).sort();
    this.#aboveMeanMs = latest[latest.length - 1 - Math.floor(latest.length * RARE)]! - sumMs / frames;
  }
}

interface Slot {
  number: number;
  latestMs: number;
  sumMs: number;
  frames: number;
}

const EMPTY_SLOT: Slot = { number: 0, latestMs: -Infinity, sumMs: 0, frames: 0 };
const SLOT_MS = 100;
/** 11 s: long enough to know the rare, short enough for 200 ppm of drift to be 2 ms. */
const WINDOW_SLOTS = 110;
const RARE = 0.04;
const BEGIN_MS = 3_000;
/** The last of them, by which the line is known. */
const BEGUN_MS = 1_000;
/** Of a LAN, before there is anything to measure. */
const FIRST_GUESS_MS = 20;
