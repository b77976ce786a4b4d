import { open } from "node:fs/promises";

/** Read text beyond this is given back to tmpfs. */
const KEEP_BYTES = 256 * 1024;
/** How far back a reader starts that comes to a file already written. */
const LATE_BYTES = 8 * 1024;

/**
 * Follows a file that FFmpeg keeps writing at its own offset. The reader cuts the file to nothing from time to time;
 * the writer's next write makes a hole in front of itself, which takes no memory, so positions stay as they were.
 */
export class Tail {
  private readonly path: string;
  private position: number;
  private freedAt = 0;
  private rest = "";
  private skipFirst: boolean;

  /** @param late begin near the end of what is there, at a whole line */
  constructor(path: string, late: boolean) {
    this.path = path;
    this.position = late ? -1 : 0;
    this.skipFirst = late;
  }

  /** Whole lines written since the last call, and when the file was last written (wall clock, ms since 1970). */
  async read(free = true): Promise<{ lines: string[]; writtenWallMs: number }> {
    let handle;
    try {
      handle = await open(this.path, free ? "r+" : "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return { lines: [], writtenWallMs: 0 };
      throw error;
    }
    try {
      const { size, mtimeMs } = await handle.stat();
      if (this.position < 0) {
        this.position = Math.max(0, size - LATE_BYTES);
        this.skipFirst = this.position > 0;
      }
      if (size <= this.position) return { lines: [], writtenWallMs: mtimeMs };
      const buffer = Buffer.alloc(size - this.position);
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, this.position);
      this.position += bytesRead;
      if (free && this.position - this.freedAt > KEEP_BYTES) {
        await handle.truncate(0);
        this.freedAt = this.position;
      }
      const parts = (this.rest + buffer.toString("utf8", 0, bytesRead).replaceAll("\0", "")).split("\n");
      this.rest = parts.pop()!;
      if (this.skipFirst && parts.length > 0) {
        parts.shift();
        this.skipFirst = false;
      }
      return { lines: parts, writtenWallMs: mtimeMs };
    } finally {
      await handle.close();
    }
  }
}
