import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from "node:fs";

/** Read text beyond this is given back to tmpfs. */
const KEEP_BYTES = 256 * 1024;
/** How far back a reader starts that comes to a file already written. */
const LATE_BYTES = 8 * 1024;

/**
 * Follows a file that FFmpeg keeps writing at its own offset. The reader cuts the file to nothing from time to time;
 * the writer's next write makes a hole in front of itself, which takes no memory, so positions stay as they were.
 * Synchronous: these files are in memory, and the way through the pool of threads was most of what the agent cost.
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
  read(free = true): { lines: string[]; writtenWallMs: number } {
    let file;
    try {
      file = openSync(this.path, free ? "r+" : "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return { lines: [], writtenWallMs: 0 };
      throw error;
    }
    try {
      const { size, mtimeMs } = fstatSync(file);
      if (this.position < 0) {
        this.position = Math.max(0, size - LATE_BYTES);
        this.skipFirst = this.position > 0;
      }
      if (size <= this.position) return { lines: [], writtenWallMs: mtimeMs };
      const buffer = Buffer.alloc(size - this.position);
      const bytesRead = readSync(file, buffer, 0, buffer.length, this.position);
      this.position += bytesRead;
      if (free && this.position - this.freedAt > KEEP_BYTES) {
        ftruncateSync(file, 0);
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
      closeSync(file);
    }
  }
}
