import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory, writeDurable } from "../../platform/platform.ts";
import { readStick, stickText, type Stick, type StickFault } from "../../protocol/protocol.ts";

/** Below the data directory: the stick that was taken last, as root's network unit reads it too. */
export const KEPT_STICK = "provisioning/stick.json";

/** More than this is something else under our name. */
const STICK_MAX_BYTES = 64 * 1024;

/** What lies in a stick's file: nothing, a stick, or what is wrong with it. */
export type StickLook = { state: "none" } | { state: "good"; stick: Stick } | { state: "faulty"; faults: StickFault[] };

/** Text of a file that people may have saved in an editor; undefined for what is no text. */
function decode(bytes: Buffer): string | undefined {
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

export async function lookAtStick(path: string): Promise<StickLook> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return { state: "none" };
    throw error;
  }
  if (bytes.length > STICK_MAX_BYTES) return { state: "faulty", faults: [{ code: "tooLarge" }] };
  const text = decode(bytes);
  if (text === undefined) return { state: "faulty", faults: [{ code: "notText" }] };
  const reading = readStick(text);
  return reading.ok ? { state: "good", stick: reading.stick } : { state: "faulty", faults: reading.faults };
}

export async function keepStick(dataDirectory: string, stick: Stick): Promise<void> {
  await makeDirectory(join(dataDirectory, "provisioning"));
  await writeDurable(join(dataDirectory, KEPT_STICK), stickText(stick));
}
