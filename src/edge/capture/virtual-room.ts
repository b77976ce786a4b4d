import { constants } from "node:fs";
import { open, readdir, readFile, rename, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Clock } from "../../platform/platform.ts";
import { NO_FAULTS, readVirtualFaults, spoil, type VirtualFaults } from "./virtual-faults.ts";
import { VIRTUAL_PERIOD_MS } from "./plan.ts";
import { createScene, createSpeech, wavBytes, wavHead, wavSamples } from "./virtual-scene.ts";

/** How the room's process is told what to be: one argument of JSON. */
export const VirtualRoomOptions = z.strictObject({
  /** Null while the camera is unplugged: the room is heard and not seen. */
  videoFifo: z.string().nullable(),
  /** Null while the microphone is. */
  audioFifo: z.string().nullable(),
  statusFile: z.string(),
  faultsFile: z.string(),
  width: z.number().int(),
  height: z.number().int(),
  frameRate: z.number().int(),
  seed: z.number().int(),
  /** Folder of spoken samples, 48 kHz mono WAV. */
  voices: z.string(),
});
export type VirtualRoomOptions = z.infer<typeof VirtualRoomOptions>;

/** The status file, rewritten whole twice a second and at the end. */
export const VirtualRoomStatus = z.object({
  state: z.enum(["waiting", "running", "ended", "readerGone"]),
  framesCaptured: z.number(),
  framesDropped: z.number(),
  /** Moment of frame 0. */
  startedWallMs: z.number().nullable(),
  startedMonotonicMs: z.number().nullable(),
});
export type VirtualRoomStatus = z.infer<typeof VirtualRoomStatus>;

