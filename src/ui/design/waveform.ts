import type { Span } from "./timeline-scale.ts";

/** How loud it is in a recording: a byte for each step of its playlist, 0 is silence. */
export interface Sound {
  stepMs: number;
  levels: Uint8Array;
}

/** A stretch of the row and where it is in the playlist. */
export interface Stretch extends Span {
  playlistMs: number;
}

/** The loudest of each column of the view, 0 where nothing is heard or nothing is. Pure. */
export function waveform(sound: Sound, stretches: readonly Stretch[], view: Span, columns: number): Uint8Array {
  const { stepMs, levels } = sound;
  const drawn = new Uint8Array(columns);
  const columnMs = (view.to - view.from) / columns;
  for (const { from, to, playlistMs } of stretches) {
    const first = Math.max(0, Math.floor((from - view.from) / columnMs));
    const last = Math.min(columns - 1, Math.ceil((to - view.from) / columnMs) - 1);
    for (let column = first; column <= last; column++) {
      const atMs = view.from + column * columnMs;
      const begin = Math.floor((Math.max(atMs, from) - from + playlistMs) / stepMs);
      const end = Math.ceil((Math.min(atMs + columnMs, to) - from + playlistMs) / stepMs);
      for (let step = begin; step < Math.min(end, levels.length); step++)
        if (levels[step]! > drawn[column]!) drawn[column] = levels[step]!;
    }
  }
  return drawn;
}
