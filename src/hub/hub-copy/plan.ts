import type { BoxId } from "../../protocol/protocol.ts";
import type { Stretch, StretchTimes } from "./stretch.ts";

/** Wall time, milliseconds since 1970. */
export interface Span {
  fromMs: number;
  toMs: number;
}

export interface StretchOnDisk extends Stretch, StretchTimes {
  path: string;
}

/** One file that fills a hole, or part of one. */
export interface Piece {
  box: BoxId;
  /** Time of the stream, from which wall time differs by `offsetMs`. */
  streamFromMs: number;
  streamToMs: number;
  offsetMs: number;
  picture: StretchOnDisk | undefined;
  /** One after another. */
  sounds: StretchOnDisk[];
}

/** Segments follow each other within less; a shorter hole is no hole. */
const SHORTEST_MS = 1_000;

/** What of `whole` none of `held` covers. */
export function holesOf(whole: Span, held: readonly Span[]): Span[] {
  const holes: Span[] = [];
  let fromMs = whole.fromMs;
  for (const each of [...held].sort((a, b) => a.fromMs - b.fromMs)) {
    if (each.fromMs - fromMs >= SHORTEST_MS) holes.push({ fromMs, toMs: Math.min(each.fromMs, whole.toMs) });
    fromMs = Math.max(fromMs, each.toMs);
  }
  if (whole.toMs - fromMs >= SHORTEST_MS) holes.push({ fromMs, toMs: whole.toMs });
  return holes.filter((hole) => hole.toMs - hole.fromMs >= SHORTEST_MS);
}

const overlap = (a: Span, b: Span): Span | undefined => {
  const span = { fromMs: Math.max(a.fromMs, b.fromMs), toMs: Math.min(a.toMs, b.toMs) };
  return span.toMs - span.fromMs >= SHORTEST_MS ? span : undefined;
};

/**
 * What of the hub's copies fills the holes: pictures with the sound of their run of the encoder, and sound alone where
 * no picture came. Streams of one run have one time line; the one that arrived with the least delay says when it was.
 */
export function planPieces(holes: readonly Span[], stretches: readonly StretchOnDisk[]): Piece[] {
  const pieces: Piece[] = [];
  for (const ofRun of Map.groupBy(stretches, ({ box, run }) => `${box} ${run}`).values()) {
    const offsetMs = Math.min(...ofRun.map(({ startedMs, firstMs }) => startedMs - firstMs));
    const wall = ({ firstMs, lastMs }: StretchTimes): Span => ({
      fromMs: firstMs + offsetMs,
      toMs: lastMs + offsetMs,
    });
    const ordered = ofRun.toSorted((a, b) => a.firstMs - b.firstMs);
    const sounds = ordered.filter(({ kind }) => kind === "audio");
    const pictures = ordered.filter(({ kind }) => kind !== "audio");
    const piece = (span: Span, picture: StretchOnDisk | undefined): Piece => ({
      box: ofRun[0]!.box,
      streamFromMs: span.fromMs - offsetMs,
      streamToMs: span.toMs - offsetMs,
      offsetMs,
      picture,
      sounds: sounds.filter((sound) => overlap(wall(sound), span)),
    });
    for (const hole of holes) {
      for (const picture of pictures) {
        const span = overlap(wall(picture), hole);
        if (span) pieces.push(piece(span, picture));
      }
      for (const unseen of holesOf(hole, pictures.map(wall)))
        if (sounds.some((sound) => overlap(wall(sound), unseen))) {
          const heard = sounds.flatMap((sound) => overlap(wall(sound), unseen) ?? []);
          pieces.push(piece({ fromMs: heard[0]!.fromMs, toMs: heard.at(-1)!.toMs }, undefined));
        }
    }
  }
  return pieces.sort((a, b) => a.streamFromMs + a.offsetMs - (b.streamFromMs + b.offsetMs));
}
