import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { segmentFileName } from "../../protocol/protocol.ts";

/** Fewer: the file holds no more of them now. */
export const CHUNK_BYTES = 256 * 1024;

/** Reads the segments of one take one behind another while they are being written, each byte once. */
export class Follower implements AsyncDisposable {
  private readonly directory: string;
  private readonly buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  private seq: number;
  private file: FileHandle | undefined;
  private position = 0;

  /** @param fromSeq the segment that is being written when the reading begins */
  constructor(directory: string, fromSeq: number) {
    this.directory = directory;
    this.seq = fromSeq;
  }

  /**
   * Looks into the next file only where this one has not grown since the last look.
   * @returns bytes that are new, at most CHUNK_BYTES; undefined where there are none yet
   */
  async read(): Promise<Uint8Array | undefined> {
    const bytes = await this.readHere();
    if (bytes) return bytes;
    const next = await openIfExists(this.path(this.seq + 1));
    if (!next) return undefined;
    try {
      // The next file is begun only after this one was finished; what came in between is read first.
      const rest = await this.readHere();
      if (rest) {
        await next.close();
        return rest;
      }
      await this.file?.close();
    } catch (error) {
      await next.close();
      throw error;
    }
    this.seq++;
    this.file = next;
    this.position = 0;
    return this.readHere();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file?.close();
  }

  private async readHere(): Promise<Uint8Array | undefined> {
    this.file ??= await openIfExists(this.path(this.seq));
    if (!this.file) return undefined;
    const { bytesRead } = await this.file.read(this.buffer, 0, CHUNK_BYTES, this.position);
    this.position += bytesRead;
    return bytesRead > 0 ? Buffer.from(this.buffer.subarray(0, bytesRead)) : undefined;
  }

  private path(seq: number): string {
    return join(this.directory, segmentFileName(seq));
  }
}

async function openIfExists(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
