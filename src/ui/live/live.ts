import type { SoundFacts } from "./jitter.ts";
import type { PictureFacts } from "./picture.ts";
import { createWorkerPlayer } from "./player.ts";

/** Two renditions of the same picture; the hub lends the other while one is not published. */
export type LivePictureKind = "video" | "small";

export interface LivePlayerOptions {
  video: HTMLVideoElement;
  /** Address of the box's live WebSocket; asked again after a connection was lost. */
  url: (kind: LivePictureKind | "audio") => string;
  /** What is shown first; the large one unless said otherwise. */
  picture?: LivePictureKind;
  onState: (state: LiveState) => void;
}

/**
 * connecting: no line to the hub. waiting: the hub has nothing of this room. playing: frames are being shown.
 * stalled: they were, and for a second and a half none came. unsupported: this browser cannot play it.
 */
export type LiveState = "connecting" | "waiting" | "playing" | "stalled" | "unsupported";

/** A room's live picture in a `<video>`, and its sound when wanted; comes back by itself until it is closed. */
export interface LivePlayer {
  /** Players begin muted; the sound's own connection exists only while this is off. All rooms of a page are mixed. */
  setMuted(muted: boolean): void;
  /** 0 as it comes; -6 half as loud. Kept over muting. */
  setGain(db: number): void;
  /** Changes the rendition without a gap: the one that is shown stays until the other's first key frame is decoded. */
  setPicture(picture: LivePictureKind): void;
  /** Loudness of what is heard now, 0…1. */
  level(): number;
  stats(): LiveStats;
  close(): void;
}

export interface LiveStats {
  engine: "webcodecs" | "mpegts" | "hls" | "none";
  state: LiveState;
  reconnects: number;
  /** Null where the browser's own media source does the work. */
  picture: PictureFacts | null;
  /** Null while nothing is heard. */
  sound: (SoundFacts & { decodeErrors: number; reconnects: number }) | null;
  /** How much later the sound of a moment is heard than its picture is seen; null while it is not known. */
  skewMs: number | null;
}

export function createLivePlayer(options: LivePlayerOptions): LivePlayer {
  let muted = true;
  let gainDb = 0;
  let picture = options.picture ?? "video";
  let closed = false;
  let player: LivePlayer | undefined;
  const fallBack = async () => {
    player?.close();
    player = undefined;
    const { createFallbackPlayer } = await import("./fallback.ts");
    if (closed) return;
    const fallback = createFallbackPlayer({ ...options, picture });
    fallback.setGain(gainDb);
    fallback.setMuted(muted);
    player = fallback;
  };
  if ("VideoDecoder" in globalThis && "AudioDecoder" in globalThis)
    player = createWorkerPlayer(options, () => void fallBack());
  else void fallBack();
  return {
    setMuted(wanted) {
      muted = wanted;
      player?.setMuted(wanted);
    },
    setGain(db) {
      gainDb = db;
      player?.setGain(db);
    },
    setPicture(wanted) {
      picture = wanted;
      player?.setPicture(wanted);
    },
    level: () => player?.level() ?? 0,
    stats: () => player?.stats() ?? NOTHING_YET,
    close() {
      closed = true;
      player?.close();
    },
  };
}

const NOTHING_YET: LiveStats = {
  engine: "none",
  state: "connecting",
  reconnects: 0,
  picture: null,
  sound: null,
  skewMs: null,
};
