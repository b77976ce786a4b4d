import type { SoundPosition } from "./orders.ts";

/**
 * Picture and sound of one moment together. The sound has the longer way (frames of the codec, jitter buffer) and
 * waits for nothing, since people talk by it. A picture is not shown more than LEAD_MS before its sound, and a late one
 * is shown at once: so waiting evens the line's jitter out and adds nothing to the slowest frames. Pure.
 */
export class SoundSync {
  /** Wall clock less media time of what is heard; both run evenly, so a mean of many reports is exact. */
  #offsetMs: number | undefined;
  #heardMs = -Infinity;
  #skewMs: number | undefined;

  /** A report of the loudspeaker. */
  heard({ mediaMs, wallMs }: SoundPosition): void {
    const offsetMs = wallMs - mediaMs;
    const known = this.#offsetMs;
    const jumped = known === undefined || Math.abs(offsetMs - known) > JUMP_MS;
    this.#offsetMs = jumped ? offsetMs : known + (offsetMs - known) * SMOOTHING;
    this.#heardMs = wallMs;
  }

  /** How long a frame of this moment waits, at this wall clock time. */
  waitMs(mediaMs: number, wallMs: number): number {
    const offsetMs = this.#soundOffset(mediaMs, wallMs);
    if (offsetMs === undefined) return 0;
    return Math.max(0, Math.min(MAX_WAIT_MS, offsetMs - LEAD_MS - (wallMs - mediaMs)));
  }

  /** A frame of this moment is shown now. */
  shown(mediaMs: number, wallMs: number): void {
    const offsetMs = this.#soundOffset(mediaMs, wallMs);
    if (offsetMs === undefined) {
      this.#skewMs = undefined;
      return;
    }
    const skewMs = offsetMs - (wallMs - mediaMs);
    this.#skewMs = this.#skewMs === undefined ? skewMs : this.#skewMs + (skewMs - this.#skewMs) * SMOOTHING;
  }

  /** Milliseconds that the sound is behind the picture; undefined while one of them is missing. */
  get skewMs(): number | undefined {
    return this.#skewMs;
  }

  #soundOffset(mediaMs: number, wallMs: number): number | undefined {
    if (this.#offsetMs === undefined || wallMs - this.#heardMs > VALID_MS) return undefined;
    // Of another run of the encoder: the two time lines have nothing to do with each other.
    if (Math.abs(this.#offsetMs - (wallMs - mediaMs)) > SAME_RUN_MS) return undefined;
    return this.#offsetMs;
  }
}

/**
 * Sound that is late by 125 ms is noticed, and sound that is early by 45 ms (ITU-R BT.1359); so the picture may lead, and
 * the rest of the 80 ms that we allow is for jitter.
 */
const LEAD_MS = 65;
/** A sound that is further behind is a fault of its own; the picture does not share it. */
const MAX_WAIT_MS = 120;
const VALID_MS = 500;
const SAME_RUN_MS = 2_000;
const JUMP_MS = 200;
/** Of 21 reports or 25 frames a second: half a second. */
const SMOOTHING = 0.1;
