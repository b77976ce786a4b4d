import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { runChecked, startProcess } from "../../src/platform/platform.ts";
import type { SoakPlan, SoakSample } from "./soak-child.ts";

/**
 * Box and hub, with all that they do with a session between them, in one process whose time is made: encoders, lines and
 * days cost nothing, files, sockets and programs are real. @returns what there was each time that all was counted
 */
export async function soak(plan: Omit<SoakPlan, "home">): Promise<SoakSample[]> {
  // In memory where there is some: a fortnight's fsyncs would be most of the time.
  const home = await mkdtemp(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "diemcau-soak-"));
  try {
    const media = join(home, "media");
    const programs = join(home, "programs");
    for (const folder of [media, programs]) await mkdir(folder);
    await runChecked([
      ...["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25"],
      ...["-f", "lavfi", "-i", "sine=sample_rate=48000", "-t", "30"],
      ...["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "20k", "-g", "25", "-bf", "0"],
      ...["-c:a", "aac", "-b:a", "16k", "-muxdelay", "0", "-muxpreload", "0"],
      ...["-f", "segment", "-segment_format", "mpegts", "-segment_time", "10"],
      ...["-segment_list", join(media, "segments.csv"), "-segment_list_type", "csv", join(media, "%06d.ts")],
    ]);
    await symlink(join(import.meta.dirname, "soak-encoder.sh"), join(programs, "ffmpeg"));
    const env = { ...process.env, SOAK_MEDIA: media, PATH: `${programs}:${process.env["PATH"]}`, TMPDIR: home };
    const script = join(import.meta.dirname, "soak-child.ts");
    const argv = [process.execPath, "--expose-gc", script, JSON.stringify({ ...plan, home } satisfies SoakPlan)];
    const child = await startProcess(argv, { env, stdio: ["ignore", "pipe", "inherit"] });
    try {
      const samples: SoakSample[] = [];
      for await (const line of createInterface({ input: child.stdout! })) samples.push(JSON.parse(line) as SoakSample);
      const { code } = await child.exited;
      if (code !== 0) throw new Error(`the soak ended with ${code}`);
      return samples;
    } finally {
      await child.stop(1_000);
    }
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

export interface Growth {
  /** When everything had been done a few times. */
  first: SoakSample;
  last: SoakSample;
  sessions: number;
  rssBytes: number;
  heapBytes: number;
  openFiles: number;
  timers: number;
  childProcesses: number;
  runFiles: number;
  otherHubFiles: number;
  archiveFilesPerTake: number;
  databaseBytesPerTake: number;
  logLinesPerTake: number;
  logBytesPerTake: number;
}

/** From the second sample on: the first is the warming up. */
export function growthOf(samples: readonly SoakSample[]): Growth {
  const [, first] = samples;
  const last = samples.at(-1);
  if (!first || !last || first === last) throw new Error("too short to see anything grow");
  const sessions = last.sessions - first.sessions;
  const grown = (of: (sample: SoakSample) => number) => of(last) - of(first);
  const takesOf = ({ box }: SoakSample) => box.files["recordings/…/take.json"]!;
  const perTake = (of: (sample: SoakSample) => number) => grown(of) / grown(takesOf);
  return {
    ...{ first, last, sessions },
    rssBytes: grown(({ rssBytes }) => rssBytes),
    heapBytes: grown(({ heapBytes }) => heapBytes),
    openFiles: grown(({ openFiles }) => openFiles),
    timers: grown(({ timers }) => timers),
    childProcesses: grown(({ childProcesses }) => childProcesses),
    runFiles: grown(({ box }) => box.runFiles),
    otherHubFiles: grown(({ hub }) => hub.otherFiles),
    archiveFilesPerTake: last.hub.archiveFiles / takesOf(last),
    databaseBytesPerTake: perTake(({ hub }) => hub.databaseBytes),
    logLinesPerTake: perTake(({ log }) => log.lines),
    logBytesPerTake: perTake(({ log }) => log.bytes),
  };
}
