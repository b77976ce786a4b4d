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

/** The code of a disk that stays shut, off a picture of the TV. */
export async function readDiskCode(file: string): Promise<string | undefined> {
  const alone = `${file}.alone.png`;
  // The line under the title: yellow on dark blue, so black on white for the reader, who reads small letters best.
  const filter = "crop=iw/2:ih/8:0:ih*0.18,format=gray,negate,scale=iw/2:-1";
  await runChecked(["ffmpeg", "-v", "error", "-y", "-i", file, "-vf", filter, alone]);
  const { stdout } = await runChecked([
    ...["tesseract", alone, "-", "--psm", "7", "-c", "tessedit_char_whitelist=0123456789ABCDEF-"],
  ]);
  await rm(alone);
  return /[0-9A-F]{4}-[0-9A-F]{4}/.exec(stdout)?.[0];
}
