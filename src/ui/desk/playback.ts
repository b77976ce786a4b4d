import type { GapView, HubCopyView, RoomOverview, SpanView, TrackOverview } from "../../hub/http/views.ts";
import type { PointRole, Track } from "../../protocol/protocol.ts";
import type { Bar } from "../design/timeline-scale.ts";

/**
 * Rooms in step. One master clock runs in wall time (milliseconds since 1970); each room's playlist is a train of
 * segments with holes in wall time, and each room's `<video>` is told where it should be. Pure.
 */

/** A stretch of one room that can be played: wall time and the place in its playlist. */
export interface Playable {
  from: number;
  to: number;
  playlistMs: number;
  /** 0 where they have not been counted. */
  frames: number;
  /** Not the box's own recording: the live stream as the hub received it. */
  hubCopy: boolean;
}

/** What of a room can be played, and from whom it is. */
export interface Played {
  spans: readonly SpanView[];
  hubCopies: readonly HubCopyView[];
}

/** One row of pictures and of the timeline: a room, or what a room's screen showed. */
export interface Lane extends Played, Pick<TrackOverview, "playlist" | "gaps"> {
  id: string;
  name: string;
  track: Track;
  role: PointRole;
}

/** @param screenName names a room's screen by the room's name */
export const lanesOf = (rooms: readonly RoomOverview[], screenName: (room: string) => string): Lane[] =>
  rooms.flatMap(({ point, role, playlist, spans, gaps, hubCopies, screen }): Lane[] => [
    { id: point.id, name: point.name, track: "room", role, playlist, spans, gaps, hubCopies },
    ...(screen
      ? [
          {
            ...{ id: `${point.id}/screen`, name: screenName(point.name), track: "screen" as const, role },
            ...{ playlist: screen.playlist, spans: screen.spans, gaps: screen.gaps, hubCopies: [] },
          },
        ]
      : []),
  ]);

export const playables = ({ spans, hubCopies }: Played): Playable[] =>
  [
    ...spans.map((span) => ({ ...span, hubCopy: false })),
    ...hubCopies.map((piece) => ({ ...piece, frames: 0, hubCopy: true })),
  ]
    .flatMap(({ startedAt, durationMs, playlistMs, frames, hubCopy }) => {
      const from = Date.parse(startedAt);
      return playlistMs === null ? [] : [{ from, to: from + durationMs, playlistMs, frames, hubCopy }];
    })
    .sort((a, b) => a.from - b.from);

/** Segments follow each other within this; a clock that was corrected between two leaves no black frame. */
const SEAM_MS = 250;

/** The stretch that holds this instant. */
export function playableAt(list: readonly Playable[], at: number): Playable | undefined {
  let low = 0;
  let high = list.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (list[middle]!.from <= at) low = middle;
    else high = middle - 1;
  }
  const found = list[low];
  return found && at >= found.from && at < found.to + SEAM_MS ? found : undefined;
}

/** Seconds into the room's playlist at this instant; undefined where the room has nothing. */
export function playlistSeconds(list: readonly Playable[], at: number): number | undefined {
  const found = playableAt(list, at);
  return found && (found.playlistMs + Math.min(at - found.from, found.to - found.from)) / 1_000;
}

/** Where playing goes on when no room has anything at this instant; undefined at the end. */
export function nextPlayable(rooms: readonly (readonly Playable[])[], at: number): number | undefined {
  const starts = rooms.flatMap((list) => list.find(({ from }) => from > at)?.from ?? []);
  return starts.length > 0 ? Math.min(...starts) : undefined;
}

/** Where looking begins: the first instant at which any room has a picture. */
export const firstPlayable = (rooms: readonly Played[]): number | undefined =>
  nextPlayable(
    rooms.map((room) => playables(room)),
    Number.NEGATIVE_INFINITY,
  );

/** Length of one picture, for stepping; 25 a second where it is not known. */
export function frameMs(list: readonly Playable[], at: number): number {
  const found = playableAt(list, at);
  return found && found.frames > 0 ? (found.to - found.from) / found.frames : 40;
}

export interface Follower {
  /** Where it should be, undefined where there is nothing. */
  targetS: number | undefined;
  currentS: number;
  paused: boolean;
  seeking: boolean;
}
export interface Correction {
  play?: true;
  pause?: true;
  seekS?: number;
  rate: number;
}

/** Beyond this only a jump helps; below, a slightly different speed is not noticed. */
const JUMP_S = 0.35;
/** Three frames: closer than lips and voice are told apart. */
const CLOSE_S = 0.04;
const NUDGE = 0.06;

/** What brings one room's video to where the master clock is. */
export function correct(follower: Follower, playing: boolean, rate: number): Correction {
  const { targetS, currentS, paused, seeking } = follower;
  if (targetS === undefined) return paused ? { rate } : { pause: true, rate };
  const behind = targetS - currentS;
  if (!playing) {
    // Standing still, the exact picture counts.
    const seek = !seeking && Math.abs(behind) > 0.005 ? { seekS: targetS } : {};
    return paused ? { ...seek, rate } : { pause: true, ...seek, rate };
  }
  const start = paused ? ({ play: true } as const) : {};
  if (seeking) return { ...start, rate };
  if (Math.abs(behind) > JUMP_S) return { ...start, seekS: targetS, rate };
  if (Math.abs(behind) > CLOSE_S) return { ...start, rate: rate * (1 + Math.sign(behind) * NUDGE) };
  return { ...start, rate };
}

// ---- timeline

const copyState = ({ hub, province }: SpanView): Exclude<Bar["state"], "gap"> | undefined => {
  if (hub === "verified") return province === "verified" ? "province" : "hub";
  // Its gap is there to be seen.
  return hub === "damaged" ? undefined : hub;
};

export const barsOf = ({ spans, hubCopies }: Played): Bar[] => [
  ...spans.flatMap((span) => {
    const from = Date.parse(span.startedAt);
    const state = copyState(span);
    return state ? [{ from, to: from + span.durationMs, state }] : [];
  }),
  ...hubCopies.flatMap(({ startedAt, durationMs, playlistMs }): Bar[] => {
    const from = Date.parse(startedAt);
    return playlistMs === null ? [] : [{ from, to: from + durationMs, state: "hubCopy" }];
  }),
];

export const segmentsIn = (spans: readonly SpanView[]): number =>
  spans.reduce((sum, { segments }) => sum + segments, 0);

/** From the first to the last thing that any room holds or lacks. */
export function wholeOf(rooms: readonly (Played & { gaps: readonly GapView[] })[]): { from: number; to: number } {
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;
  for (const { spans, hubCopies, gaps } of rooms) {
    for (const { startedAt, durationMs } of [...spans, ...hubCopies]) {
      const at = Date.parse(startedAt);
      from = Math.min(from, at);
      to = Math.max(to, at + durationMs);
    }
    for (const gap of gaps) {
      from = Math.min(from, Date.parse(gap.from));
      to = Math.max(to, Date.parse(gap.to));
    }
  }
  return from < to ? { from, to } : { from: 0, to: 1_000 };
}
