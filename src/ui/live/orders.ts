import type { PictureFacts } from "./picture.ts";

/** How a player on the page leads its half in the worker, over one MessagePort of its own. */
export type Order =
  /** First of all: where frames go. Without a track they are sent back one by one. */
  | { type: "begin"; track: WritableStream<VideoFrame> | null }
  /** Show this address, or change to it: what is shown now stays until the new one's first frame is there. */
  | { type: "show"; url: string }
  /** Give the picture's connection back; the last frame stays. */
  | { type: "rest" }
  /** Decode this address's sound into the port; for the next connection only, where the port is the one it has. */
  | { type: "hear"; url: string; out: MessagePort }
  | { type: "unhear" }
  /** Whether the loudspeaker takes anything: a sleeping context would let frames pile up. */
  | { type: "awake"; awake: boolean }
  /** Addresses for connections to come. */
  | { type: "urls"; picture: string; sound: string }
  /** A frame that was sent back has been shown. */
  | { type: "painted" }
  | { type: "close" };

export type Report =
  | { type: "state"; state: "connecting" | "waiting" | "playing" | "stalled" }
  | { type: "facts"; facts: RoomFacts }
  | { type: "frame"; frame: VideoFrame }
  /** A connection was lost: the next one may need another address. */
  | { type: "lost" }
  | { type: "unsupported" };

export interface RoomFacts {
  picture: PictureFacts;
  pictureReconnects: number;
  sound: { decodeErrors: number; reconnects: number } | null;
  /** How much later the sound of a moment is heard than its picture is shown; null while one is missing. */
  skewMs: number | null;
}

/** Worker to loudspeaker. Null: what follows may have a clock of its own. */
export type SoundFrame = { samples: Float32Array; mediaMs: number; sampleRate: number } | null;

/** Loudspeaker to worker: at this wall clock time this moment of the stream was given to the loudspeaker. */
export interface SoundPosition {
  mediaMs: number;
  wallMs: number;
}
