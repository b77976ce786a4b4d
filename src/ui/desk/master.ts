import { type Signal, signal } from "@preact/signals";
import { correct, nextPlayable, type Playable, playlistSeconds } from "./playback.ts";

interface Room {
  video: HTMLVideoElement;
  playable: readonly Playable[];
}

/** The one clock that all videos of a recording follow. */
export interface Master {
  /** Wall time that is shown, milliseconds since 1970. */
  at: Signal<number>;
  playing: Signal<boolean>;
  rate: Signal<number>;
  /** Some room is still fetching what it should show. */
  loading: Signal<boolean>;
  /** Adds or updates a room; the function takes it out again. */
  join(id: string, room: Room): () => void;
  seek(at: number): void;
  close(): void;
}

/** Rooms wait for one that is fetching, but not for ever: a room that cannot be played must not hold the others. */
const PATIENCE_MS = 4_000;

/**
 * INVARIANTS
 * - `at` moves only here: by the clock while playing and nobody fetches, by `seek` otherwise.
 * - No video is ever asked for its time to set the master; the master sets the videos.
 */
export function createMaster(startAt: number): Master {
  const at = signal(startAt);
  const playing = signal(false);
  const rate = signal(1);
  const loading = signal(false);
  const rooms = new Map<string, Room>();
  let lastMs = performance.now();
  let waitingMs = 0;

  const step = (nowMs: number) => {
    const passedMs = nowMs - lastMs;
    lastMs = nowMs;
    const targets = [...rooms.values()].map((room) => ({ room, targetS: playlistSeconds(room.playable, at.peek()) }));
    const fetching = targets.some(
      ({ room, targetS }) => targetS !== undefined && room.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA,
    );
    waitingMs = fetching ? waitingMs + passedMs : 0;
    loading.value = fetching && waitingMs > 300;
    if (playing.peek() && (!fetching || waitingMs > PATIENCE_MS)) {
      if (targets.length > 0 && targets.every(({ targetS }) => targetS === undefined)) {
        // Nobody has anything here: on to where somebody has.
        const next = nextPlayable(
          [...rooms.values()].map(({ playable }) => playable),
          at.peek(),
        );
        if (next === undefined) playing.value = false;
        else at.value = next;
      } else at.value += passedMs * rate.peek();
    }
    for (const { room } of targets) follow(room);
    frame = requestAnimationFrame(step);
  };

  function follow({ video, playable }: Room): void {
    const todo = correct(
      {
        targetS: playlistSeconds(playable, at.peek()),
        currentS: video.currentTime,
        paused: video.paused,
        seeking: video.seeking || video.readyState < HTMLMediaElement.HAVE_METADATA,
      },
      playing.peek(),
      rate.peek(),
    );
    if (todo.pause) video.pause();
    if (todo.seekS !== undefined) video.currentTime = todo.seekS;
    if (video.playbackRate !== todo.rate) video.playbackRate = todo.rate;
    // Refused before the first press of a key or button; the next frame asks again.
    if (todo.play) video.play().catch(() => {});
  }

  let frame = requestAnimationFrame(step);
  return {
    at,
    playing,
    rate,
    loading,
    join(id, room) {
      rooms.set(id, room);
      return () => {
        if (rooms.get(id) === room) rooms.delete(id);
      };
    },
    seek(to) {
      at.value = to;
      waitingMs = 0;
    },
    close() {
      cancelAnimationFrame(frame);
      rooms.clear();
    },
  };
}
