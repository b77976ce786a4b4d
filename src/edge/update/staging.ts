import { open, readdir, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { judgeReleaseFile } from "../../evidence/evidence.ts";
import { fileSize, makeDirectory, moveDurable, writeDurable, type Clock, type Log } from "../../platform/platform.ts";
import {
  RELEASE_MANIFEST,
  RELEASE_SIGNATURE,
  releaseFilePath,
  type ReleaseFile,
  type ReleaseManifest,
  type ReleaseRefusal,
  type SignedRelease,
} from "../../protocol/protocol.ts";

/** What the hub answers to the wish for a release's file from some byte on. */
export type FileAnswer =
  | { ok: true; /** Of the whole file. */ totalBytes: number; body: AsyncIterable<Buffer> }
  /** The file ends before that byte. */
  | { ok: false; totalBytes: number };
/** Rejects where the hub is away or has no such file. */
export type FetchFile = (path: string, fromByte: number, signal: AbortSignal) => Promise<FileAnswer>;

export interface StagingOptions {
  log: Log;
  clock: Clock;
  /** Of all releases; each has its own folder in it. */
  directory: string;
  id: string;
  manifest: ReleaseManifest;
  fetch: FetchFile;
  limitBytesPerS: () => number;
}

/** The release is not what was signed, and fetching it again did not help. */
export class StagingError extends Error {
  override readonly name = "StagingError";
  readonly code: Extract<ReleaseRefusal, "truncated" | "tampered">;
  constructor(code: StagingError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** A disk may have spoilt the first one; the second that does not fit is the hub's. */
const MAX_SPOILT = 2;

/**
 * A release on its way to this box.
 *
 * INVARIANTS
 * - A file has its own name only when its size and hash are those that were signed, and it is on disk; until then it is a
 *   `.part`, which grows from where it is, over restarts of box and hub.
 * - Of other releases nothing is left.
 */
export class Staging {
  readonly directory: string;
  private readonly options: StagingOptions;
  private readonly have = new Map<string, number>();
  private readonly whole = new Set<string>();
  private spoilt = 0;

  private constructor(options: StagingOptions) {
    this.options = options;
    this.directory = join(options.directory, options.id);
  }

  static async open(options: StagingOptions): Promise<Staging> {
    const staging = new Staging(options);
    await makeDirectory(staging.directory);
    for (const other of await readdir(options.directory))
      if (other !== options.id) await rm(join(options.directory, other), { recursive: true, force: true });
    for (const { name } of options.manifest.files) {
      const size = await fileSize(staging.path(name));
      if (size !== undefined) staging.whole.add(name);
      staging.have.set(name, size ?? (await fileSize(staging.part(name))) ?? 0);
    }
    return staging;
  }

  isWhole(): boolean {
    return this.options.manifest.files.every(({ name }) => this.whole.has(name));
  }

  haveBytes(): number {
    return [...this.have.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  percent(): number {
    const total = this.options.manifest.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return this.isWhole() ? 100 : Math.min(99, Math.floor((this.haveBytes() / total) * 100));
  }

  /** Fetches what is missing. Rejects when the line breaks (call again), and with a StagingError when it is no use. */
  async download(signal: AbortSignal): Promise<void> {
    for (const file of this.options.manifest.files) {
      while (!this.whole.has(file.name)) {
        await this.fetch(file, signal);
        const wrong = await judgeReleaseFile(this.part(file.name), file);
        if (!wrong) {
          await moveDurable(this.part(file.name), this.path(file.name));
          this.whole.add(file.name);
          continue;
        }
        this.options.log.warn("update.fileSpoilt", { reason: wrong.reason, detail: wrong.detail });
        await rm(this.part(file.name), { force: true });
        this.have.set(file.name, 0);
        if (++this.spoilt >= MAX_SPOILT) throw new StagingError(wrong.reason, wrong.detail);
      }
    }
  }

  /** What lies here is read once more; what is not right any more is to be fetched again. */
  async reexamine(): Promise<void> {
    for (const file of this.options.manifest.files) {
      if (!this.whole.has(file.name) || !(await judgeReleaseFile(this.path(file.name), file))) continue;
      await rm(this.path(file.name), { force: true });
      this.whole.delete(file.name);
      this.have.set(file.name, 0);
    }
  }

  /** Beside the files, for whoever installs them and judges them once more. */
  async writeSigned({ manifest, signature }: SignedRelease): Promise<void> {
    await writeDurable(this.path(RELEASE_MANIFEST), manifest);
    await writeDurable(this.path(RELEASE_SIGNATURE), Buffer.from(signature, "base64"));
  }

  private async fetch({ name, sizeBytes }: ReleaseFile, signal: AbortSignal): Promise<void> {
    const { fetch, id } = this.options;
    await using file = await open(this.part(name), "a");
    let { size } = await file.stat();
    if (size > sizeBytes) await file.truncate((size = 0));
    this.have.set(name, size);
    if (size < sizeBytes) {
      const answer = await fetch(releaseFilePath(id, name), size, signal);
      if (answer.totalBytes !== sizeBytes)
        throw new StagingError("truncated", `${name}: the hub has ${answer.totalBytes} bytes instead of ${sizeBytes}`);
      if (answer.ok) size = await this.keep(file, name, answer.body, size, signal);
    }
    await file.sync();
    if (size < sizeBytes) throw new Error(`${name} ended at byte ${size} of ${sizeBytes}`);
  }

  /** At the pace that the line may be used at. */
  private async keep(
    file: FileHandle,
    name: string,
    body: AsyncIterable<Buffer>,
    from: number,
    signal: AbortSignal,
  ): Promise<number> {
    const { clock, limitBytesPerS } = this.options;
    let size = from;
    let freeMs = clock.monotonicMs();
    for await (const chunk of body) {
      signal.throwIfAborted();
      await file.writeFile(chunk);
      size += chunk.length;
      this.have.set(name, size);
      const nowMs = clock.monotonicMs();
      freeMs = Math.max(freeMs, nowMs - 1_000) + (chunk.length / limitBytesPerS()) * 1_000;
      if (freeMs > nowMs) await clock.sleep(freeMs - nowMs, signal);
    }
    return size;
  }

  private path(name: string): string {
    return join(this.directory, name);
  }

  private part(name: string): string {
    return `${this.path(name)}.part`;
  }
}
