import { rm } from "node:fs/promises";
import { runChecked } from "../../src/platform/platform.ts";
import { normalizePairingCode, PAIRING_ALPHABET } from "../../src/protocol/protocol.ts";

/** Letters as large as a pairing code's are read best when they are small. */
const READ_WIDTH = 640;

/** The pairing code in a picture of the room's screen, by character recognition; undefined where none is read. */
export async function readPairingCode(file: string): Promise<string | undefined> {
  const small = `${file}.small.png`;
  await runChecked(["ffmpeg", "-v", "error", "-y", "-i", file, "-vf", `scale=${READ_WIDTH}:-1`, small]);
  const { stdout } = await runChecked([
    ...["tesseract", small, "-", "--psm", "11", "-c", `tessedit_char_whitelist=${PAIRING_ALPHABET}`],
  ]);
  await rm(small);
  return stdout
    .split("\n")
    .map(normalizePairingCode)
    .find((code) => code !== undefined);
}
