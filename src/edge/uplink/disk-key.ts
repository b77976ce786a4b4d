import { readFile } from "node:fs/promises";
import { DiskKey } from "../../protocol/protocol.ts";

/** @returns undefined where the disk is not encrypted; throws for what is no key */
export async function readDiskKey(file: string): Promise<DiskKey | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return DiskKey.parse(JSON.parse(text));
}
