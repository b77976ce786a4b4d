/** A recording that has not grown for this long is not a recording any more. */
const STALL_MS = 3_000;
/** Longest pause between two writes of a healthy encoder, with a margin: a frame's time, and a look's. */
const GROWING_MS = 1_500;
/** A segment lasts 10 s; an encoder that catches up ends one early by as much as it was late. */
const ENDING_AFTER_MS = 8_500;
/** Each look is two ways through the pool of threads. */
const SELDOM_MS = 600;

/** Watches the files of a take grow: the only ground for saying that the room is being recorded. */
export class Growth {
  private bytes = 0;
  private segments = 0;
  private grewMs: number;
  private notedMs = -Infinity;
  /** The open segment was begun; -Infinity: before anybody looked. */
  private begunMs: number | undefined;

  /** @param startedMs monotonic */
  constructor(startedMs: number) {
    this.grewMs = startedMs;
  }

  /**
   * @param segments closed so far
   * @param bytes in all files of the take
   */
  note(segments: number, bytes: number, nowMs: number): void {
    if (bytes === 0) this.begunMs = nowMs;
    else if (segments > this.segments && this.begunMs !== undefined) this.begunMs = nowMs;
    else this.begunMs ??= -Infinity;
    this.notedMs = nowMs;
    if (bytes > this.bytes || segments > this.segments) this.grewMs = nowMs;
    this.bytes = bytes;
    this.segments = segments;
  }

  /** Whether the files are to be looked at: always where one may begin or end, every now and then in its middle. */
  isDue(nowMs: number): boolean {
    const ageMs = nowMs - (this.begunMs ?? -Infinity);
    return this.bytes === 0 || ageMs >= ENDING_AFTER_MS || nowMs - this.notedMs >= SELDOM_MS;
  }

  growing(nowMs: number): boolean {
    return this.bytes > 0 && nowMs - this.grewMs < GROWING_MS;
  }

  /** As of the last look: time in which nobody looked, because this agent stood still, says nothing of the encoder. */
  stalled(): boolean {
    return this.bytes > 0 && this.notedMs - this.grewMs > STALL_MS;
  }
}
