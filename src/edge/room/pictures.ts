import type { Clock } from "../../platform/platform.ts";

export interface Picture {
  /** Counts up from 1. */
  number: number;
  jpeg: Buffer;
}

interface PictureSource {
  clock: Clock;
  path: () => string;
  /** Something that differs whenever the file was rewritten; undefined where there is none. */
  stat: (path: string) => Promise<string | undefined>;
  read: (path: string) => Promise<Buffer>;
}

const LOOK_EVERY_MS = 40;

/**
 * The latest picture of a file that the encoder rewrites about ten times a second. Looks at the file only while
 * somebody waits, and once for all who wait.
 */
export class Pictures {
  private readonly source: PictureSource;
  private latest: Picture | undefined;
  private version: string | undefined;
  private looking: Promise<void> | undefined;

  constructor(source: PictureSource) {
    this.source = source;
  }

  /** The next picture with a number above `seen`; undefined when aborted. */
  async after(seen: number, signal: AbortSignal): Promise<Picture | undefined> {
    while (!signal.aborted) {
      await (this.looking ??= this.look().finally(() => (this.looking = undefined)));
      if (this.latest && this.latest.number > seen) return this.latest;
      await this.source.clock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
    }
    return undefined;
  }

  private async look(): Promise<void> {
    const path = this.source.path();
    const version = await this.source.stat(path);
    if (version === undefined || version === this.version) return;
    const jpeg = await this.source.read(path).catch(() => undefined);
    if (!jpeg || !isWholeJpeg(jpeg)) return;
    this.version = version;
    this.latest = { number: (this.latest?.number ?? 0) + 1, jpeg };
  }
}

/** From start-of-image to end-of-image marker (ITU-T T.81, B.1.1.3): a file caught in mid-writing lacks the latter. */
export const isWholeJpeg = (bytes: Uint8Array): boolean =>
  bytes.length > 4 && bytes[0] === 0xff && bytes[1] === 0xd8 && bytes.at(-2) === 0xff && bytes.at(-1) === 0xd9;