export class VirtualRoomError extends Error {
  override readonly name = "VirtualRoomError";
  readonly code: "noSpeech" | "noReader";
  constructor(code: VirtualRoomError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

const SAMPLE_RATE = 48_000;
const BACKLOG_LIMIT_MS = 5_000;
const READER_WAIT_MS = 15_000;
const STATUS_PERIOD_MS = 500;
const FAULTS_PERIOD_MS = 200;

/**
 * Opens a FIFO for writing once a reader has it. A plain open would sit in a thread of Node's pool for as long as
 * nobody comes, and a process with such a thread cannot even exit.
 */
async function openFifo(path: string, clock: Clock, signal: AbortSignal): Promise<FileHandle> {
  const untilMs = clock.monotonicMs() + READER_WAIT_MS;
  for (;;) {
    try {
      const probe = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
      try {
        return await open(path, constants.O_WRONLY);
      } finally {
        await probe.close();
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw error;
      if (clock.monotonicMs() > untilMs) throw new VirtualRoomError("noReader", `nobody reads ${path}`);
      await clock.sleep(5, signal);
    }
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
}

/**
 * A camera and a microphone made of arithmetic. INVARIANTS: frame k and the samples beside it belong to the moment
 * started + k / frameRate, however late they are written; nothing is skipped unless the reader is more than
 * BACKLOG_LIMIT_MS behind, and then it is counted; picture and sound end at the same moment, with end of file.
 * @param signal ends the room: what was captured until then is still written
 */
export async function runVirtualRoom(options: VirtualRoomOptions, clock: Clock, signal: AbortSignal): Promise<void> {
  const { width, height, frameRate } = options;
  const status: VirtualRoomStatus = {
    state: "waiting",
    framesCaptured: 0,
    framesDropped: 0,
    startedWallMs: null,
    startedMonotonicMs: null,
  };
  const report = async () => {
    await writeFile(`${options.statusFile}.tmp`, JSON.stringify(status));
    await rename(`${options.statusFile}.tmp`, options.statusFile);
  };
  await report();
  const files = (await readdir(options.voices).catch(() => [])).filter((name) => name.endsWith(".wav")).sort();
  // Noise.wav of alsa-utils is no speech.
  const spoken = files.filter((name) => !name.startsWith("Noise"));
  const read = await Promise.all(spoken.map(async (name) => wavSamples(await readFile(join(options.voices, name)))));
  const phrases = read.filter((phrase) => phrase !== undefined);
  if (phrases.length === 0)
    throw new VirtualRoomError("noSpeech", `no 48 kHz mono WAV in ${options.voices}; Debian's alsa-utils brings them`);
  const speech = createSpeech(phrases, options.seed);
  const scene = createScene(width, height, options.seed);

  await using video = options.videoFifo === null ? undefined : await openFifo(options.videoFifo, clock, signal);
  const startedMs = clock.monotonicMs();
  const startedWallMs = clock.wallMs();
  Object.assign(status, { state: "running", startedWallMs, startedMonotonicMs: startedMs });
  await report();
  const frameMs = 1_000 / frameRate;
  const samplesPerFrame = SAMPLE_RATE / frameRate;
  /** `samples` is set when the picture has ended: the sound must reach it. */
  const end: { samples: number | undefined } = { samples: undefined };
  const gone = new AbortController();
  const halt = AbortSignal.any([signal, gone.signal]);
  const pause = async (ms: number, until: AbortSignal) => {
    if (ms > 0) await clock.sleep(ms, until).catch(() => {});
  };

  let faults: VirtualFaults = NO_FAULTS;
  const readFaults = async () => {
    while (!halt.aborted) {
      faults = readVirtualFaults(options.faultsFile);
      await pause(FAULTS_PERIOD_MS, halt);
    }
  };
  const black = new Uint8Array((width * height * 3) / 2).fill(16, 0, width * height).fill(128, width * height);
  let frozenAt: number | undefined;
  const frame = (index: number) => {
    frozenAt = faults.picture === "frozen" ? (frozenAt ?? index) : undefined;
    if (faults.picture === "black") return black;
    const shown = frozenAt ?? index;
    const picture = scene.draw(shown, startedWallMs + shown * frameMs);
    // A dim lamp: a fifth of the light.
    if (faults.picture === "dark")
      for (let i = 0; i < width * height; i++) picture[i] = 16 + Math.max(0, picture[i]! - 16) / 5;
    return picture;
  };
  /** Nothing comes out of the devices, and they are still there. */
  const standstill = async () => {
    while (faults.stopped && !halt.aborted) await pause(FAULTS_PERIOD_MS, halt);
  };

  const film = async () => {
    let reportedMs = 0;
    let endMs = signal.aborted ? startedMs : Number.POSITIVE_INFINITY;
    signal.addEventListener("abort", () => (endMs = clock.monotonicMs()));
    for (;;) {
      const index = status.framesCaptured + status.framesDropped;
      const dueMs = startedMs + index * frameMs;
      await pause(dueMs - clock.monotonicMs(), halt);
      await standstill();
      // A reader that is behind still gets what was captured before the end.
      if (gone.signal.aborted || dueMs >= endMs) break;
      if (clock.monotonicMs() - dueMs > BACKLOG_LIMIT_MS) status.framesDropped++;
      else {
        if (video) await writeAll(video, frame(index));
        status.framesCaptured++;
      }
      if (clock.monotonicMs() - reportedMs > STATUS_PERIOD_MS) {
        reportedMs = clock.monotonicMs();
        await report();
      }
    }
    end.samples = status.framesCaptured * samplesPerFrame;
  };

  const speak = async () => {
    if (options.audioFifo === null) return;
    await using audio = await openFifo(options.audioFifo, clock, gone.signal);
    await writeAll(audio, wavHead());
    for (let sent = 0; sent < (end.samples ?? Infinity) && !gone.signal.aborted;) {
      await standstill();
      const dropped = status.framesDropped;
      const captured = Math.floor((clock.monotonicMs() - startedMs - dropped * frameMs) * (SAMPLE_RATE / 1_000));
      const count = Math.min(end.samples ?? captured, sent + SAMPLE_RATE) - sent;
      if (count > 0) {
        const at = sent + dropped * samplesPerFrame;
        await writeAll(audio, wavBytes(spoil(speech(at, count), at, faults.sound)));
        sent += count;
      }
      if (end.samples === undefined) await pause(VIRTUAL_PERIOD_MS, gone.signal);
    }
  };

  try {
    const stopOnFailure = (work: Promise<void>) =>
      work.catch((error: unknown) => {
        gone.abort();
        throw error;
      });
    void readFaults();
    await Promise.all([stopOnFailure(film()), stopOnFailure(speak())]);
    status.state = "ended";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
    status.state = "readerGone";
  } finally {
    await report();
  }
}
