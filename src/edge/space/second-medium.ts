import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import {
  createDurable,
  listDirectory,
  networkFileSystemOf,
  readIfExists,
  syncDirectory,
} from "../../platform/platform.ts";
import { BoxId } from "../../protocol/protocol.ts";

const IDENTITY_FILE = "diemcau-medium.json";
const MediumIdentity = z.looseObject({ v: z.literal(1), uuid: z.uuid(), box: BoxId });

export type MediumLook =
  /** Not plugged in: nothing is mounted there, or the box's own disk. */
  | { kind: "absent" }
  /** It belongs to another box, is network storage, or cannot be understood: nothing is written to it. */
  | { kind: "foreign" }
  | { kind: "present"; medium: SecondMedium };

/** A medium that has shown its identity. Writes go to it or nowhere. */
export interface SecondMedium {
  readonly uuid: string;
  readonly recordings: string;
  /** Number of its file system while it is mounted. */
  readonly device: number;
}

/**
 * Looks whether the second medium is there. An empty one that is mounted is taken into use: it gets an identity file
 * with a UUID and this box's name. The directory without its mount holds no identity, and is never given one.
 */
export async function lookForMedium(directory: string, dataDirectory: string, box: BoxId): Promise<MediumLook> {
  const devices = await Promise.all([directory, dirname(directory), dataDirectory].map(deviceOf));
  const [device, above, own] = devices;
  if (device === undefined || device === above || device === own) return { kind: "absent" };
  if ((await networkFileSystemOf(directory)) !== undefined) return { kind: "foreign" };
  const path = join(directory, IDENTITY_FILE);
  const recordings = join(directory, "recordings");
  const text = await readIfExists(path);
  if (text === undefined) {
    const strangers = (await listDirectory(directory)).filter(({ name }) => name !== "lost+found");
    if (strangers.length > 0) return { kind: "foreign" };
    const uuid = randomUUID();
    await mkdir(recordings, { mode: 0o700 });
    await createDurable(path, `${JSON.stringify({ v: 1, uuid, box })}\n`);
    return { kind: "present", medium: { uuid, recordings, device } };
  }
  const identity = MediumIdentity.safeParse(parsed(text.toString("utf8")));
  if (!identity.success || identity.data.box !== box) return { kind: "foreign" };
  return { kind: "present", medium: { uuid: identity.data.uuid, recordings, device } };
}

/**
 * Appends to a copy what its original has beyond it. The copy is always a beginning of the original.
 * Throws where the file that was opened is not on this medium, before a byte is written to it.
 * @param unit a line that is being written may be taken back by its writer: only whole ones are copied
 * @returns bytes copied; undefined where there is no original
 */
export async function copyTail(
  from: string,
  to: string,
  device: number,
  unit: "bytes" | "lines" = "bytes",
): Promise<number | undefined> {
  const source = await open(from, constants.O_RDONLY).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  });
  if (!source) return undefined;
  await using _source = source;
  await using copy = await open(to, constants.O_WRONLY | constants.O_CREAT, 0o600);
  const status = await copy.stat();
  if (status.dev !== device) throw new MediumError("the medium went away while it was written to");
  const buffer = Buffer.allocUnsafe(256 * 1024);
  let position = status.size;
  for (;;) {
    const { bytesRead } = await source.read(buffer, 0, buffer.length, position);
    const usable = unit === "bytes" ? bytesRead : buffer.subarray(0, bytesRead).lastIndexOf("\n") + 1;
    if (usable === 0) break;
    for (let written = 0; written < usable;)
      written += (await copy.write(buffer, written, usable - written, position + written)).bytesWritten;
    position += usable;
  }
  if (position > status.size) await copy.datasync();
  return position - status.size;
}

/** Makes `recordings/session/take`. Its parents are never made: below a mount that is gone there are none. */
export async function makeTakeFolder(medium: SecondMedium, session: string, take: string): Promise<string> {
  for (const folder of [join(medium.recordings, session), join(medium.recordings, session, take)]) {
    try {
      await mkdir(folder, { mode: 0o700 });
      await syncDirectory(dirname(folder));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  return join(medium.recordings, session, take);
}

export class MediumError extends Error {
  override readonly name = "MediumError";
  readonly code = "gone";
}

const deviceOf = async (path: string): Promise<number | undefined> =>
  stat(path).then(
    ({ dev }) => dev,
    () => undefined,
  );

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
