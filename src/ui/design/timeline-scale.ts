/** Arithmetic of the timeline. Pure; all instants are milliseconds since 1970. */

export interface Span {
  from: number;
  to: number;
}

export type CopyState = "waiting" | "hub" | "province" | "refused" | "hubCopy";
export interface Bar extends Span {
  state: CopyState;
}

/** Closest that one can zoom: two seconds across. */
const CLOSEST_MS = 2_000;
/** Segments of one take follow each other within this; a larger step is a hole and must be seen. */
const TOUCHING_MS = 250;

/** Neighbours of one state become one bar: 124 rooms of four hours are 180 000 segments, and a few hundred bars. */
export function mergeBars(bars: readonly Bar[]): Bar[] {
  const merged: Bar[] = [];
  for (const bar of [...bars].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last && last.state === bar.state && bar.from - last.to <= TOUCHING_MS) last.to = Math.max(last.to, bar.to);
    else merged.push({ ...bar });
  }
  return merged;
}

/** The part of the whole that is in view, scaled around the instant `at`, which stays where it is on the screen. */
export function zoom(view: Span, whole: Span, factor: number, at: number): Span {
  const length = view.to - view.from;
  const wanted = Math.min(Math.max(length * factor, CLOSEST_MS), whole.to - whole.from);
  const from = at - ((at - view.from) / length) * wanted;
  return within({ from, to: from + wanted }, whole);
}

export const pan = (view: Span, whole: Span, byMs: number): Span =>
  within({ from: view.from + byMs, to: view.to + byMs }, whole);

/** The view moved so that `at` is inside it; the same object where it already is. */
export function follow(view: Span, whole: Span, at: number): Span {
  if (at >= view.from && at <= view.to) return view;
  const length = view.to - view.from;
  return within({ from: at - length * 0.1, to: at + length * 0.9 }, whole);
}

function within(view: Span, whole: Span): Span {
  const length = Math.min(view.to - view.from, whole.to - whole.from);
  const from = Math.min(Math.max(view.from, whole.from), whole.to - length);
  return { from, to: from + length };
}

/** Share of the view's width, 0…1 inside it. */
export const position = (view: Span, at: number): number => (at - view.from) / (view.to - view.from);

const STEPS_MS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400].map(
  (s) => s * 1_000,
);

/** Round instants for the axis, at most `most` of them. */
export function ticks(view: Span, most: number): { stepMs: number; at: number[] } {
  const stepMs = STEPS_MS.find((step) => (view.to - view.from) / step <= most) ?? STEPS_MS.at(-1)!;
  const at: number[] = [];
  for (let t = Math.ceil(view.from / stepMs) * stepMs; t <= view.to; t += stepMs) at.push(t);
  return { stepMs, at };
}
