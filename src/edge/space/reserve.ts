import { rm, truncate } from "node:fs/promises";
import { fileSize, ProcessError, runChecked } from "../../platform/platform.ts";

/**
 * A file whose blocks belong to recordings to come. Nobody else can write into them; when a recording needs them, the
 * file is cut from its end. It is no recording: its content is never read.
 */
export class Reserve {
  readonly path: string;
  private sizeBytes: number;

  private constructor(path: string, sizeBytes: number) {
    this.path = path;
    this.sizeBytes = sizeBytes;
  }

  static async open(path: string): Promise<Reserve> {
    return new Reserve(path, (await fileSize(path)) ?? 0);
  }

  get bytes(): number {
    return this.sizeBytes;
  }

  /** Throws what the file system says: no space, read-only, no such call. */
  async resize(bytes: number): Promise<void> {
    if (bytes === this.sizeBytes) return;
    try {
      if (bytes === 0) await rm(this.path, { force: true });
      else if (bytes < this.sizeBytes) await truncate(this.path, bytes);
      else await allocate(this.path, bytes, "extend");
    } finally {
      this.sizeBytes = (await fileSize(this.path)) ?? 0;
    }
  }
}

/**
 * posix_fallocate by util-linux, which Node lacks: 3 ms. `keepSize` takes the blocks without the file growing.
 * Throws ProcessError "failed" with the system's words.
 */
export async function allocate(path: string, bytes: number, how: "extend" | "keepSize"): Promise<void> {
  await runChecked(["fallocate", ...(how === "keepSize" ? ["--keep-size"] : []), "--length", `${bytes}`, path], {
    env: { PATH: process.env["PATH"], LC_ALL: "C" },
    timeoutMs: 20_000,
  });
}

/** Whether the file system refused because nothing may be written to it any more. */
export const isReadOnly = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException).code === "EROFS" ||
  (error instanceof ProcessError && /Read-only file system|Input\/output error/.test(error.message));
