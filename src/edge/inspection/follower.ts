import { open } from "node:fs/promises";
import { join } from "node:path";
import { segmentFileName } from "../../protocol/protocol.ts";

const CHUNK_BYTES = 1 << 20;

/** Reads the segments of one take one behind another while they are being written, each byte once. */
export class Follower {
  private readonly directory: string;
  private seq: number;
  private position = 0;

  /** @param fromSeq the segment that is being written when the reading begins */
  constructor(directory: string, fromSeq: number) {
    this.directory = directory;
    this.seq = fromSeq;
  }

  /** @returns bytes that are new, or undefined where there are none yet */
  async read(): Promise<Uint8Array | undefined> {
    const bytes = await this.readHere();
    if (bytes) return bytes;
    // The next file is begun only after this one was finished; what came in between is read first.
    if (!(await exists(this.path(this.seq + 1)))) return undefined;
    const rest = await this.readHere();
    if (rest) return rest;
    this.seq++;
    this.position = 0;
    return this.readHere();
  }

  private async readHere(): Promise<Uint8Array | undefined> {
    let handle;
    try {
      handle = await open(this.path(this.seq), "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    try {
      const buffer = Buffer.alloc(Math.min(CHUNK_BYTES, Math.max(0, (await handle.stat()).size - this.position)));
      if (buffer.length === 0) return undefined;
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, this.position);
      this.position += bytesRead;
      return bytesRead > 0 ? buffer.subarray(0, bytesRead) : undefined;
    } finally {
      await handle.close();
    }
  }

  private path(seq: number): string {
    return join(this.directory, segmentFileName(seq));
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await (await open(path, "r")).close();
    return true;
  } catch {
    return false;
  }
}
