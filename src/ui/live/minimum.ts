/** The least value of the last one to two half windows, in constant space: a clock's drift does not count for ever. Pure. */
export class RunningMinimum {
  readonly #halfWindowMs: number;
  #before = Infinity;
  #now = Infinity;
  #turnMs = -Infinity;

  constructor(halfWindowMs: number) {
    this.#halfWindowMs = halfWindowMs;
  }

  /** Takes a value in. @returns the least one */
  lowest(value: number, nowMs: number): number {
    if (nowMs - this.#turnMs > this.#halfWindowMs) {
      this.#before = this.#now;
      this.#now = Infinity;
      this.#turnMs = nowMs;
    }
    this.#now = Math.min(this.#now, value);
    return Math.min(this.#before, this.#now);
  }
}
