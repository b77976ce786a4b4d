import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import { createSigner } from "../evidence/evidence.ts";
import {
  causeOf,
  isoUtc,
  makeDirectory,
  randomId,
  runForever,
  writeDurable,
  type Clock,
  type Log,
} from "../platform/platform.ts";
import {
  lampsOf,
  type Health,
  type ResetOutcome,
  type RoomLevel,
  type SessionId,
  type SignedRecord,
} from "../protocol/protocol.ts";
import { openAlarms } from "./alarms/alarms.ts";
import { readEdgeConfig, type EdgeConfig } from "./config.ts";
import {
  certificateSha256,
  keepPaired,
  keepRenewed,
  loadIdentity,
  makeRequest,
  storeIdentity,
  withCertificate,
  type BoxIdentity,
} from "./identity/identity.ts";
import { qualityFor } from "./capture/capture.ts";
import { createInspection } from "./inspection/inspection.ts";
import { Companion, wantedPage } from "./companion/companion.ts";
import { bothTracks, openRecorder, type Recorder } from "./recording/recording.ts";
import { beginReset, finishReset, judgeReset, openProvisioning, orderOf } from "./provisioning/provisioning.ts";
import { bytesPerMinute, openSpace } from "./space/space.ts";
import { hubNow, newHubTime, type OffsetAt } from "./hub-time.ts";
import { RoomSessions } from "./room-sessions.ts";
import { currentSession, nextSession, withOwn } from "./schedule.ts";
import { openEdgeState } from "./state.ts";
import { createHubPairing, openUplink } from "./uplink/uplink.ts";
import { feedWatchdog, watchdogTerms } from "./watchdog/watchdog.ts";

/** sysexits.h EX_TEMPFAIL: start again, the configuration has changed. */
const EXIT_RECONFIGURED = 75;
/** By then the recorder has looked through what an earlier life left. */
const SETTLED_MS = 10_000;
/** Of the requests to root's units. */
const RESET_REQUEST = "factory-reset";
/** How loud it is, is told as often as it is measured. */
const LISTEN_EVERY_MS = 200;
/** The schedule is looked at this often. */
const LOOK_EVERY_MS = 250;

export interface Surroundings {
  log: Log;
  clock: Clock;
  /** Aborted by the first SIGTERM. */
  stopped: AbortSignal;
  configFile: string;
}

/**
 * Puts the agent together, runs it until it is stopped or its configuration has changed, and gives its exit code.
 *
 * INVARIANTS
 * - The recorder runs before anything else is imported or any connection is opened, and stops last.
 * - What the recorder does follows from identity and the room's sessions (`follow`).
 */
