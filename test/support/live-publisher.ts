import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runChecked, startProcess, type Child } from "../../src/platform/platform.ts";

/** A real publish; ends, killed outright, when it is disposed of. */
export interface Publisher extends AsyncDisposable {
  /** As a power cut ends it: no farewell on the line. */
  kill(): Promise<void>;
}

function publisher(child: Child): Publisher {
  // The camera takes its encoder along on SIGTERM; by SIGKILL it would leave it a moment of life.
  const kill = async () => void (await child.stop(STOP_MS));
  return { kill, [Symbol.asyncDispose]: kill };
}

/**
 * A Node that exits may wait for a worker thread of its own that nobody wakes: seen once on a busy machine (main thread in
 * pthread_join, the worker at its condition variable), and whoever waited for its end waited for good.
 */
const STOP_MS = 5_000;
const stdio = ["ignore", "ignore", "inherit"] as const;
const camera = (options: Record<string, string | number | undefined>, enter: readonly string[] = []) => {
  const script = join(import.meta.dirname, "stamped-camera-child.ts");
  const given = Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
  return startProcess([...enter, process.execPath, script, ...given], { stdio: [...stdio] });
};

/** Picture with the wall clock in it (360p, 400 kbit/s unless told otherwise). */
export async function publishPicture(url: string, size: { width?: number; height?: number } = {}): Promise<Publisher> {
  return publisher(await camera({ url, ...size }));
}

/** A room that is seen and heard, both with the wall clock in them. */
export interface StampedRoom extends Publisher {
  /** Time in the stream → wall clock at which that frame was taken, for all frames so far. */
  captured(): Promise<Map<number, number>>;
}

/** The camera's own encoder begins its time lines here, so that the sound's priming does not lie before zero. */
const OFFSET_MS = 1_000;
const FRAME_MS = 40;

export async function publishStampedRoom(options: {
  url: string;
  sound: string;
  /** Where the camera keeps its account. */
  log: string;
  /** Put before the camera's argument vector. */
  enter?: readonly string[];
  ffmpeg?: string | undefined;
  /** Publishes the small picture there too, by the box's own command line. */
  small?: string;
}): Promise<StampedRoom> {
  const { url, sound, small, log, ffmpeg } = options;
  const child = await camera({ url, sound, small, log, ffmpeg }, options.enter);
  return {
    ...publisher(child),
    async captured() {
      const lines = (await readFile(log, "utf8")).split("\n").slice(0, -1);
      return new Map(
        lines.map((line) => {
          const [n, wallMs] = line.split(" ").map(Number);
          return [OFFSET_MS + n! * FRAME_MS, wallMs!];
        }),
      );
    },
  };
}

/** As it names itself: 7.1.5-0+deb13u1. */
export async function ffmpegVersion(ffmpeg = "ffmpeg"): Promise<string> {
  const { stdout } = await runChecked([ffmpeg, "-version"]);
  return stdout.split("\n", 1)[0]!.replace(/^(ffmpeg version \S+).*/, "$1");
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
