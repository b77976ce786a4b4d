/** One line of FFmpeg's segment list in its csv form: a file that has been written to its end. */
export interface ListedSegment {
  seq: number;
  /** Media time of the first packet and end of the last, milliseconds. */
  startMs: number;
  endMs: number;
}

/** Reads whole lines `000012.ts,120.021333,130.021333`; others are left out. */
export function parseSegmentList(lines: readonly string[]): ListedSegment[] {
  return lines.flatMap((line) => {
    const match = /^(\d{6})\.ts,([\d.]+),([\d.]+)$/.exec(line.trim());
    if (!match) return [];
    return [{ seq: Number(match[1]), startMs: Number(match[2]) * 1_000, endMs: Number(match[3]) * 1_000 }];
  });
}

/** Period of 33-bit MPEG-TS timestamps at 90 kHz: 26.5 h. */
const WRAP_MS = 2 ** 33 / 90;

/** A media time as read from a file, moved by whole wraps to where it continues from `nearMs`. */
export const unwrapMs = (ms: number, nearMs: number): number => ms + Math.round((nearMs - ms) / WRAP_MS) * WRAP_MS;
