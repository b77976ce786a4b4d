import type { RoomLevel } from "../../protocol/protocol.ts";

/** Whether loudspeaker and microphone hear each other: judged by how loud the microphone is without and with the chime. */
export type Verdict = "good" | "noSound" | "noMeter";

/** The chime must stand out of the room's own noise by this much, LU. */
const HEARD_LU = 6;
/** Fewer measurements than this say nothing. */
const LEVELS_LEAST = 3;
/** Digital silence, LUFS. */
const FLOOR_LUFS = -70;

const loudness = (levels: readonly RoomLevel[]): number[] =>
  levels.map(({ lufs }) => Math.max(FLOOR_LUFS, lufs ?? FLOOR_LUFS)).sort((a, b) => a - b);

/** @param before and @param during levels in the order in which they were measured */
export function judgeChime(before: readonly RoomLevel[], during: readonly RoomLevel[]): Verdict {
  if (before.length < LEVELS_LEAST || during.length < LEVELS_LEAST) return "noMeter";
  const quiet = loudness(before);
  const loud = loudness(during);
  // The median of the room against the loudest quarter with the chime in it: momentary loudness lags by its 400 ms.
  const rise = loud[Math.floor(loud.length * 0.75)]! - quiet[Math.floor(quiet.length / 2)]!;
  return rise >= HEARD_LU ? "good" : "noSound";
}

/** Speech below this is understood only with effort once it has passed the line and another room. */
const QUIET_LUFS = -40;

/** What is said beside the bar, by the latest level and the loudest of the last few seconds. */
export function heardOf(recent: readonly RoomLevel[]): "heard" | "quiet" | "silent" {
  const spoken = recent.filter(({ speech }) => speech);
  const loudest = loudness(spoken).at(-1);
  if (loudest === undefined) return "silent";
  return loudest >= QUIET_LUFS ? "heard" : "quiet";
}
