import type { Lamps } from "./health.ts";

/**
 * Between the box's agent and the page of another meeting system on the room's screen.
 *
 * The page's camera and microphone are fed over a WebSocket on loopback. Each message is binary; its first byte says
 * what follows: a JPEG, or PCM (16 bit, little endian, mono, COMPANION_SOUND_RATE).
 */
export const COMPANION_FEED = { picture: 1, sound: 2 } as const;
export const COMPANION_SOUND_RATE = 48_000;

/** What the agent gives to the script that stands for camera and microphone. */
export interface CompanionDevices {
  /** Of the WebSocket. */
  feed: string;
  /** What the page is told of the camera. */
  picture: { width: number; height: number; frameRate: number };
}

/** What stands over the page: the sign of recording and the three lamps, as on the room's own screen. */
export interface CompanionSign {
  recording: boolean;
  lamps: Pick<Lamps, "picture" | "sound" | "link">;
}
