import type {
  RoomOverview,
  RoomRecordingView,
  SegmentView,
  SpanView,
  TrackOverview,
  TrackView,
} from "../http/views.ts";

/** Half a picture: what times and places inside a span may be off by. */
const TOUCHING_MS = 20;

/** Whether `next` goes on where the span ends, in the same state and at the same pace in the playlist. */
function goesOn(span: SpanView, last: SegmentView, next: SegmentView): boolean {
  if (next.take !== last.take || next.hub !== span.hub || next.province !== span.province) return false;
  const offMs = Date.parse(next.startedAt) - Date.parse(span.startedAt);
  if (Math.abs(offMs - span.durationMs) > TOUCHING_MS) return false;
  if (next.playlistMs === null || span.playlistMs === null) return next.playlistMs === span.playlistMs;
  return Math.abs(next.playlistMs - span.playlistMs - offMs) <= TOUCHING_MS;
}

/** Neighbours of one state as one: 124 rooms of four hours are 180 000 segments, and a few hundred spans. */
export function spansOf(segments: readonly SegmentView[]): SpanView[] {
  const spans: SpanView[] = [];
  for (const [i, segment] of segments.entries()) {
    const span = spans.at(-1);
    const { startedAt, durationMs, sizeBytes, frames, playlistMs, hub, province } = segment;
    if (!span || !goesOn(span, segments[i - 1]!, segment)) {
      spans.push({ startedAt, durationMs, sizeBytes, frames, segments: 1, playlistMs, hub, province });
      continue;
    }
    span.durationMs = Date.parse(startedAt) - Date.parse(span.startedAt) + durationMs;
    span.sizeBytes += sizeBytes;
    span.frames += frames;
    span.segments++;
  }
  return spans;
}

const trackOverview = ({ segments, ...track }: TrackView): TrackOverview => ({ ...track, spans: spansOf(segments) });

export const roomOverview = ({ segments, screen, ...room }: RoomRecordingView): RoomOverview => ({
  ...room,
  spans: spansOf(segments),
  screen: screen && trackOverview(screen),
});
