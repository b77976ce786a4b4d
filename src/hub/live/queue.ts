import type { TagRole } from "./gop.ts";

/** Nothing waits beyond this for one viewer, whatever it is. */
export const MAX_QUEUE_BYTES = 4 << 20;
/** Pictures stop here: at 1.5 Mbit/s it is 5 s behind, and a viewer this slow is better served by a jump. */
export const VIDEO_STOP_BYTES = 1 << 20;
/** And begin again, at a key frame, once the viewer has caught up to here. */
export const VIDEO_RESUME_BYTES = 128 << 10;

export type Verdict = "send" | "skip" | "close";

/**
 * What happens to the next tag of one viewer, given how much of the earlier ones still waits in its socket. Pictures
 * are skipped up to a key frame, because a decoder cannot use what comes between; sound is never skipped, and a
 * viewer that cannot even take the sound is closed.
 */
export class ViewerQueue {
  #skipping: boolean;

  /** @param atKeyFrame the viewer has what the next picture refers to; otherwise it waits for a key frame. */
  constructor(atKeyFrame: boolean) {
    this.#skipping = !atKeyFrame;
  }

  get skipping(): boolean {
    return this.#skipping;
  }

  offer(role: TagRole, tagBytes: number, waitingBytes: number): Verdict {
    if (role === "other") return "skip";
    const overflows = waitingBytes + tagBytes > MAX_QUEUE_BYTES;
    // Sound, and configuration: pictures after one that was skipped would be decoded wrongly.
    if (role === "sound" || role === "config") return overflows ? "close" : "send";
    if (overflows) this.#skipping = true;
    else if (!this.#skipping) this.#skipping = waitingBytes > VIDEO_STOP_BYTES;
    else if (role === "key") this.#skipping = waitingBytes > VIDEO_RESUME_BYTES;
    return this.#skipping ? "skip" : "send";
  }
}
