import { open, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { LiveKind } from "../../protocol/protocol.ts";
import { causeOf, makeDirectory, type Clock, type Log } from "../../platform/platform.ts";
import { flvHeader } from "../../media/media.ts";
import { stretchPath, type Stretch } from "./stretch.ts";

/** Handed to the disk when so much waits, or has waited for so long: a kill costs a second. */
const FLUSH_BYTES = 128 << 10;
const FLUSH_MS = 1_000;
/** A disk that is slower than the streams costs the copy, never the memory and never the live view. */
const MAX_WAITING_BYTES = 4 << 20;

/**
 * Appends the tags of one stretch to its file.
 *
 * INVARIANTS
 * - `add` only remembers; at most one write is under way, and what waits for it is bounded.
 * - A file holds whole tags in their order; after a loss it ends, since pictures after a hole refer into it.
 */
export class StretchWriter {
  readonly stretch: Stretch;
  readonly #path: string;
  readonly #log: Log;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #oldestMs = 0;
  #handle: FileHandle | undefined;
  #writing: Promise<void> | undefined;
  #failed = false;
  #clock: Clock;

  constructor(directory: string, stretch: Stretch, config: Uint8Array, { clock, log }: { clock: Clock; log: Log }) {
    this.stretch = stretch;
    this.#path = join(directory, stretchPath(stretch));
    this.#clock = clock;
    this.#log = log.with({ box: stretch.box, kind: stretch.kind });
    const isSound = (stretch.kind satisfies LiveKind) === "audio";
    this.#push(flvHeader({ audio: isSound, video: !isSound }));
    this.#push(config);
  }

  /** False: the file has ended, and nothing more goes into it. */
  add(tag: Uint8Array): boolean {
    if (this.#failed) return false;
    if (this.#waitingBytes + tag.length > MAX_WAITING_BYTES) {
      this.#log.warn("hubCopy.diskTooSlow", { waitingBytes: this.#waitingBytes });
      this.#failed = true;
      return false;
    }
    this.#push(tag);
    if (this.#waitingBytes >= FLUSH_BYTES || this.#clock.monotonicMs() - this.#oldestMs >= FLUSH_MS) this.flush();
    return true;
  }

  #push(bytes: Uint8Array): void {
    if (this.#waiting.length === 0) this.#oldestMs = this.#clock.monotonicMs();
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  flush(): void {
    if (this.#writing || this.#waiting.length === 0) return;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#writing = this.#write(batch)
      .catch((error: unknown) => {
        this.#failed = true;
        this.#log.error("hubCopy.writeFailed", { cause: causeOf(error) });
      })
      .finally(() => (this.#writing = undefined));
  }

  async #write(batch: Uint8Array[]): Promise<void> {
    if (!this.#handle) {
      await makeDirectory(dirname(this.#path));
      this.#handle = await open(this.#path, "wx", 0o600);
    }
    await this.#handle.appendFile(Buffer.concat(batch));
  }

  /** Writes what waits and ends the file. */
  async close(): Promise<void> {
    await this.#writing;
    if (!this.#failed) this.flush();
    await this.#writing;
    await this.#handle?.datasync().catch(() => {});
    await this.#handle?.close();
    this.#handle = undefined;
  }
}
