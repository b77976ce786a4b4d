import type { Recorder } from "./recording.ts";

/** What sync, space and screens read of a box's recordings. */
export type RecordedTracks = Pick<
  Recorder,
  | "takes"
  | "records"
  | "segments"
  | "examine"
  | "onRecord"
  | "sha256"
  | "retire"
  | "past"
  | "sessionBytes"
  | "openSegment"
>;

/**
 * Both tracks of the box as one body of recordings, in two chains; what is held ready for the open segment is the room's,
 * and what is past is in one place.
 */
export function bothTracks(room: RecordedTracks, screen: RecordedTracks): RecordedTracks {
  const of = (take: string): RecordedTracks => (screen.takes().some((known) => known.take === take) ? screen : room);
  return {
    takes: () => [...screen.takes(), ...room.takes()],
    records: (take, fromN, limit) => of(take).records(take, fromN, limit),
    segments: (wanted) => [...room.segments(wanted), ...screen.segments(wanted)],
    examine: (name) => of(name.take).examine(name),
    onRecord(listener) {
      room.onRecord(listener);
      screen.onRecord(listener);
    },
    sha256: async (take, seq) => (await screen.sha256(take, seq)) ?? room.sha256(take, seq),
    retire: async (done) => (await screen.retire(done)) + (await room.retire(done)),
    past: () => room.past(),
    sessionBytes: (session) => room.sessionBytes(session) + screen.sessionBytes(session),
    openSegment: () => room.openSegment(),
  };
}
