/** What is remembered of the lives of one box's agent. */
const LIVES_KEPT = 16;
const WITHIN_MS = 10 * 60_000;
/** One return could be a message that the network had kept back. */
const RETURNS = 2;
/** So long only one must have spoken before the other counts as gone: a poor line keeps a box away for a while. */
const GONE_MS = 2 * 60_000;

/**
 * Tells whether two boxes speak with one identity, as after a disk was copied or a replaced box was switched on again.
 * A life is one run of an agent. A box that has begun a new one never speaks in an earlier one again; two boxes, each
 * taking the other's place, do so all the time. Pure; times are monotonic.
 */
export class Lives {
  private readonly former = new Set<string>();
  private now: string | undefined;
  private returns: { atMs: number; lives: readonly [string, string] }[] = [];

  /** @param twinsSinceMs where two were known to speak before this life of the hub */
  constructor(twinsSinceMs?: number) {
    if (twinsSinceMs !== undefined)
      this.returns = Array.from({ length: RETURNS }, () => ({ atMs: twinsSinceMs, lives: ["", ""] }));
  }

  /** The box has said in which life it speaks. */
  note(life: string, nowMs: number): void {
    const before = this.now;
    if (before === life) return;
    if (before !== undefined && this.former.has(life)) this.returns.push({ atMs: nowMs, lives: [before, life] });
    this.now = life;
    if (before !== undefined) this.former.add(before);
    if (this.former.size > LIVES_KEPT) this.former.delete(this.former.values().next().value!);
    this.returns = this.returns.filter(({ atMs }) => nowMs - atMs < WITHIN_MS).slice(-RETURNS);
  }

  /** Undefined where one box speaks; else the two lives that took turns last. */
  twins(nowMs: number): readonly [string, string] | undefined {
    const last = this.returns.at(-1);
    return last && this.returns.length >= RETURNS && nowMs - last.atMs < GONE_MS ? last.lives : undefined;
  }
}
