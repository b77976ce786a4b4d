const FROM_LUFS = -60;
const TO_LUFS = -10;

/** How much of its bar a loudness fills, 0…1: one scale for the room's TV and the desk. Null is digital silence. */
export const meterOf = (lufs: number | null | undefined): number =>
  Math.max(0, Math.min(1, ((lufs ?? FROM_LUFS) - FROM_LUFS) / (TO_LUFS - FROM_LUFS)));
