import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseReleaseKeys, readRelease, type ReleaseKeys } from "../../evidence/evidence.ts";
import {
  causeOf,
  makeDirectory,
  moveDurable,
  openJsonStore,
  runForever,
  StoreError,
  type Clock,
  type JsonStore,
  type Log,
} from "../../platform/platform.ts";
import {
  judgeRelease,
  type BoxUpdate,
  type HubRelease,
  type ReleaseManifest,
  type ReleaseRefusal,
  type SignedRelease,
  type TakeId,
} from "../../protocol/protocol.ts";
import type { UpdateConfig } from "./config.ts";
import { isCountedBoot, readRunningImage, type RunningImage } from "./image.ts";
import type { Installer } from "./installer.ts";
import {
  afterBoot,
  memoryFile,
  NO_MEMORY,
  readTrialReport,
  updateFolder,
  UpdateMemory,
  type Fitted,
  type Tried,
} from "./kept.ts";
import { planUpdate, type UpdateSituation, type UpdateStep } from "./plan.ts";
import { sayUpdate, type Said } from "./statement.ts";
import { Staging, StagingError, type FetchFile } from "./staging.ts";

export { UpdateConfig } from "./config.ts";
export { createFileInstaller } from "./installer.ts";
export type { FetchFile } from "./staging.ts";

export interface UpdateOptions {
  log: Log;
  clock: Clock;
  config: UpdateConfig;
  dataDirectory: string;
  installer: Installer;
  fetch: FetchFile;
  /** As the hub said it last; undefined before it said anything in this life. */
  release: () => HubRelease | undefined;
  /** What the rest of the agent knows; asked once a second. */
  situation: () => Pick<UpdateSituation, "connected" | "lineIsGood" | "assignment" | "own" | "nowUtcMs">;
  /** Files of recordings wait for the same line: the download takes a quarter of what it may. */
  syncWaits: () => boolean;
  fitted: () => Fitted;
  /** The last take of a session that has ended, and whether the hub has signed for all of it. */
  lastRecorded: () => { take: TakeId; verified: boolean } | null;
  tell: (statement: BoxUpdate) => void;
}

export interface Update {
  run(signal: AbortSignal): Promise<void>;
}

const LOOK_MS = 1_000;
const RETRY = { baseMs: 2_000, capMs: 60_000 };

/** Throws where image or keys cannot be read: such a box has no updates, and everything else. */
export async function openUpdate(options: UpdateOptions): Promise<Update> {
  const { config, dataDirectory, log, clock } = options;
  const [image, pem] = await Promise.all([readRunningImage(config.osRelease), readFile(config.keys, "utf8")]);
  await makeDirectory(updateFolder(dataDirectory));
  const file = memoryFile(dataDirectory);
  const openMemory = () =>
    openJsonStore<UpdateMemory>(file, (data) => UpdateMemory.parse(data), structuredClone(NO_MEMORY));
  const memory = await openMemory().catch(async (error: unknown) => {
    if (!(error instanceof StoreError)) throw error;
    await moveDurable(file, `${file}.unreadable-${Math.floor(clock.wallMs())}`);
    log.error("update.memorySetAside", { cause: causeOf(error) });
    return openMemory();
  });
  return new BoxUpdater(options, image, parseReleaseKeys(pem), memory);
}

type Offer = { id: string; attempt: number; manifest: ReleaseManifest; signed: SignedRelease; staging: Staging };

/**
 * INVARIANTS
 * - Nothing here touches a recording, and nothing of a recording waits for it.
 * - A release is downloaded, installed and started only after its signature and its manifest were judged here, whatever
 *   the hub says; its files are judged when they are whole, and once more by who installs them.
 * - What failed is on disk before the hub hears of it, and is tried again only under a higher attempt.
 */
class BoxUpdater implements Update {
  private readonly options: UpdateOptions;
  private readonly image: RunningImage;
  private readonly keys: ReleaseKeys;
  private readonly memory: JsonStore<UpdateMemory>;
  private considered: HubRelease | undefined;
  private offer: Offer | null = null;
  private refused: Said | undefined;
  private counted = true;
  private installing = false;
  private told = "";