export async function runAgent(config: EdgeConfig, { log, clock, stopped, configFile }: Surroundings): Promise<number> {
  const { dataDirectory, runDirectory } = config;
  const agentVersion = readVersion();
  const recordingsDirectory = join(dataDirectory, "recordings");
  const identityDirectory = join(dataDirectory, "identity");
  const bornMs = clock.monotonicMs();
  if (await finishReset(dataDirectory)) log.warn("reset.finished");
  await makeDirectory(recordingsDirectory);
  await makeDirectory(runDirectory);
  const ending = new AbortController();
  stopped.addEventListener("abort", () => ending.abort(stopped.reason));
  if (stopped.aborted) ending.abort(stopped.reason);

  const state = await openEdgeState(dataDirectory, log, clock);
  let identity = await loadIdentity(identityDirectory, log, clock);
  const inSession = () => sessions.isOn();
  const listeners: (() => void)[] = [];
  const changed = () => listeners.forEach((listener) => listener());
  const told = (isChanged: boolean) => {
    if (isChanged) changed();
    return isChanged;
  };

  const { record, live } = qualityFor(config.capture, availableParallelism());
  const space = await openSpace({
    log,
    clock,
    dataDirectory,
    secondMedium: config.secondMedium?.directory,
    bytesPerMinute: bytesPerMinute(record),
    screenBytesPerMinute: bytesPerMinute(config.companion.record),
    assignment: () => withOwn(state.assignment(), state.own()),
    ledger: (take) => state.ledger(take),
    ledgerTakes: () => state.ledgerTakes(),
    forgetTakes: (takes) => state.forgetTakes(takes),
    box: () => identity?.box ?? null,
    receiptKey: () => identity && createPublicKey(identity.receiptKeyPem),
  });
  await using provisioning = await openProvisioning({
    ...{ log, clock, dataDirectory, config: config.provisioning, baked: config.hub },
    probe: async (address, signal) => {
      const { caPem, hubMs } = await createHubPairing(address).probe(signal);
      return { caSha256: certificateSha256(caPem), hubMs };
    },
  });
  await using uplink = await openUplink({
    log,
    clock,
    hub: provisioning.hub,
    runDirectory,
    agentVersion,
    state,
    space,
    onOrder: (message) => {
      if (message.type === "renewed") renew(message.certificatePem);
      else {
        const { order } = message;
        uplink.send({ type: "resetAnswer", order: orderOf(order), outcome: reset(order) });
      }
    },
    limitKibPerS: () => (config.sync.limitKibPerS > 0 && inSession() ? config.sync.limitKibPerS : undefined),
    onChange: changed,
    onDevices: (order) => recorder.setDeviceOrder(order),
    diskKeyFile: config.diskKeyFile,
  });
  const offsetAt: OffsetAt = (wallMs, monotonicMs) => uplink.hubOffset(wallMs, monotonicMs);
  const nowAtHub = () => hubNow(clock, state.hubTime(), offsetAt);
  const sessions = new RoomSessions({ log, clock, state, offsetAt, hub: uplink });
  const recorder = await openRecorder({
    clock,
    log,
    config: config.capture,
    dataDirectory,
    runDirectory,
    liveUrl: (kind, run) => uplink.liveUrl(kind, run),
    hubOffset: offsetAt,
    agentVersion,
    fallback: space.fallback(),
  });
  let latest: Health | null = null;
  const companion = new Companion({
    ...{ log, clock, config: config.companion, scripts: config.companion.scripts, dataDirectory, runDirectory },
    picture: { width: live.width, height: live.height, frameRate: record.frameRate },
    sign: () => {
      const { picture, sound, link } = lampsOf(latest ?? undefined, uplink.connected(), inSession());
      return { recording: recorder.facts().recording.growing, lamps: { picture, sound, link } };
    },
    onChange: changed,
  });
  let screen: Recorder | undefined;
  /** Sessions of which this life of the agent was to record the screen, while they are on the schedule. */
  const carried = new Map<SessionId, string>();
  const follow = () => {
    if (!identity) {
      companion.show(null);
      for (const track of [recorder, screen]) track?.setSession(null, "sessionEnded");
      return;
    }
    const time = newHubTime(clock, state.hubTime(), offsetAt);
    if (time) state.setHubTime(time).catch((error: unknown) => log.error("agent.notKept", { cause: causeOf(error) }));
    const wasInSession = inSession();
    const { session, why } = sessions.follow();
    const recorded = session && { id: session.id, startedAt: sessions.inRecorderTime(session.startedAt) };
    recorder.setSession(recorded, why);
    const ended = (state.assignment()?.sessions ?? []).flatMap(({ id, state, endedAt }) =>
      state === "ended" && endedAt !== null ? [{ id, endedAt }] : [],
    );
    recorder.setEnded(ended);
    const page = wantedPage(sessions.situation(), config.companion.openMinutes);
    companion.show(page);
    recorder.setShare(companion.share());
    const carries = recorded !== null && page?.session === recorded.id;
    const known = new Set([session?.id, ...(state.assignment()?.sessions ?? []).map(({ id }) => id)]);
    for (const id of carried.keys()) if (!known.has(id)) carried.delete(id);
    if (carries) carried.set(recorded.id, carried.get(recorded.id) ?? recorded.startedAt);
    screen?.setSession(carries ? recorded : null, why);
    screen?.setEnded(ended.map((each) => ({ ...each, startedAt: carried.get(each.id) ?? null })));
    if (wasInSession && !session) uplink.syncNow();
  };
  const assume = (next: BoxIdentity | null) => {
    identity = next;
    uplink.setIdentity(next);
    recorder.setIdentity(signingAs(next));
    screen?.setIdentity(signingAs(next));
  };
  let renewed: BoxIdentity | undefined;
  /** Stored at once; used when no session is recorded, since every connection begins anew with it. */
  const renew = (certificatePem: string) => {
    if (!identity) return;
    const judged = withCertificate(identity, certificatePem);
    if (!judged.ok) {
      log.error("renewal.refused", { fault: judged.fault });
      return;
    }
    storeIdentity(identityDirectory, judged.identity)
      .then(() => {
        log.info("renewal.done");
        renewed = judged.identity;
        changed();
      })
      .catch((error: unknown) => log.error("renewal.notKept", { cause: causeOf(error) }));
  };
  const useRenewed = () => {
    if (!renewed || inSession() || renewed.box !== identity?.box) return;
    const next = renewed;
    renewed = undefined;
    assume(next);
  };
  const settled = () => clock.monotonicMs() - bornMs >= SETTLED_MS;
  const reset = (order: SignedRecord | undefined): ResetOutcome => {
    const outcome = judgeReset(order, {
      identity: identity && { box: identity.box, receiptKey: createPublicKey(identity.receiptKeyPem) },
      hubMs: nowAtHub().utcMs,
      recording: inSession() || recorder.facts().recording.growing || !settled(),
      unsynced: uplink.unsynced(),
    });
    log.warn("reset.ordered", { outcome: outcome.state, reason: outcome.state === "refused" ? outcome.reason : null });
    if (outcome.state === "done")
      forget().catch((error: unknown) => log.error("reset.failed", { cause: causeOf(error) }));
    return outcome;
  };
  const forget = async () => {
    const { requestDirectory } = config.provisioning;
    if (requestDirectory !== undefined) {
      // Root makes the data's disk anew, and with it the key that it is encrypted with.
      await writeDurable(join(requestDirectory, RESET_REQUEST), "", 0o644);
      return;
    }
    await beginReset(dataDirectory);
    ending.abort(new Error("a factory reset was ordered"));
  };
  assume(identity);
  follow();
  const recording = recorder.run(ending.signal);
  const startedMs = Math.round(clock.wallMs() - performance.timeOrigin);
  log.info("agent.recording", { afterMs: startedMs, agentVersion, box: identity?.box });

  screen = await openScreen().catch((error: unknown) => {
    log.error("agent.partFailed", { part: "screen", cause: causeOf(error) });
    return undefined;
  });
  screen?.setIdentity(signingAs(identity));
  const recordingScreen = screen?.run(ending.signal);
  const recorded = screen ? bothTracks(recorder, screen) : recorder;

  listeners.push(follow, useRenewed, () => space.nudge());
  let lookedMs = clock.monotonicMs();
  const looking = runForever(
    { name: "schedule", clock, log, baseMs: LOOK_EVERY_MS, capMs: LOOK_EVERY_MS },
    ending.signal,
    async (signal) => {
      for (;;) {
        await clock.sleep(LOOK_EVERY_MS, signal);
        lookedMs = clock.monotonicMs();
        follow();
      }
    },
  );
  const around = new AbortController();
  const alarms = await openAlarms({ dataDirectory, clock, log, utcMs: () => nowAtHub().utcMs });
  const inspection = createInspection({
    clock,
    log,
    writing: () => recorder.writing(),
    ffmpeg: () => recorder.ffmpeg(),
    runDirectory,
  });
  /** What fails beside the recording is written down and leaves the recording alone. */
  const beside = (part: string, work: Promise<void>) =>
    work.catch((error: unknown) => log.error("agent.partFailed", { part, cause: causeOf(error) }));
  const sending = beside("uplink", uplink.run(recorded, alarms, around.signal));
  const inspecting = beside("inspection", inspection.run(around.signal));
  const pairing = keepPaired(
    {
      ...{ log, clock, hub: createHubPairing(provisioning.hub), directory: identityDirectory, agentVersion },
      description: hostname(),
      caSha256: () => provisioning.caSha256(),
      identity: () => identity,
      refused: () => uplink.refused(),
      assume: async (next) => {
        // Its revisions and sessions belong to the identity of before.
        await state.forgetAssignment();
        for (const track of [recorder, screen]) track?.setSession(null, "sessionEnded");
        companion.show(null);
        assume(next);
      },
      onChange: changed,
    },
    ending.signal,
  );
  listeners.push(pairing.look);
  pairing.look();
  const keepingSpace = beside("space", space.run(recorded, around.signal));
  const showing = beside("room", showRoom(around.signal));
  const watching = beside("configuration", watchConfiguration(around.signal));
  const findingHub = beside(
    "provisioning",
    provisioning.run(
      {
        reached: () => {
          const shown = pairing.shown();
          return uplink.connected() || (shown.state === "code" && shown.hubAnswers);
        },
        inSession,
        ownCaSha256: () => (identity ? certificateSha256(identity.caPem) : undefined),
        settled,
        onReset: reset,
        onChange: changed,
      },
      around.signal,
    ),
  );
  const renewing = beside(
    "renewal",
    keepRenewed(
      {
        ...{ log, clock, identity: () => identity, connected: () => uplink.connected() },
        request: ({ keyPem }) => makeRequest(identityDirectory, keyPem),
        ask: (csrPem) => void uplink.send({ type: "renew", csrPem }),
      },
      around.signal,
    ),
  );
  const carrying = beside("companion", companion.run(around.signal));
  const updating = config.update && beside("update", keepUpdated(config.update, around.signal));
  const loops = {
    recording: () => recorder.turnedMs(),
    inspection: () => inspection.turnedMs(),
    schedule: () => lookedMs,
  };
  const terms = watchdogTerms(process.env, process.pid);
  const feeding = beside("watchdog", feedWatchdog({ log, clock, terms, loops }, ending.signal));

  await Promise.all([recording, looking, recordingScreen]);
  // The last records of the take have been written; those that the open channel takes go now, the rest next time.
  around.abort(new Error("the agent ends"));
  await Promise.all([
    sending,
    keepingSpace,
    inspecting,
    showing,
    watching,
    carrying,
    findingHub,
    renewing,
    feeding,
    updating,
  ]);
  const exitCode = stopped.aborted ? 0 : EXIT_RECONFIGURED;
  log.info("agent.ended", { exitCode });
  return exitCode;

  /** Whether the session that is being recorded is one that another system carries. */
  function carriedNow(): boolean {
    const { session } = sessions.goal;
    return session !== null && companion.wanted()?.session === session.id;
  }

  function shownCompanion(): { name: string; showing: boolean } | null {
    const page = companion.wanted();
    return page && { name: page.name, showing: companion.showing() };
  }

  /** The second track: after the first has begun, and without it nothing is missing but itself. */
  async function openScreen(): Promise<Recorder> {
    const { display, sound, record } = config.companion;
    const directory = join(runDirectory, "screen");
    await makeDirectory(directory);
    return openRecorder({
      ...{ clock, log, dataDirectory, runDirectory: directory, agentVersion, hubOffset: offsetAt },
      config: { source: { kind: "screen", display, sound, showing: () => companion.showing() }, record, live: "auto" },
      liveUrl: undefined,
    });
  }

  /** Health for the hub and the page for the TV. A page that cannot be served is tried again, and stops nothing. */
  async function showRoom(signal: AbortSignal): Promise<void> {
    const [{ openRoom, roomState, ownAddresses, adHocName, keepScreen }, { Machine, reportHealth }, { SoundTester }] =
      await Promise.all([import("./room/room.ts"), import("./health/health.ts"), import("./sound-test/sound-test.ts")]);
    await using soundTest = await SoundTester.open({
      ...{ log, clock, runDirectory, onChange: changed },
      nowUtc: () => isoUtc(nowAtHub().utcMs),
      ffmpeg: () => recorder.ffmpeg(),
      microphone: () => recorder.microphone(),
      inSession: () =>
        currentSession(sessions.situation()) !== null || inSession() || recorder.facts().recording.growing,
    });
    const levelListeners = new Set<(level: RoomLevel) => void>();
    const listening = runForever(
      { name: "levels", clock, log, baseMs: LISTEN_EVERY_MS, capMs: 10_000 },
      signal,
      async (signal) => {
        for (let told = 0; ;) {
          await clock.sleep(LISTEN_EVERY_MS, signal);
          const level = recorder.level();
          if (!level || level.count === told) continue;
          told = level.count;
          uplink.tellLevel(level);
          for (const listener of levelListeners) listener(level);
        }
      },
    );
    const compose = (machine: Awaited<ReturnType<InstanceType<typeof Machine>["measure"]>>): Health => {
      const facts = recorder.facts();
      const { segments, bytes } = uplink.unsynced();
      // Omit of a loose object forgets its keys.
      const recording = { ...facts.recording, unsyncedSegments: segments, unsyncedBytes: bytes } as Health["recording"];
      const room = space.facts();
      const report = inspection.report();
      // An absent device is known at once; what it gives is looked for in the file.
      const picture = report && facts.picture === "unknown" ? report.picture : facts.picture;
      const sound = report && facts.sound.state === "unknown" ? report.sound : facts.sound;
      const standing = alarms.look(sessions.goal.session?.id ?? null, {
        ...{
          mustRecord: inSession(),
          growing: recording.growing,
          encoder: facts.encoder,
          picture,
          sound,
          echo: facts.echo,
          devices: facts.devices,
          report,
          disks: machine.disks,
          unreadable: recorder.unreadable().union(uplink.unreadable()),
          batteryEmpty: machine.batteryEmpty,
        },
        screen: carriedNow()
          ? { growing: screen?.facts().recording.growing ?? false, showing: companion.showing() }
          : null,
      });
      return {
        ...{ ...machine, ...facts, picture, sound, agentVersion, link: uplink.link(), recording },
        soundTest: soundTest.result(),
        ...{ file: report?.file ?? null, alarms: standing, ...(room && { space: room }) },
      };
    };
    /** The session whose recording came to an end last. */
    const lastRecorded = () => {
      const last = recorder.takes().at(-1);
      if (!last?.ended || last.session === sessions.goal.session?.id) return null;
      const known = [...(state.assignment()?.sessions ?? []), ...state.own()].find(({ id }) => id === last.session);
      return { session: last.session, name: known?.name ?? "", ...uplink.receipted(last.session) };
    };
    const serving = runForever({ name: "room", clock, log, baseMs: 1_000, capMs: 10_000 }, signal, async (signal) => {
      await using room = await openRoom({
        log,
        clock,
        port: config.room.port,
        ui: config.room.ui,
        ownPicture: () => recorder.ownPicture(),
        begin: (session) => told(identity !== null && sessions.beginByHand(session, adHocName(nowAtHub().utcMs))),
        end: (session) => told(sessions.endByHand(session)),
        hand: (session, raised) => uplink.raiseHand(session, raised),
        soundTest(act) {
          if (act === "start") return soundTest.start() === "started";
          soundTest.stop();
          return true;
        },
        openLive: (request) => uplink.openLive(request),
        state: () =>
          roomState({
            nowUtc: isoUtc(clock.wallMs()),
            pairing: pairing.shown(),
            identity,
            situation: sessions.situation(),
            last: lastRecorded(),
            companion: shownCompanion(),
            connected: uplink.connected(),
            health: latest,
            stage: uplink.stage(),
            watchedBy: uplink.watchedBy(),
            unsynced: uplink.unsynced(),
            hubAddress: provisioning.shownHub(),
            network: provisioning.network(),
            stick: provisioning.stick(),
            soundTest: soundTest.state(),
            addresses: ownAddresses(),
            agentVersion,
          }),
      });
      const { heard } = room;
      listeners.push(() => room.changed());
      levelListeners.add(heard);
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      levelListeners.delete(heard);
    });
    const beganMs = clock.monotonicMs();
    const lighting = keepScreen(
      {
        ...{ clock, log, hours: config.room.screenHours },
        facts: () => {
          const next = nextSession(sessions.situation())?.scheduledAt ?? null;
          return {
            utcMs: nowAtHub().utcMs,
            runningMs: clock.monotonicMs() - beganMs,
            paired: pairing.shown().state === "paired",
            inSession: inSession(),
            nextSessionUtcMs: next === null ? null : Date.parse(next),
          };
        },
      },
      signal,
    );
    await reportHealth(
      {
        log,
        clock,
        machine: new Machine(clock, dataDirectory, runDirectory),
        compose,
        mustRecord: inSession,
        connected: () => uplink.connected(),
        send: (health) => uplink.sendHealth(health),
        onLook: (health) => (latest = health),
      },
      signal,
    );
    await Promise.all([serving, listening, lighting]);
  }

  /** The box's whole system, as the hub's administrator publishes it. */
  async function keepUpdated(update: NonNullable<EdgeConfig["update"]>, signal: AbortSignal): Promise<void> {
    const { createFileInstaller, openUpdate } = await import("./update/update.ts");
    const updater = await openUpdate({
      ...{ log, clock, config: update, dataDirectory },
      installer: createFileInstaller(update.requests, clock, () => Buffer.from(randomId().subarray(2)).toString("hex")),
      fetch: uplink.fetchFile,
      release: () => uplink.release(),
      situation: () => ({
        connected: uplink.connected(),
        lineIsGood: uplink.link().quality === "full",
        assignment: state.assignment(),
        own: state.own(),
        nowUtcMs: nowAtHub().utcMs,
      }),
      syncWaits: () => uplink.unsynced().segments > 0,
      fitted: () => {
        const { picture, sound } = recorder.facts();
        return { camera: picture !== "none", microphone: sound.state !== "none" };
      },
      lastRecorded: () => {
        const last = recorder.takes().at(-1);
        if (!last?.ended || last.session === sessions.goal.session?.id) return null;
        const { segments, verified } = uplink.receipted(last.session);
        return { take: last.take, verified: segments > 0 && verified === segments };
      },
      tell: (statement) => uplink.tellUpdate(statement),
    });
    await updater.run(signal);
  }

  /** A changed configuration takes effect by an orderly end and a new start, and never in mid-session. */
  async function watchConfiguration(signal: AbortSignal): Promise<void> {
    const { watch } = await import("chokidar");
    const watcher = watch(configFile, { ignoreInitial: true });
    let isChanged = false;
    const look = () => {
      if (!isChanged || inSession()) return;
      log.info("config.changed");
      ending.abort(new Error("the configuration has changed"));
    };
    const read = async () => {
      try {
        isChanged = JSON.stringify(await readEdgeConfig(configFile)) !== JSON.stringify(config);
        look();
      } catch (error) {
        log.error("config.refused", { cause: causeOf(error) });
      }
    };
    watcher.on("all", () => void read());
    listeners.push(look);
    if (!signal.aborted)
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    await watcher.close();
  }
}

const signingAs = (identity: BoxIdentity | null) =>
  identity && { box: identity.box, point: identity.point.id, signer: createSigner(identity.keyPem) };

const readVersion = (): string =>
  (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;
