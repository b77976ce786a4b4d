import { constants } from "node:fs";
import { link, lstat, open, readdir, readFile, rm, rmdir, unlink } from "node:fs/promises";
import { createHash, randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { syncDirectory } from "./files.ts";

/** Looking at, and sealing, files that somebody else has put somewhere. Links are never followed. */

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

export interface DirectoryItem {
  name: string;
  kind: "file" | "directory" | "other";
}

/** Names in a directory, sorted; nothing where there is no such directory. */
export async function listDirectory(path: string): Promise<DirectoryItem[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .map((entry): DirectoryItem => {
        if (entry.isFile()) return { name: entry.name, kind: "file" };
        return { name: entry.name, kind: entry.isDirectory() ? "directory" : "other" };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return [];
    throw error;
  }
}

/** Size of a regular file in bytes; undefined where there is none, or something else. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    const status = await lstat(path);
    return status.isFile() ? status.size : undefined;
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Number of the file system that a directory is on. */
export const fileSystemOf = async (path: string): Promise<number> => (await lstat(path)).dev;

export async function readIfExists(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * SHA-256 of a regular file. With `sync`, its bytes are on disk when this resolves, and it is made read-only.
 * @returns undefined where there is no regular file (missing, a link, a device)
 */
export async function hashRegularFile(
  path: string,
  options: { sync: boolean } = { sync: false },
): Promise<{ sha256: string; sizeBytes: number } | undefined> {
  let handle;
  try {
    // A FIFO or device must not block the open.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (["ENOENT", "ELOOP", "ENXIO", "ENOTDIR"].includes(codeOf(error)!)) return undefined;
    throw error;
  }
  try {
    if (!(await handle.stat()).isFile()) return undefined;
    const hash = createHash("sha256");
    const buffer = Buffer.allocUnsafe(256 * 1024);
    let sizeBytes = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      sizeBytes += bytesRead;
    }
    if (options.sync) {
      await handle.chmod(0o440);
      await handle.sync();
    }
    return { sha256: hash.digest("hex"), sizeBytes };
  } finally {
    await handle.close();
  }
}

/** Gives a file a second name that must not exist yet, durably. `exists`: nothing was done. */
export async function linkDurable(from: string, to: string): Promise<"linked" | "exists"> {
  try {
    await link(from, to);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return "exists";
    throw error;
  }
  await syncDirectory(dirname(to));
  return "linked";
}

/**
 * Creates several files that must not exist yet, durably, with one directory sync for all that share a directory.
 * @param temporaryDirectory on the same file system; a crash leaves `*.tmp` files there and nowhere else
 * @returns paths that were there before, untouched
 */
export async function createManyDurable(
  files: readonly { path: string; data: string | Uint8Array }[],
  temporaryDirectory: string,
): Promise<string[]> {
  const existing: string[] = [];
  await Promise.all(
    files.map(async ({ path, data }) => {
      const temporary = join(temporaryDirectory, `.${randomBytes(6).toString("hex")}.tmp`);
      const handle = await open(temporary, "wx", 0o440);
      try {
        await handle.writeFile(data);
        await handle.sync();
        await link(temporary, path);
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
        existing.push(path);
      } finally {
        await handle.close();
        await unlink(temporary);
      }
    }),
  );
  for (const directory of new Set(files.map(({ path }) => dirname(path)))) await syncDirectory(directory);
  return existing;
}

/** Removes what crashes of {@link createManyDurable} and writeDurable left in their temporary directory. */
export async function removeTemporaries(directory: string): Promise<void> {
  for (const { name, kind } of await listDirectory(directory))
    if (kind === "file" && /^\.[0-9a-f]{12}\.tmp$/.test(name)) await rm(join(directory, name), { force: true });
}

/** Removes a directory that is empty and has not changed for that long; anything else is left as it is. */
export async function removeIdleDirectory(path: string, idleMs: number, wallMs: number): Promise<void> {
  try {
    if (wallMs - (await lstat(path)).mtimeMs > idleMs) await rmdir(path);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR"].includes(codeOf(error)!)) throw error;
  }
}