  constructor(options: UpdateOptions, image: RunningImage, keys: ReleaseKeys, memory: JsonStore<UpdateMemory>) {
    this.options = options;
    this.image = image;
    this.keys = keys;
    this.memory = memory;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log, clock, config } = this.options;
    log.info("update.running", { version: this.image.version, ...this.image.hardware });
    await runForever({ name: "update", clock, log, ...RETRY }, signal, async (signal) => {
      this.counted = await isCountedBoot(config.firmwareVariables);
      for (;;) {
        await this.look();
        await this.act(this.plan(), signal);
        await clock.sleep(LOOK_MS, signal);
      }
    });
  }

  /** What has happened since the last look, and what is to be said of it. */
  private async look(): Promise<void> {
    await this.lookAtBoot();
    await this.lookAtRecordings();
    const message = this.options.release();
    if (message && message !== this.considered) {
      await this.consider(message.release);
      this.considered = message;
    }
    this.tell();
  }

  private async lookAtBoot(): Promise<void> {
    const { tried } = this.memory.data;
    if (tried?.phase !== "installed") return;
    const { clock, dataDirectory, log } = this.options;
    const now = { running: this.image.version, bootId: clock.bootId, counted: this.counted };
    const next = afterBoot(tried, { ...now, report: await readTrialReport(dataDirectory) });
    if (next.phase === tried.phase) return;
    await this.memory.update((data) => {
      data.tried = { ...tried, ...next };
      if (next.phase === "done") data.unproven = { version: tried.version, lastTake: tried.lastTake };
    });
    log.info("update.ended", { version: tried.version, phase: next.phase, reason: next.reason, detail: next.detail });
  }

  private async lookAtRecordings(): Promise<void> {
    const { unproven } = this.memory.data;
    if (unproven?.version !== this.image.version) return;
    const last = this.options.lastRecorded();
    if (!last?.verified || last.take === unproven.lastTake) return;
    await this.memory.update((data) => (data.unproven = null));
    this.options.log.info("update.proven", { version: unproven.version, take: last.take });
  }

  /** Judges what the hub names, as if anybody could have named it. */
  private async consider(release: HubRelease["release"]): Promise<void> {
    const { options, image } = this;
    this.refused = undefined;
    if (!release) {
      this.offer = null;
      return;
    }
    const { attempt } = release;
    const verdict = readRelease(release, this.keys);
    if (!verdict.ok) return this.refuse(null, verdict);
    const { id, manifest, signed } = verdict;
    const named = { id, version: manifest.version, attempt };
    if (this.offer?.id === id && this.offer.attempt === attempt) return;
    this.offer = null;
    if (manifest.version === image.version) return;
    const wrong = judgeRelease(manifest, { running: image.version, hardware: image.hardware });
    if (wrong) return this.refuse(named, wrong);
    const { tried } = this.memory.data;
    if (tried?.id === id && tried.attempt >= attempt && (tried.phase === "failed" || tried.phase === "refused")) return;
    const { log, clock, fetch, config } = options;
    const staging = await Staging.open({
      ...{ log, clock, fetch, id, manifest, directory: join(updateFolder(options.dataDirectory), "staged") },
      limitBytesPerS: () => config.limitKibPerS * (options.syncWaits() ? 256 : 1_024),
    });
    this.offer = { id, attempt, manifest, signed, staging };
    log.info("update.offered", { version: manifest.version, attempt, haveBytes: staging.haveBytes() });
  }

  private refuse(release: BoxUpdate["release"], { reason, detail }: { reason: ReleaseRefusal; detail: string }): void {
    this.offer = null;
    this.refused = { state: "refused", release, percent: 0, reason, detail };
    this.options.log.warn("update.refused", { reason, detail, version: release?.version });
  }

  private situation(): UpdateSituation {
    const { offer, memory, image } = this;
    const { tried, unproven } = memory.data;
    const installed = tried?.phase === "installed" && tried.version !== image.version;
    const isIt = installed && offer?.id === tried.id;
    return {
      ...this.options.situation(),
      wanted: !offer
        ? null
        : isIt
          ? "installed"
          : offer.staging.isWhole()
            ? "staged"
            : offer.staging.haveBytes() > 0
              ? "parts"
              : "nothing",
      installed,
      proven: unproven?.version !== image.version,
    };
  }

  private plan(): UpdateStep {
    // On trial there is one thing to do, and the gate does it.
    return this.onTrial() ? { do: "nothing" } : planUpdate(this.situation());
  }

  private onTrial(): boolean {
    const { tried } = this.memory.data;
    return tried?.phase === "installed" && tried.version === this.image.version;
  }

  private async act(step: UpdateStep, signal: AbortSignal): Promise<void> {
    const { offer } = this;
    if (step.do === "download" && offer) await this.download(offer, signal);
    else if (step.do === "install" && offer) await this.install(offer, signal);
    else if (step.do === "restart") {
      this.options.log.info("update.restarting", { version: offer?.manifest.version });
      await this.options.installer.restart();
    }
  }

  /** Until it is whole, the line breaks, or something else is to be done. */
  private async download(offer: Offer, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options;
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const watching = (async () => {
      while (!both.aborted) {
        await clock.sleep(LOOK_MS, both).catch(() => {});
        if (both.aborted) return;
        this.tell();
        if (this.options.release() !== this.considered || this.plan().do !== "download")
          stop.abort(new Error("the download yields"));
      }
    })();
    try {
      await offer.staging.download(both);
      log.info("update.staged", { version: offer.manifest.version });
    } catch (error) {
      if (error instanceof StagingError) await this.giveUp(offer, "refused", error.code, error.message);
      else if (!stop.signal.aborted) throw error;
    } finally {
      stop.abort();
      await watching;
    }
  }

  private async install(offer: Offer, signal: AbortSignal): Promise<void> {
    const { log, installer } = this.options;
    this.installing = true;
    this.tell();
    let outcome: Awaited<ReturnType<Installer["install"]>>;
    try {
      log.info("update.installing", { version: offer.manifest.version });
      await offer.staging.writeSigned(offer.signed);
      outcome = await installer.install(offer.staging.directory, signal);
    } finally {
      this.installing = false;
    }
    if (!outcome.ok) {
      log.error("update.installFailed", { reason: outcome.reason, detail: outcome.detail });
      await offer.staging.reexamine();
      return this.giveUp(offer, "failed", "installFailed", `${outcome.reason}: ${outcome.detail}`);
    }
    await this.keep(this.tryOf(offer, "installed", null, ""));
    log.info("update.installed", { version: offer.manifest.version });
    // A session may have been planned meanwhile: the plan knows.
    await this.act(this.plan(), signal);
  }

  private async giveUp(offer: Offer, phase: "failed" | "refused", reason: string, detail: string): Promise<void> {
    this.offer = null;
    await this.keep(this.tryOf(offer, phase, reason, detail));
    this.options.log.warn("update.givenUp", { version: offer.manifest.version, reason, detail });
  }

  private tryOf({ id, attempt, manifest }: Offer, phase: Tried["phase"], reason: string | null, detail: string): Tried {
    const { clock, fitted, lastRecorded } = this.options;
    return {
      ...{ id, version: manifest.version, attempt, bootId: clock.bootId, former: this.image.version },
      ...{ phase, reason, detail: detail.slice(0, 300), fitted: fitted(), lastTake: lastRecorded()?.take ?? null },
    };
  }

  private keep(tried: Tried): Promise<void> {
    return this.memory.update((data) => (data.tried = tried));
  }

  private tell(): void {
    const { offer, refused, installing, image } = this;
    const said = sayUpdate({
      ...{ running: image.version, onTrial: this.onTrial(), installing, refused, step: this.plan() },
      offer: offer && {
        release: { id: offer.id, version: offer.manifest.version, attempt: offer.attempt },
        percent: offer.staging.percent(),
      },
      tried: this.memory.data.tried,
    });
    const { proven } = this.situation();
    const statement: BoxUpdate = { type: "update", running: image.version, hardware: image.hardware, proven, ...said };
    const text = JSON.stringify(statement);
    if (text === this.told) return;
    this.told = text;
    this.options.tell(statement);
  }
}
