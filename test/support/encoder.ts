import { join } from "node:path";
import { processesWith } from "../../src/platform/platform.ts";
import type { RoomProcess } from "./stand.ts";

/** The process that encodes a room's picture and sound now: each carries the room's own folder in its arguments. */
export function encoderPid(room: Pick<RoomProcess, "name" | "runDirectory">): number {
  const encoder = processesWith(join(room.runDirectory, "encoder/")).find(({ argv }) => argv[0] === "ffmpeg");
  if (!encoder) throw new Error(`${room.name} has no encoder`);
  return encoder.pid;
}
