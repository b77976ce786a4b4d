import { createReadStream, createWriteStream } from "node:fs";
import { open, readdir, readFile, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { judgeReleaseFile } from "../../evidence/evidence.ts";
import { fileSize, makeDirectory, moveDurable } from "../../platform/platform.ts";
import {
  RELEASE_MANIFEST,
  RELEASE_SIGNATURE,
  type ReleaseFile,
  type ReleaseManifest,
  type ReleaseRefusal,
  type SignedRelease,
} from "../../protocol/protocol.ts";

export type Refusal = { ok: false; reason: ReleaseRefusal; detail: string };
type Kept = { ok: true; haveBytes: number } | Refusal;

const MAX_MANIFEST_BYTES = 32_768;

/**
 * Files of releases, a folder for each.
 *
 * INVARIANTS
 * - A file has its own name only when it is what the manifest names, and on disk; a `.part` is never given to a box.
 */
export class ReleaseStore {
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  path(id: string, name: string): string {
    return join(this.directory, id, name);
  }

  async haveBytes(id: string, { name }: ReleaseFile): Promise<number> {
    return (await fileSize(this.path(id, name))) ?? (await fileSize(this.part(id, name))) ?? 0;
  }

  async isWhole(id: string, { files }: Pick<ReleaseManifest, "files">): Promise<boolean> {
    const sizes = await Promise.all(files.map(({ name }) => fileSize(this.path(id, name))));
    return files.every(({ sizeBytes }, i) => sizes[i] === sizeBytes);
  }

  async room({ files }: Pick<ReleaseManifest, "files">, keepFreeBytes: number): Promise<Refusal | undefined> {
    await makeDirectory(this.directory);
    const { bavail, bsize } = await statfs(this.directory);
    const needs = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const has = bavail * bsize - keepFreeBytes;
    return has >= needs ? undefined : { ok: false, reason: "noRoom", detail: `needs ${needs} bytes, ${has} are free` };
  }

  /** One piece of a file, sent in order; what was sent already is passed over. The last one makes it judged. */
  async put(id: string, file: ReleaseFile, atByte: number, bytes: Uint8Array): Promise<Kept> {
    const { name, sizeBytes } = file;
    if ((await fileSize(this.path(id, name))) !== undefined) return { ok: true, haveBytes: sizeBytes };
    await makeDirectory(join(this.directory, id));
    let haveBytes: number;
    {
      await using handle = await open(this.part(id, name), "a");
      ({ size: haveBytes } = await handle.stat());
      if (atByte !== haveBytes) return { ok: true, haveBytes };
      if (haveBytes + bytes.length > sizeBytes)
        return this.drop(id, name, {
          reason: "truncated",
          detail: `${name}: more than the ${sizeBytes} bytes that were signed`,
        });
      await handle.writeFile(bytes);
      haveBytes += bytes.length;
      if (haveBytes === sizeBytes) await handle.sync();
    }
    if (haveBytes < sizeBytes) return { ok: true, haveBytes };
    return this.settle(id, file);
  }

  /** @returns the first refusal; files that were taken before stay */
  async importFrom(
    id: string,
    folder: string,
    { files }: Pick<ReleaseManifest, "files">,
  ): Promise<Refusal | undefined> {
    await makeDirectory(join(this.directory, id));
    for (const file of files) {
      const { name, sizeBytes } = file;
      if ((await fileSize(this.path(id, name))) === sizeBytes) continue;
      const size = await fileSize(join(folder, name));
      if (size !== sizeBytes)
        return { ok: false, reason: "truncated", detail: `${name}: ${size ?? "no"} bytes instead of ${sizeBytes}` };
      await pipeline(
        createReadStream(join(folder, name)),
        createWriteStream(this.part(id, name), { mode: 0o600, flush: true }),
      );
      const kept = await this.settle(id, file);
      if (!kept.ok) return kept;
    }
    return undefined;
  }

  /** Releases that lie in folders of the import folder, and in it itself. */
  async listFolders(folder: string): Promise<{ folder: string; signed: SignedRelease }[]> {
    const names = await readdir(folder, { withFileTypes: true }).catch(() => []);
    const candidates = [".", ...names.filter((entry) => entry.isDirectory()).map(({ name }) => name)];
    const found = await Promise.all(
      candidates.map(async (name) => ({ folder: name, signed: await readSigned(join(folder, name)) })),
    );
    return found.flatMap(({ folder, signed }) => (signed ? [{ folder, signed }] : []));
  }

  async remove(id: string): Promise<void> {
    await rm(join(this.directory, id), { recursive: true, force: true });
  }

  private async settle(id: string, file: ReleaseFile): Promise<Kept> {
    const wrong = await judgeReleaseFile(this.part(id, file.name), file);
    if (wrong) return this.drop(id, file.name, wrong);
    await moveDurable(this.part(id, file.name), this.path(id, file.name));
    return { ok: true, haveBytes: file.sizeBytes };
  }

  private async drop(id: string, name: string, why: { reason: ReleaseRefusal; detail: string }): Promise<Refusal> {
    await rm(this.part(id, name), { force: true });
    return { ok: false, ...why };
  }

  private part(id: string, name: string): string {
    return `${this.path(id, name)}.part`;
  }
}

/** Undefined where the folder holds no release. */
export async function readSigned(folder: string): Promise<SignedRelease | undefined> {
  const file = join(folder, RELEASE_MANIFEST);
  if (((await fileSize(file)) ?? MAX_MANIFEST_BYTES + 1) > MAX_MANIFEST_BYTES) return undefined;
  const [manifest, signature] = await Promise.all([
    readFile(file, "utf8"),
    readFile(join(folder, RELEASE_SIGNATURE)).catch(() => Buffer.alloc(0)),
  ]);
  return { manifest, signature: signature.subarray(0, 64).toString("base64") };
}
