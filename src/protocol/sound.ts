import { z } from "zod";

/** An echo is to be weaker by this much when it leaves the room than in it, dB (docs/design/sound.md). */
export const ECHO_GOOD_DB = 30;

/** What one press in a room found out about its sound: whether it works both ways, and whether others would hear themselves. */
export const SoundTest = z.looseObject({
  /** In the hub's time. */
  at: z.iso.datetime(),
  /** What was said into the microphone. `lost`: it was heard in the room, and not in what leaves the room. */
  voice: z.enum(["heard", "quiet", "silent", "lost"]),
  /**
   * `good`: others do not hear themselves. `weak`: softly. `poor`: plainly. `open`: there is no canceller. `unheard`: the
   * microphone does not hear the loudspeaker. `noisy`: it was too loud in the room to tell.
   */
  echo: z.enum(["good", "weak", "poor", "open", "unheard", "noisy"]),
  /** By how much the echo is weaker when it leaves the room than in it, dB; null where that could not be measured. */
  returnLossDb: z.number().nullable(),
  /** What is left is below the room's own noise: the loss is this much or more. */
  atLeast: z.boolean(),
});
export type SoundTest = z.infer<typeof SoundTest>;

/** A loudspeaker and a microphone that a session can be held with. */
export const soundTestPassed = ({ voice, echo }: Pick<SoundTest, "voice" | "echo">): boolean =>
  (voice === "heard" || voice === "quiet") && echo === "good";
