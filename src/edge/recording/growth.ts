/** A recording that has not grown for this long is not a recording any more. */
const STALL_MS = 3_000;
/** Longest pause between two writes of a healthy encoder, with a margin: a frame's time, and a look's. */
const GROWING_MS = 1_500;

/** Watches the files of a take grow: the only ground for saying that the room is being recorded. */
export class Growth {
  private bytes = 0;
  private segments = 0;
  private grewMs: number;

  /** @param startedMs monotonic */
  constructor(startedMs: number) {
    this.grewMs = startedMs;
  }

  /**
   * @param segments closed so far
   * @param bytes in all files of the take
   */
  note(segments: number, bytes: number, nowMs: number): void {
    if (bytes > this.bytes || segments > this.segments) this.grewMs = nowMs;
    this.bytes = bytes;
    this.segments = segments;
  }

  growing(nowMs: number): boolean {
    return this.bytes > 0 && nowMs - this.grewMs < GROWING_MS;
  }

  stalled(nowMs: number): boolean {
    return this.bytes > 0 && nowMs - this.grewMs > STALL_MS;
  }
}
