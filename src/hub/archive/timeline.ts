import { hubCopyFiles, segmentFileName, type TakeId } from "../../protocol/protocol.ts";

/** Stands in the place of a take for pieces of the hub's own copy, and is their folder's name. */
export const HUB_COPY = "hub-copy";

/** One segment of a room, in the order of recording. */
export interface TimelineSegment {
  take: TakeId | typeof HUB_COPY;
  /** Of the take, or the piece's number. */
  seq: number;
  /** ISO 8601 UTC of its first frame. */
  startedAt: string;
  streamStartMs: number;
  streamEndMs: number;
  verified: boolean;
}

/** What a piece may overlap with a segment without being the same: it begins at a key frame before its hole. */
const OVERLAP_MS = 1_500;

/**
 * Pieces of the hub's copy between the box's own segments. A box that was declared lost and came back after all has
 * the better recording: what its segments cover is not shown twice.
 */
export function withCopies(
  segments: readonly TimelineSegment[],
  pieces: readonly TimelineSegment[],
): TimelineSegment[] {
  if (pieces.length === 0) return [...segments];
  const span = ({ startedAt, streamStartMs, streamEndMs }: TimelineSegment) => {
    const from = Date.parse(startedAt);
    return { from, to: from + streamEndMs - streamStartMs };
  };
  const held = segments.filter(({ verified }) => verified).map(span);
  const needed = pieces.filter((piece) => {
    const { from, to } = span(piece);
    return !held.some((segment) => Math.min(segment.to, to) - Math.max(segment.from, from) > OVERLAP_MS);
  });
  return [...segments, ...needed].sort((a, b) => span(a).from - span(b).from);
}

export interface PlacedSegment extends TimelineSegment {
  durationMs: number;
  /** Offset in the playlist. */
  playlistMs: number;
  /** Its stream time does not continue that of the one before it. */
  discontinuous: boolean;
}

/**
 * The segments that can be played now. A finished recording shows everything verified, with a break at each hole; a
 * running one only grows at its end (RFC 8216 §4.3.3.5, EVENT), so it stops at the first segment still missing.
 */
export function layOut(segments: readonly TimelineSegment[], finished: boolean): PlacedSegment[] {
  const placed: PlacedSegment[] = [];
  let playlistMs = 0;
  for (const segment of segments) {
    if (!segment.verified) {
      if (finished) continue;
      break;
    }
    const before = placed.at(-1);
    const durationMs = Math.max(0, segment.streamEndMs - segment.streamStartMs);
    const discontinuous =
      before !== undefined &&
      (segment.take === HUB_COPY || before.take !== segment.take || before.seq + 1 !== segment.seq);
    placed.push({ ...segment, durationMs, playlistMs, discontinuous });
    playlistMs += durationMs;
  }
  return placed;
}

export const playableMs = (placed: readonly PlacedSegment[]): number => {
  const last = placed.at(-1);
  return last ? last.playlistMs + last.durationMs : 0;
};

/** HLS media playlist (RFC 8216) straight over the verified files; addresses are relative to the playlist. */
export function playlistText(placed: readonly PlacedSegment[], finished: boolean): string {
  const targetS = Math.max(1, ...placed.map(({ durationMs }) => Math.round(durationMs / 1000)));
  const lines = [
    "#EXTM3U",
    "#EXT-X-VERSION:6",
    `#EXT-X-TARGETDURATION:${targetS}`,
    "#EXT-X-MEDIA-SEQUENCE:0",
    `#EXT-X-PLAYLIST-TYPE:${finished ? "VOD" : "EVENT"}`,
    "#EXT-X-INDEPENDENT-SEGMENTS",
  ];
  for (const segment of placed) {
    if (segment.discontinuous) lines.push("#EXT-X-DISCONTINUITY");
    lines.push(
      `#EXT-X-PROGRAM-DATE-TIME:${segment.startedAt}`,
      `#EXTINF:${(segment.durationMs / 1000).toFixed(6)},`,
      `${segment.take}/${segment.take === HUB_COPY ? hubCopyFiles(segment.seq).media : segmentFileName(segment.seq)}`,
    );
  }
  if (finished) lines.push("#EXT-X-ENDLIST");
  return `${lines.join("\n")}\n`;
}
