import { RunningMinimum } from "./minimum.ts";

/**
 * When a picture has fallen behind, and how it comes back. There is no jitter buffer for video: a frame is shown as
 * soon as it is decoded. Behind means that decoding has a queue although the frames come no faster than they were
 * taken; then everything up to the next key frame is left out, and what is still queued before it is thrown away.
 *
 * INVARIANTS
 * - A frame is decoded only if all frames since its key frame were.
 * - The cached group of pictures that a joining viewer gets in one burst is no lag: while frames come faster than
 *   they were taken, the queue alone leaves nothing out (for BURST_MS; a decoder that is still behind is too slow).
 * - Whatever has been received last is painted: lag on the line is shown as it is, never as a black picture.
 */
export class LagPolicy {
  #fromKey = false;
  #lagging = false;
  /** Not yet caught up with a burst. */
  #bursting = true;
  #burstEndMs = Infinity;
  #quickest = new RunningMinimum(AGE_HALF_WINDOW_MS);
  #lastMediaMs = 0;
  #lastOffsetMs = Infinity;
  #lastPaintMs = -Infinity;
  #ageMs = 0;

  /**
   * @param queued frames that the decoder has not finished
   * @param nowMs any clock that runs on
   * @returns "restart": forget what is queued and decode this key frame
   */
  arrived(frame: { key: boolean; mediaMs: number }, queued: number, nowMs: number): "decode" | "restart" | "drop" {
    const offsetMs = nowMs - frame.mediaMs;
    const spacingMs = frame.mediaMs - this.#lastMediaMs;
    if (this.#burstEndMs === Infinity) this.#burstEndMs = nowMs + BURST_MS;
    else if (this.#lastOffsetMs - offsetMs < spacingMs / 2 && queued <= QUEUE_LIMIT) this.#bursting = false;
    this.#lastMediaMs = frame.mediaMs;
    this.#lastOffsetMs = offsetMs;
    this.#ageMs = offsetMs - this.#quickest.lowest(offsetMs, nowMs);

    if (frame.key) {
      const behind = this.#lagging || queued > QUEUE_LIMIT;
      const restart = this.#fromKey && behind;
      this.#fromKey = true;
      this.#lagging = false;
      if (!restart) return "decode";
      this.#bursting = true;
      this.#burstEndMs = nowMs + BURST_MS;
      return "restart";
    }
    if (!this.#fromKey) return "drop";
    const burst = this.#bursting && nowMs < this.#burstEndMs;
    if (!burst && queued > QUEUE_LIMIT) this.#lagging = true;
    return this.#lagging ? "drop" : "decode";
  }

  /** A decoded frame: "skip" where newer ones are right behind it. */
  decoded(mediaMs: number, nowMs: number): "paint" | "skip" {
    const behindMs = this.#lastMediaMs - mediaMs;
    if (behindMs > BEHIND_LIMIT_MS && nowMs - this.#lastPaintMs < LONGEST_STILL_MS) return "skip";
    this.#lastPaintMs = nowMs;
    return "paint";
  }

  /** The decoder is new or has failed: nothing can be decoded before a key frame. */
  needKeyFrame(): void {
    this.#fromKey = false;
  }

  /** Milliseconds that the last frame was late, against the quickest one of the last half minute. */
  get ageMs(): number {
    return this.#ageMs;
  }
}

/** 320 ms at 25 frames a second. */
const QUEUE_LIMIT = 8;
const BURST_MS = 1_000;
const BEHIND_LIMIT_MS = 120;
/** Even while catching up something moves. */
const LONGEST_STILL_MS = 250;

const AGE_HALF_WINDOW_MS = 30_000;
