import { join } from "node:path";
import type { ShareUrls } from "../capture/capture.ts";

/** Sockets of this folder of the run directory. */
export const SHARE_FOLDER = "companion";

/** Addresses for the encoder; the same in each life of the agent, since the encoder may live longer. */
export const shareUrls = (runDirectory: string): ShareUrls => ({
  picture: `unix:${join(runDirectory, SHARE_FOLDER, "picture")}`,
  sound: `unix:${join(runDirectory, SHARE_FOLDER, "sound")}`,
});
