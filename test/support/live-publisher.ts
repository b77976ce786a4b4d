import { join } from "node:path";
import { startProcess, type Child } from "../../src/platform/platform.ts";

/** A real publish; ends, killed outright, when it is disposed of. */
export interface Publisher extends AsyncDisposable {
  /** As a power cut ends it: no farewell on the line. */
  kill(): Promise<void>;
}

function publisher(child: Child): Publisher {
  const kill = async () => {
    // The camera takes its encoder along on SIGTERM; by SIGKILL it would leave it a moment of life.
    child.kill("SIGTERM");
    await child.exited;
  };
  return { kill, [Symbol.asyncDispose]: kill };
}

const stdio = ["ignore", "ignore", "inherit"] as const;

/** Picture with the wall clock in it (360p, 400 kbit/s unless told otherwise). */
export async function publishPicture(url: string, size: { width?: number; height?: number } = {}): Promise<Publisher> {
  const { width = 640, height = 360 } = size;
  const script = join(import.meta.dirname, "stamped-camera-child.ts");
  const argv = [process.execPath, script, `--url=${url}`, `--width=${width}`, `--height=${height}`];
  return publisher(await startProcess(argv, { stdio: [...stdio] }));
}

/** Human speech, over and over. */
export async function publishSpeech(url: string): Promise<Publisher> {
  // prettier-ignore
  const argv = [
    "ffmpeg", "-hide_banner", "-loglevel", "error", "-nostats",
    "-re", "-stream_loop", "-1", "-i", "/usr/share/sounds/alsa/Front_Center.wav",
    "-c:a", "aac", "-b:a", "64k", "-ar", "48000", "-ac", "1",
    "-flush_packets", "1", "-f", "flv", "-flvflags", "no_duration_filesize", "-tcp_nodelay", "1", url,
  ];
  return publisher(await startProcess(argv, { stdio: [...stdio] }));
}
