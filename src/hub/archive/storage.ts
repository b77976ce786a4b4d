import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { createDurable, fileSystemOf, listDirectory, makeDirectory, readIfExists } from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";

/** Lies at the root of a storage. */
export const STORAGE_FILE = "diemcau-storage.json";
const StorageIdentity = z.looseObject({ storage: z.string(), uuid: z.uuid() });

export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: "missing" | "swapped" | "apart";
  constructor(code: StorageError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export const storageText = (name: string, uuid: string): string => `${JSON.stringify({ storage: name, uuid })}\n`;

/**
 * Makes sure that the archive is the one that was met the first time (its identity file holds the same UUID): a
 * directory whose disk is not mounted looks empty, and recordings must not silently land below it.
 * Throws StorageError "missing" or "swapped"; nothing has been written then.
 */
export async function checkArchiveIdentity(db: HubDatabase, directory: string): Promise<void> {
  const row = await db.selectFrom("storage").selectAll().where("name", "=", "archive").executeTakeFirst();
  const path = join(directory, STORAGE_FILE);
  const text = await readIfExists(path);
  if (!row) {
    const uuid = text === undefined ? await createIdentity(directory, path) : parseIdentity(path, text);
    await db.insertInto("storage").values({ name: "archive", target: directory, uuid }).execute();
    return;
  }
  if (text === undefined)
    throw new StorageError(
      "missing",
      `${path} is missing: the archive's disk is not mounted at ${directory}, or was emptied; nothing was written`,
    );
  const uuid = parseIdentity(path, text);
  if (uuid !== row.uuid)
    throw new StorageError("swapped", `${path} names storage ${uuid}, but this hub's archive is ${row.uuid}`);
}

async function createIdentity(directory: string, path: string): Promise<string> {
  await makeDirectory(directory);
  const strangers = (await listDirectory(directory)).filter(({ name }) => name.startsWith("session-"));
  if (strangers.length > 0)
    throw new StorageError(
      "swapped",
      `${directory} holds sessions but no ${STORAGE_FILE}; it is no archive of this hub`,
    );
  const uuid = randomUUID();
  await createDurable(path, storageText("archive", uuid));
  return uuid;
}

function parseIdentity(path: string, text: Buffer): string {
  try {
    return StorageIdentity.parse(JSON.parse(text.toString("utf8"))).uuid;
  } catch (cause) {
    throw new StorageError("swapped", `${path} cannot be read as a storage's identity`, { cause });
  }
}

/** Files travel from inbox to archive and quarantine by rename, so all three must be on one file system. */
export async function checkOneFileSystem(directories: readonly string[]): Promise<void> {
  const devices = await Promise.all(directories.map((directory) => fileSystemOf(directory)));
  if (new Set(devices).size > 1)
    throw new StorageError("apart", `${directories.join(", ")} must be on one file system`);
}
