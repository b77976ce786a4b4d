import { copyFile, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import {
  ProcessError,
  processesWith,
  processIdentity,
  randomId,
  runChecked,
  runProcess,
  startProcess,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import { makeId, type LiveKind } from "../../protocol/protocol.ts";
import { qualityFor, type CaptureConfig, type Quality } from "./config.ts";
import { listDevices, type Devices } from "./devices.ts";
import { planEncoder, runPaths, SLATE_FILE, type Source } from "./plan.ts";
import { adoptPid, EncoderRun, openLog, RunMemory, type RunGoal } from "./run.ts";
import { Avoided, chooseSource, needsRoom, parseFileFacts, sameSource } from "./source.ts";
import { readVirtualFaults, virtualFaultsFile } from "./virtual-faults.ts";
import { seedOf } from "./virtual-scene.ts";
import type { VirtualRoomOptions } from "./virtual-room.ts";

export { CaptureConfig, qualityFor } from "./config.ts";
export type { Quality } from "./config.ts";
export type { Devices } from "./devices.ts";
export { SEGMENT_LIST, SOUND_RATE } from "./plan.ts";
export type { EncoderRun, RunGoal, RunTrouble } from "./run.ts";

export class CaptureError extends Error {
  override readonly name = "CaptureError";
  readonly code: "noFfmpeg" | "diedAtStart";
  constructor(code: CaptureError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface CaptureOptions {
  clock: Clock;
  log: Log;
  config: CaptureConfig;
  /** In tmpfs; survives the agent, not the boot. */
  runDirectory: string;
  liveUrl: (kind: LiveKind, run: string) => string;
  /** What is plugged in; Linux is asked where this is left out. */
  listDevices?: (() => Promise<Devices>) | undefined;
}

/** The running encoder's memory, one at a time. */
const MEMORY = "current.json";
/** With sound, and without. */
const SLATES = [join(import.meta.dirname, "slate-sound.png"), join(import.meta.dirname, "slate-silent.png")] as const;
const ROOM_MAIN = join(import.meta.dirname, "virtual-room-main.ts");

/**
 * Starts encoders and finds running ones again. INVARIANTS: an encoder's memory is on disk before the encoder runs, and
 * each of its processes carries the run's folder in its arguments, so that none can be lost sight of; at most one run
 * lives at a time, since devices cannot be opened twice.
 */
export class Capture {
  readonly quality: Quality;
  readonly ownPicture: string;
  private readonly options: CaptureOptions;
  private readonly home: string;
  private readonly avoided = new Avoided();
  private program: string | undefined;

  constructor(options: CaptureOptions) {
    this.options = options;
    this.quality = qualityFor(options.config, availableParallelism());
    this.home = join(options.runDirectory, "encoder");
    this.ownPicture = join(options.runDirectory, "own.jpg");
  }

  /** The run that an earlier life of the agent started, if it lives. Whatever else it left running is killed. */
  async adopt(): Promise<EncoderRun | undefined> {
    const memory = await this.readMemory();
    const found = processesWith(`${this.home}/`);
    const own = memory ? found.filter(({ argv }) => argv.some((a) => a.includes(this.folder(memory.token)))) : [];
    const isRoom = ({ argv }: { argv: string[] }) => argv.includes(ROOM_MAIN);
    const adopt = (process: { pid: number } | undefined) => process && adoptPid(process.pid, processIdentity);
    const ffmpeg = memory && adopt(own.find((p) => !isRoom(p) && p.argv[0] === memory.ffmpeg));
    const room = adopt(own.find(isRoom));
    for (const { pid } of found) {
      if (ffmpeg && (pid === ffmpeg.pid || pid === room?.pid)) continue;
      const leftover = adoptPid(pid, processIdentity);
      this.options.log.warn("capture.leftover", { pid });
      leftover?.kill("SIGKILL");
      await leftover?.exited;
    }
    if (!memory || !ffmpeg) return undefined;
    this.options.log.info("capture.adopted", { run: memory.token, goal: memory.goal.kind, pid: ffmpeg.pid });
    const directory = this.folder(memory.token);
    const unplugged = () => this.unplugged();
    const { clock } = this.options;
    return new EncoderRun({ memory, directory, clock, ffmpeg, room, adopted: true, unplugged });
  }

  /** Chooses among what is plugged in now. */
  async choose(): Promise<Source> {
    // Asked for first: without it, nothing else is begun.
    await this.ffmpeg();
    const { config, clock } = this.options;
    const { source } = config;
    const none = { cameras: [], microphones: [] };
    const ask = this.options.listDevices ?? listDevices;
    const devices = source.kind === "auto" || source.kind === "devices" ? await ask() : none;
    return chooseSource(source, this.quality, {
      devices: this.avoided.usable(devices, clock.monotonicMs()),
      file: source.kind === "file" ? await this.askFile(source.path) : { picture: false, sound: false },
      ...(source.kind === "virtual" && { unplugged: await this.unplugged() }),
    });
  }

  /** Learns from a run that ended before its first frame which device cannot be opened. */
  noteFailure(run: EncoderRun, words: string): void {
    if (run.stillborn()) this.avoided.note(run.memory.source, words, this.options.clock.monotonicMs());
  }

  /** Something is missing that another look might find. */
  async better(run: EncoderRun): Promise<boolean> {
    const { source } = run.memory;
    const lacksPicture = source.picture.kind === "slate";
    const lacksSound = source.sound.kind === "silence";
    if (!lacksPicture && !lacksSound) return false;
    // A film without sound has none tomorrow either; one that is not there may come.
    if (this.options.config.source.kind === "file" && !(lacksPicture && lacksSound)) return false;
    return !sameSource(await this.choose(), source);
  }

  async start(goal: RunGoal, source: Source): Promise<EncoderRun> {
    const { clock, liveUrl, log } = this.options;
    const token = makeId("take", randomId()).slice(-8);
    const directory = this.folder(token);
    const [ffmpeg] = await Promise.all([this.ffmpeg(), this.freshFolder(token)]);
    const paths = runPaths(directory);
    const argv = planEncoder({
      ffmpeg,
      source,
      quality: this.quality,
      paths,
      recordTo: goal.kind === "record" ? goal.directory : null,
      liveUrl:
        goal.kind === "preview" && !goal.live
          ? null
          : { video: liveUrl("video", token), small: liveUrl("small", token), audio: liveUrl("audio", token) },
      ownPicture: this.ownPicture,
    });
    const memory: RunMemory = { token, goal, source, plannedWallMs: clock.wallMs(), ffmpeg };
    await this.writeMemory(memory);
    if (source.picture.kind === "slate")
      await copyFile(SLATES[source.sound.kind === "silence" ? 1 : 0], `${directory}/${SLATE_FILE}`);
    const virtual = needsRoom(source);
    if (virtual) await runChecked(["mkfifo", "-m", "600", paths.videoFifo, paths.audioFifo]);
    const complaints = await openLog(directory);
    try {
      const stdio = ["ignore", complaints.fd, complaints.fd] as const;
      const launch = (argv: string[]) => startProcess(argv, { cwd: directory, detached: true, stdio: [...stdio] });
      const [encoder, room] = await Promise.all([
        launch(argv),
        virtual
          ? launch([process.execPath, ROOM_MAIN, JSON.stringify(this.roomOptions(directory, source))])
          : undefined,
      ]);
      const adopted = adoptPid(encoder.pid, processIdentity);
      if (!adopted) throw new CaptureError("diedAtStart", "the encoder ended at once");
      log.info("capture.started", { run: token, goal: goal.kind, source: source.words, pid: encoder.pid });
      return new EncoderRun({
        memory,
        directory,
        clock,
        // A parent is told of an exit at once.
        ffmpeg: { ...adopted, exited: encoder.exited.then(() => {}) },
        room: room && adoptPid(room.pid, processIdentity),
        adopted: false,
        unplugged: () => this.unplugged(),
      });
    } finally {
      await complaints.close();
    }
  }

  private folder(token: string): string {
    return join(this.home, token);
  }

  /** Makes the run's folder; those of former runs go, except the last, whose complaints may still be wanted. */
  private async freshFolder(token: string): Promise<void> {
    const last = (await this.readMemory())?.token;
    await mkdir(this.folder(token), { recursive: true, mode: 0o700 });
    const others = (await readdir(this.home)).filter((name) => ![token, last, MEMORY].includes(name));
    await Promise.all(others.map((name) => rm(join(this.home, name), { recursive: true, force: true })));
  }

  /** Plugs of a virtual room that are out. */
  private async unplugged(): Promise<{ camera: boolean; microphone: boolean }> {
    const { picture, sound } = await readVirtualFaults(virtualFaultsFile(this.options.runDirectory));
    return { camera: picture === "unplugged", microphone: sound === "unplugged" };
  }

  private roomOptions(directory: string, { picture, sound }: Source): VirtualRoomOptions {
    const { source } = this.options.config;
    if (source.kind !== "virtual") throw new TypeError("only a virtual source has a room");
    const { width, height, frameRate } = this.quality.record;
    const { videoFifo, audioFifo } = runPaths(directory);
    return {
      videoFifo: picture.kind === "virtual" ? videoFifo : null,
      audioFifo: sound.kind === "virtual" ? audioFifo : null,
      ...{ statusFile: `${directory}/room.json`, width, height, frameRate },
      faultsFile: virtualFaultsFile(this.options.runDirectory),
      seed: source.voice ?? seedOf(source.label),
      voices: source.phrases,
    };
  }

  private async readMemory(): Promise<RunMemory | undefined> {
    try {
      return RunMemory.parse(JSON.parse(await readFile(join(this.home, MEMORY), "utf8")));
    } catch {
      // None yet, or of a version that cannot be understood: then its processes are leftovers.
      return undefined;
    }
  }

  /** tmpfs needs no fsync: what is renamed is there until the next boot. */
  private async writeMemory(memory: RunMemory): Promise<void> {
    const path = join(this.home, MEMORY);
    await writeFile(`${path}.tmp`, JSON.stringify(memory), { mode: 0o600 });
    await rename(`${path}.tmp`, path);
  }

  private async askFile(path: string) {
    return parseFileFacts((await runProcess([await this.ffmpeg(), "-hide_banner", "-i", path])).stderr);
  }

  /** The system's FFmpeg, or the one that came as an optional package. */
  async ffmpeg(): Promise<string> {
    return (this.program ??= await findFfmpeg());
  }
}

async function findFfmpeg(): Promise<string> {
  try {
    await runChecked(["ffmpeg", "-version"]);
    return "ffmpeg";
  } catch (cause) {
    if (!(cause instanceof ProcessError)) throw cause;
    const name: string = "ffmpeg-static";
    const bundled = (await import(name).catch(() => ({}))) as { default?: unknown };
    if (typeof bundled.default === "string") return bundled.default;
    throw new CaptureError("noFfmpeg", "there is neither ffmpeg in the PATH nor the package ffmpeg-static", { cause });
  }
}
