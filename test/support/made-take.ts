import { join } from "node:path";
import { startProcess } from "../../src/platform/platform.ts";
import { SEGMENT_FILE_PATTERN } from "../../src/protocol/protocol.ts";
import { ordinarySpeech, SPEECH_RATE } from "./speech.ts";

export interface MadeTake {
  directory: string;
  seconds: number;
  /** Filters over the picture and the sound, FFmpeg's words; times are those of the file. */
  picture?: string;
  sound?: string;
  seed?: number;
  /** Pixels; small is enough where only the sound matters. */
  size?: string;
  /** Otherwise as fast as the machine can. */
  realTime?: boolean;
}

export const MADE_FRAME_RATE = 25;

/** Writes a take as the box does: speech in a room before a moving picture with a sensor's noise. */
export async function makeTake(take: MadeTake): Promise<void> {
  const { directory, seconds, picture = "null", sound = "anull", size = "320x180", seed = 7 } = take;
  const child = await startProcess(
    [
      ...["ffmpeg", "-hide_banner", "-loglevel", "error", "-y"],
      ...(take.realTime ? ["-re"] : []),
      ...["-f", "lavfi", "-i", `testsrc2=size=${size}:rate=${MADE_FRAME_RATE},noise=alls=4:allf=t`],
      ...["-f", "s16le", "-ar", `${SPEECH_RATE}`, "-ac", "1", "-i", "pipe:0", "-t", `${seconds}`],
      ...["-filter:v", `${picture},format=yuv420p`, "-fps_mode", "passthrough", "-filter:a", sound],
      ...["-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-g", `${MADE_FRAME_RATE}`],
      ...["-keyint_min", `${MADE_FRAME_RATE}`, "-sc_threshold", "0", "-bf", "0", "-crf", "23", "-threads", "2"],
      ...["-c:a", "aac", "-b:a", "96k", "-muxdelay", "0", "-muxpreload", "0"],
      ...["-f", "segment", "-segment_format", "mpegts", "-segment_time", "10"],
      ...["-segment_format_options", "pes_payload_size=0", "-fflags", "+flush_packets"],
      join(directory, SEGMENT_FILE_PATTERN),
    ],
    { stdio: ["pipe", "ignore", "inherit"] },
  );
  const stdin = child.stdin!;
  let over = false;
  stdin.on("error", () => (over = true));
  void child.exited.then(() => (over = true));
  let sent = 0;
  for await (const samples of ordinarySpeech(seed)) {
    if (over || sent > seconds * SPEECH_RATE) break;
    sent += samples.length;
    if (!stdin.write(new Uint8Array(samples.buffer)))
      await Promise.race([new Promise((resolve) => stdin.once("drain", resolve)), child.exited]);
  }
  stdin.end();
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`no take could be made: ffmpeg ended with ${code}`);
}
