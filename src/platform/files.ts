import { constants } from "node:fs";
import { link, mkdir, open, rename, rm, truncate, unlink } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";

/** fsync of a directory: makes a creation, rename or removal in it survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Creates a directory and its parents, each one durable before the next. */
export async function makeDirectory(path: string, mode = 0o700): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  for (let dir = path; dir.length >= first.length; dir = dirname(dir)) await syncDirectory(dirname(dir));
}

/** EIO, EBADMSG, EUCLEAN: a bad sector, or a file system that does not believe its own tree; no try will be better. */
const UNREADABLE = new Set([-5, -74, -117]);

/** Whether it is the file that cannot be read, and not the moment. */
export const isUnreadable = (error: unknown): boolean => UNREADABLE.has((error as NodeJS.ErrnoException).errno ?? 0);

/**
 * The one durable write: temporary file, fsync, rename, fsync of the directory. Readers see the old or the new.
 * @param mode as it is, whatever the umask: an answer that its reader may not read was never given
 * @param temporaryDirectory on the same file system; a crash leaves its temporary file there
 */
export async function writeDurable(
  path: string,
  data: string | Uint8Array,
  mode = 0o600,
  temporaryDirectory: string = dirname(path),
): Promise<void> {
  const temporary = join(temporaryDirectory, `.${randomBytes(6).toString("hex")}.tmp`);
  const handle = await open(temporary, "wx", mode);
  try {
    await handle.chmod(mode);
    await handle.writeFile(data);
    await handle.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** Creates a file that must not exist yet, durably; an existing one is left as it is and throws EEXIST. */
export async function createDurable(path: string, data: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = join(dirname(path), `.${randomBytes(6).toString("hex")}.tmp`);
  const handle = await open(temporary, "wx", mode);
  try {
    await handle.chmod(mode);
    await handle.writeFile(data);
    await handle.sync();
    await handle.close();
    await link(temporary, path);
  } finally {
    await handle.close().catch(() => {});
    await rm(temporary, { force: true });
  }
  await syncDirectory(dirname(path));
}

/** rename within one file system, durable in both directories. Content must have been synced before. */
export async function moveDurable(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncDirectory(dirname(to));
  if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from));
}

export async function removeDurable(path: string): Promise<void> {
  await unlink(path);
  await syncDirectory(dirname(path));
}

/**
 * fdatasync of a file that another process is writing: what it has written so far survives a power cut.
 * Without it a cut loses a whole open segment, with it a fraction of a second.
 * @returns the file's size in bytes at that moment, or undefined where there is no such file.
 */
export async function syncFile(path: string): Promise<number | undefined> {
  let handle;
  try {
    handle = await open(path, constants.O_RDONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { size } = await handle.stat();
    await handle.datasync();
    return size;
  } finally {
    await handle.close();
  }
}

/** A file that another process is writing, held open: ten openings a second cost more than what they are for. */
export interface SyncedFile extends AsyncDisposable {
  readonly path: string;
  /** fdatasync, as {@link syncFile}. */
  sync(): Promise<void>;
}

/** @returns undefined where there is no such file */
export async function openSynced(path: string): Promise<SyncedFile | undefined> {
  try {
    const handle = await open(path, constants.O_RDONLY);
    return { path, sync: () => handle.datasync(), [Symbol.asyncDispose]: () => handle.close() };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** An append-only file of lines; append resolves when the lines are on disk. Opens (or makes) it for one writer. */
export interface LineFile extends AsyncDisposable {
  append(...lines: string[]): Promise<void>;
}

export async function openLineFile(path: string, mode = 0o600): Promise<LineFile> {
  const handle = await open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, mode);
  await syncDirectory(dirname(path));
  return {
    async append(...lines) {
      if (lines.some((line) => line.includes("\n"))) throw new RangeError("a line holds no line feed");
      await handle.appendFile(lines.map((line) => `${line}\n`).join(""));
      await handle.datasync();
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** Gives back blocks that were kept ready behind a file's end; the file itself stays as it is. */
export async function trimFile(path: string, sizeBytes: number): Promise<void> {
  await truncate(path, sizeBytes);
}

const CHUNK_BYTES = 64 * 1024;

/** Complete lines of a line file, a chunk of it in memory at a time; none where there is no such file. */
export async function* readLines(path: string): AsyncGenerator<string> {
  const handle = await open(path, constants.O_RDONLY).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  });
  if (!handle) return;
  await using file = handle;
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let rest = Buffer.alloc(0);
  for (;;) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, null);
    if (bytesRead === 0) return;
    const data = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    let start = 0;
    for (let end = data.indexOf("\n"); end >= 0; end = data.indexOf("\n", start)) {
      yield data.toString("utf8", start, end);
      start = end + 1;
    }
    rest = data.subarray(start);
  }
}

/** The last line of a line file that ends in a line feed; undefined where there is none of at most 64 kB. */
export async function readLastLine(path: string): Promise<string | undefined> {
  await using file = await open(path, constants.O_RDONLY);
  const { size } = await file.stat();
  const tail = Buffer.allocUnsafe(Math.min(size, CHUNK_BYTES));
  const { bytesRead } = await file.read(tail, 0, tail.length, size - tail.length);
  if (bytesRead < tail.length || tail.at(-1) !== 0x0a) return undefined;
  const before = tail.lastIndexOf("\n", -2);
  if (before < 0 && size > tail.length) return undefined;
  return tail.toString("utf8", before + 1, tail.length - 1);
}

/** Complete lines of a line file's text; a last line without its line feed was cut off by a crash and is left out. */
export const completeLines = (text: string): string[] => text.split("\n").slice(0, -1);
