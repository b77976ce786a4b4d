import { copyFile, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { extname, join } from "node:path";
import {
  causeOf,
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
import { makeId, missedDevice, type Health, type LiveKind } from "../../protocol/protocol.ts";
import {
  type DeviceBook,
  hasPulse,
  pactl,
  tuneCamera,
  wakeMicrophone,
  type DeviceRules,
  type Devices,
} from "../devices/devices.ts";
import { listenTo, tendLiveSound } from "./canceller.ts";
import { qualityFor, type CaptureConfig, type Quality, type ScreenSource } from "./config.ts";
import { findEncoder, keepVerdict, type VideoEncoder } from "./hardware.ts";
import { planEncoder, runPaths, SLATE_FILE, type ShareUrls, type Source } from "./plan.ts";
import { adoptPid, EncoderRun, openLog, RunMemory, type RunGoal, type RunTrouble } from "./run.ts";
import { Avoided, chooseSource, gainOf, needsRoom, parseFileFacts, sameSource, screenSource } from "./source.ts";
import { readVirtualFaults, virtualFaultsFile } from "./virtual-faults.ts";
import { seedOf } from "./virtual-scene.ts";
import type { VirtualRoomOptions } from "./virtual-room.ts";

export { liveSound } from "./canceller.ts";
export { CaptureConfig, qualityFor } from "./config.ts";
export type { Quality, ScreenSource } from "./config.ts";
export { SEGMENT_LIST, SOUND_RATE, type ShareUrls } from "./plan.ts";
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
  config: Omit<CaptureConfig, "source"> & { source: CaptureConfig["source"] | ScreenSource };
  /** In tmpfs; survives the agent, not the boot. */
  runDirectory: string;
  /** Undefined: nothing of it is live. */
  liveUrl: ((kind: LiveKind, run: string) => string) | undefined;
  /** Where a run that starts now is to hand picture and sound to; null: nowhere. */
  share?: (() => ShareUrls | null) | undefined;
  /** Chooses where the source is made of devices. */
  devices: DeviceBook;
  /** Where the verdict on the graphics chip is kept; without it the processor encodes. */
  verdictFile?: string | undefined;
}

/** The running encoder's memory, one at a time. */
const MEMORY = "current.json";
/** With sound, and without. */
const SLATES = [join(import.meta.dirname, "slate-sound.png"), join(import.meta.dirname, "slate-silent.png")] as const;
/** As this file: on a box, without types. */
const ROOM_MAIN = join(import.meta.dirname, `virtual-room-main${extname(import.meta.filename)}`);
/** FFmpeg's complaint of a driver that says no frame rate and stamps by a clock of its own. */
const UNREADABLE_STAMPS = "Unknown timestamps";

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
  /** Cameras whose stamps FFmpeg cannot read: their pictures are stamped as they arrive. */
  private readonly unstamped = new Set<string>();
  private encoder: VideoEncoder = { kind: "software", why: "no trial has been made yet" };
  private trial: AbortController | undefined;
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

  /**
   * Chooses among what is plugged in now; undefined while a screen shows nothing that is to be recorded.
   * @param held in a session
   */
  async choose(held: boolean): Promise<Source | undefined> {
    // Asked for first: without it, nothing else is begun.
    await this.ffmpeg();
    const { config, clock, devices } = this.options;
    const { source } = config;
    if (source.kind === "screen") {
      if (!source.showing()) return undefined;
      const { sound } = source;
      const listed = { id: `pulse:${sound}`, kind: "pulse" as const, address: sound, name: "" };
      const microphones = (await hasPulse()) ? [listed] : [];
      const usable = this.avoided.usable({ cameras: [], microphones }, clock.monotonicMs());
      return screenSource(source, usable.microphones.length > 0);
    }
    if (this.rules) return this.chooseDevices(this.rules, await devices.list(), held);
    return chooseSource(source, this.quality, {
      devices: {},
      file: source.kind === "file" ? await this.askFile(source.path) : { picture: false, sound: false },
      ...(source.kind === "virtual" && { unplugged: this.unplugged() }),
    });
  }

  private get rules(): DeviceRules | undefined {
    const { source } = this.options.config;
    return source.kind === "auto" || source.kind === "devices" ? source : undefined;
  }

  private chooseDevices(rules: DeviceRules, listed: Devices, held: boolean): Source {
    const usable = this.avoided.usable(listed, this.options.clock.monotonicMs());
    const chosen = this.options.devices.choose(rules, listed, usable, held);
    const source = chooseSource(rules, this.quality, {
      devices: { ...chosen, liveSound: usable.liveSound },
      file: { picture: false, sound: false },
    });
    const { picture } = source;
    if (picture.kind !== "camera" || !this.unstamped.has(picture.path)) return source;
    return { ...source, picture: { ...picture, stamps: "arrival" } };
  }

  /** Learns from a run that came to an end by itself. @param words what FFmpeg said before */
  noteTrouble(run: EncoderRun, trouble: RunTrouble, words: string): void {
    const { devices, clock } = this.options;
    const { source } = run.memory;
    const { picture, sound } = source;
    if (trouble.kind === "deviceLost")
      for (const part of [picture, sound])
        if ("id" in part && part.id !== undefined && part.name === trouble.device) devices.noteLoss(part.id);
    devices.lookAgain();
    this.doubtEncoder(run, trouble, words);
    if (!run.stillborn()) return;
    if (picture.kind === "camera" && words.includes(UNREADABLE_STAMPS) && !this.unstamped.has(picture.path))
      this.unstamped.add(picture.path);
    else this.avoided.note(source, words, clock.monotonicMs());
  }

  /** Which encoder makes the record, and why. */
  videoEncoder(): VideoEncoder {
    return this.encoder;
  }

  /** Outside of sessions, once in a life: whether the graphics chip can encode. */
  tryHardware(): void {
    const { verdictFile, config, log } = this.options;
    if (this.trial || verdictFile === undefined || config.encoder === "software") return;
    const trial = new AbortController();
    this.trial = trial;
    const { signal } = trial;
    this.ffmpeg()
      .then((ffmpeg) => findEncoder({ ffmpeg, log, verdictFile, signal }))
      .then((encoder) => {
        if (signal.aborted) return;
        this.encoder = encoder;
        log.info("capture.encoder", { ...encoder });
      })
      .catch((error: unknown) => log.warn("capture.trialFailed", { cause: causeOf(error) }));
  }

  /** A session needs the machine; the trial is made after it. */
  stopTrial(): void {
    if (this.encoder.kind === "vaapi" || !this.trial) return;
    this.trial.abort();
    this.trial = undefined;
  }

  /** A chip that passed its trial and does not keep up in use has had its chance. */
  private doubtEncoder({ memory: { renderNode } }: EncoderRun, trouble: RunTrouble, words: string): void {
    const { encoder } = this;
    const { verdictFile, log } = this.options;
    if (renderNode == null || encoder.kind !== "vaapi" || trouble.kind === "deviceLost" || verdictFile === undefined)
      return;
    const why = `${renderNode} failed in use: ${words}`.slice(0, 500);
    this.encoder = { kind: "software", why };
    log.error("capture.hardwareFailed", { words });
    void keepVerdict(verdictFile, { of: encoder.why, good: false, why }, log);
  }

  /**
   * Whether another look finds a source that is worth a new take: at once where something is missing now, or when a
   * segment ends.
   */
  async better(run: EncoderRun): Promise<"now" | "atBorder" | undefined> {
    const { source, goal } = run.memory;
    const { devices } = this.options;
    const lacksPicture = source.picture.kind === "slate";
    const lacksSound = source.sound.kind === "silence";
    if (this.rules) {
      const recording = goal.kind === "record";
      this.noteUse(source, recording, run.outTimeMs() > 0);
      const { cameras, microphones } = devices.facts();
      const missed = missedDevice(cameras) ?? missedDevice(microphones);
      const listed = await devices.known(lacksPicture || lacksSound || missed !== undefined);
      const next = this.chooseDevices(this.rules, listed, recording);
      const ids = new Set([...listed.cameras, ...listed.microphones].map(({ id }) => id));
      return gainOf(source, next, ids, (id) => devices.steady(id));
    }
    if (!lacksPicture && !lacksSound) return undefined;
    // A film without sound has none tomorrow either; one that is not there may come.
    if (this.options.config.source.kind === "file" && !(lacksPicture && lacksSound)) return undefined;
    const next = await this.choose(goal.kind === "record");
    return next !== undefined && !sameSource(next, source) ? "now" : undefined;
  }

  private noteUse({ picture, sound }: Source, inSession: boolean, working: boolean): void {
    const camera = picture.kind === "camera" ? picture.id : undefined;
    const microphone = "name" in sound ? sound.id : undefined;
    this.options.devices.noteUse({ camera, microphone }, inSession, working);
  }

  /** Cameras and microphones, for people; undefined where none are chosen. */
  deviceFacts(): Health["devices"] {
    return this.rules && this.options.devices.facts();
  }

  /**
   * Whether the live sound is free of echo, and what can be done about it; undefined where nothing is sent that a
   * microphone hears. The encoder is left alone, unless its microphone is not there any more: the sound server would have
   * given it another one.
   */
  async tend(run: EncoderRun): Promise<Health["echo"]> {
    const { source, goal } = run.memory;
    const { sound, liveSound } = source;
    if (source.picture.kind === "screen" || !("name" in sound)) return undefined;
    const sources = sound.kind === "pulse" ? await pactl("list", "short", "sources") : undefined;
    if (sources?.includes("\t") && !sources.includes(`\t${sound.address}\t`)) run.missMicrophone(sound.name);
    if (goal.kind === "preview" && !goal.live) return undefined;
    if (liveSound === undefined) return "open";
    return sources === undefined ? undefined : tendLiveSound(sound.address, sources);
  }

  async start(goal: RunGoal, source: Source): Promise<EncoderRun> {
    const { clock, liveUrl, log } = this.options;
    const token = makeId("take", randomId()).slice(-8);
    const directory = this.folder(token);
    const [ffmpeg] = await Promise.all([this.ffmpeg(), this.freshFolder(token)]);
    const paths = runPaths(directory);
    const renderNode = goal.kind === "record" && this.encoder.kind === "vaapi" ? this.encoder.node : null;
    const argv = planEncoder({
      ffmpeg,
      source,
      quality: this.quality,
      paths,
      recordTo: goal.kind === "record" ? goal.directory : null,
      liveUrl:
        !liveUrl || (goal.kind === "preview" && !goal.live)
          ? null
          : { video: liveUrl("video", token), small: liveUrl("small", token), audio: liveUrl("audio", token) },
      ownPicture: source.picture.kind === "screen" ? null : this.ownPicture,
      share: this.options.share?.() ?? null,
      renderNode,
    });
    const memory: RunMemory = { token, goal, source, plannedWallMs: clock.wallMs(), ffmpeg, renderNode };
    if (this.rules) this.noteUse(source, goal.kind === "record", false);
    const { picture, sound } = source;
    if (picture.kind === "camera") this.beside("tuned", picture.path, tuneCamera(picture.path));
    if (sound.kind === "pulse" && picture.kind !== "screen")
      this.beside("level", sound.address, wakeMicrophone(sound.address));
    await this.writeMemory(memory);
    if (source.picture.kind === "slate")
      await copyFile(SLATES[source.sound.kind === "silence" ? 1 : 0], `${directory}/${SLATE_FILE}`);
    if (source.liveSound !== undefined && "name" in source.sound) await listenTo(source.sound.address);
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
      const adopted = adoptPid(encoder.pid, processIdentity, encoder.exited);
      if (!adopted) throw new CaptureError("diedAtStart", "the encoder ended at once");
      log.info("capture.started", { run: token, goal: goal.kind, source: source.words, pid: encoder.pid });
      return new EncoderRun({
        memory,
        directory,
        clock,
        ffmpeg: adopted,
        room: room && adoptPid(room.pid, processIdentity, room.exited),
        adopted: false,
        unplugged: () => this.unplugged(),
      });
    } finally {
      await complaints.close();
    }
  }

  /** Devices take it while they run, too: the start does not wait for it. */
  private beside(what: string, device: string, work: Promise<string>): void {
    const { log } = this.options;
    work.then(
      (done) => void (done && log.info(`capture.${what}`, { device, done })),
      (error: unknown) => log.warn("capture.notTuned", { device, cause: causeOf(error) }),
    );
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

  /** Plugs of a virtual room that are out; a screen counts as a camera. */
  private unplugged(): { camera: boolean; microphone: boolean } {
    const { source } = this.options.config;
    if (source.kind === "screen") return { camera: !source.showing(), microphone: false };
    const { picture, sound } = readVirtualFaults(virtualFaultsFile(this.options.runDirectory));
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
