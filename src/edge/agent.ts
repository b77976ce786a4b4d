import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import { createSigner } from "../evidence/evidence.ts";
import { causeOf, isoUtc, makeDirectory, randomId, runForever, type Clock, type Log } from "../platform/platform.ts";
import { makeId, type Health, type RoomPairing, type RoomSession, type SessionId } from "../protocol/protocol.ts";
import { openAlarms } from "./alarms/alarms.ts";
import { readEdgeConfig, type EdgeConfig } from "./config.ts";
import { loadIdentity, pair, type BoxIdentity } from "./identity/identity.ts";
import { qualityFor } from "./capture/capture.ts";
import { createInspection } from "./inspection/inspection.ts";
import { openRecorder } from "./recording/recording.ts";
import { bytesPerMinute, openSpace } from "./space/space.ts";
import { hubNow, newHubTime, readHubTime } from "./hub-time.ts";
import { decide, offerOf, withOwn, type RecordingGoal, type Situation } from "./schedule.ts";
import { openEdgeState } from "./state.ts";
import { createHubPairing, openUplink } from "./uplink/uplink.ts";

/** sysexits.h EX_TEMPFAIL: start again, the configuration has changed. */
const EXIT_RECONFIGURED = 75;
const PAIR_AGAIN_MS = 5_000;
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
 * - What the recorder does follows from identity, cached schedule and the room's own sessions (`follow`). A connection
 *   only tells whether somebody else is there to begin what is due.
 * - A session begun here is in memory before the recorder hears of it, and on its way to the disk at the same time: a
 *   slow disk delays no recording.
 */
export async function runAgent(config: EdgeConfig, { log, clock, stopped, configFile }: Surroundings): Promise<number> {
  const { dataDirectory, runDirectory } = config;
  const agentVersion = readVersion();
  const recordingsDirectory = join(dataDirectory, "recordings");
  const identityDirectory = join(dataDirectory, "identity");
  await makeDirectory(recordingsDirectory);
  await makeDirectory(runDirectory);
  const ending = new AbortController();
  stopped.addEventListener("abort", () => ending.abort(stopped.reason));
  if (stopped.aborted) ending.abort(stopped.reason);

  const state = await openEdgeState(dataDirectory, log, clock);
  let identity = await loadIdentity(identityDirectory, log, clock);
  let goal: RecordingGoal = { session: null, why: "sessionEnded" };
  const inSession = () => goal.session !== null;
  let awaySinceMs: number | undefined = clock.monotonicMs();
  const listeners: (() => void)[] = [];
  const changed = () => listeners.forEach((listener) => listener());

  const { record } = qualityFor(config.capture, availableParallelism());
  const space = await openSpace({
    log,
    clock,
    dataDirectory,
    secondMedium: config.secondMedium?.directory,
    bytesPerMinute: bytesPerMinute(record),
    assignment: () => withOwn(state.assignment(), state.own()),
    ledger: (take) => state.ledger(take),
    box: () => identity?.box ?? null,
    receiptKey: () => identity && createPublicKey(identity.receiptKeyPem),
  });
  await using uplink = await openUplink({
    log,
    clock,
    hub: config.hub,
    runDirectory,
    agentVersion,
    state,
    space,
    limitKibPerS: () => (config.sync.limitKibPerS > 0 && inSession() ? config.sync.limitKibPerS : undefined),
    onChange: changed,
  });
  const recorder = await openRecorder({
    clock,
    log,
    config: config.capture,
    dataDirectory,
    runDirectory,
    liveUrl: (kind, run) => uplink.liveUrl(kind, run),
    hubOffset: () => uplink.hubOffset(),
    agentVersion,
  });
  const situation = (): Situation => {
    // A hub that refuses this box is there; it only has nothing to say to it.
    if (uplink.connected() || uplink.refused()) awaySinceMs = undefined;
    else awaySinceMs ??= clock.monotonicMs();
    return {
      assignment: state.assignment(),
      own: state.own(),
      now: hubNow(clock, state.hubTime()),
      awayMs: awaySinceMs === undefined ? null : clock.monotonicMs() - awaySinceMs,
    };
  };
  const reading = () => readHubTime(clock, state.hubTime(), uplink.hubOffset());
  const keep = (own: RoomSession[]) => {
    state.setOwn(own).catch((error: unknown) => log.error("agent.notKept", { cause: causeOf(error) }));
    uplink.tellOwn();
  };
  const begin = ({ id, name, adHoc, by }: Pick<RoomSession, "id" | "name" | "adHoc" | "by">) => {
    const others = state.own().filter((session) => session.id !== id);
    keep([...others, { id, name, adHoc, by, startedAt: reading(), endedAt: null }]);
    log.info("session.begunHere", { session: id, by, adHoc });
  };
  const end = (ids: readonly SessionId[]) => {
    const endedAt = reading();
    keep(state.own().map((mine) => (ids.includes(mine.id) && mine.endedAt === null ? { ...mine, endedAt } : mine)));
    for (const session of ids) log.info("session.endedHere", { session });
  };
  /** In the recorder's own time, which without the hub is the wall clock as it is: only the distance to now counts. */
  const inRecorderTime = (startedAt: string): string => {
    const sinceMs = hubNow(clock, state.hubTime()).utcMs - Date.parse(startedAt);
    return isoUtc(clock.wallMs() + (uplink.hubOffset()?.offsetMs ?? 0) - sinceMs);
  };
  const follow = () => {
    if (!identity) return recorder.setSession(null, "sessionEnded");
    const time = newHubTime(clock, state.hubTime(), uplink.hubOffset());
    if (time) state.setHubTime(time).catch((error: unknown) => log.error("agent.notKept", { cause: causeOf(error) }));
    let decision = decide(situation());
    if (decision.end.length > 0) end(decision.end);
    if (decision.begin) {
      begin({ id: decision.begin.id, name: decision.begin.name, adHoc: false, by: "schedule" });
      decision = decide(situation());
    }
    const wasInSession = inSession();
    ({ goal } = decision);
    const { session } = goal;
    recorder.setSession(session && { id: session.id, startedAt: inRecorderTime(session.startedAt) }, goal.why);
    recorder.setEnded(
      (state.assignment()?.sessions ?? []).flatMap(({ id, state, endedAt }) =>
        state === "ended" && endedAt !== null ? [{ id, endedAt }] : [],
      ),
    );
    if (wasInSession && !session) uplink.syncNow();
    return undefined;
  };
  /** Each refuses what is not on offer any more: a press may be late, or the second of two. */
  const begunByHand = (session: SessionId | null, adHocName: string): boolean => {
    const offer = offerOf(situation()).start;
    if (!identity || !offer || offer.session !== session) return false;
    const id = session ?? makeId("session", randomId());
    const name = state.assignment()?.sessions.find((known) => known.id === session)?.name ?? adHocName;
    begin({ id, name, adHoc: session === null, by: "hand" });
    changed();
    return true;
  };
  const endedByHand = (session: SessionId): boolean => {
    if (offerOf(situation()).stop?.session !== session) return false;
    end([session]);
    changed();
    return true;
  };
  const assume = (next: BoxIdentity | null) => {
    identity = next;
    uplink.setIdentity(next);
    recorder.setIdentity(next && { box: next.box, point: next.point.id, signer: createSigner(next.keyPem) });
  };
  assume(identity);
  follow();
  const recording = recorder.run(ending.signal);
  const startedMs = Math.round(clock.wallMs() - performance.timeOrigin);
  log.info("agent.recording", { afterMs: startedMs, agentVersion, box: identity?.box });

  listeners.push(follow, () => space.nudge());
  const looking = runForever(
    { name: "schedule", clock, log, baseMs: LOOK_EVERY_MS, capMs: LOOK_EVERY_MS },
    ending.signal,
    async (signal) => {
      for (;;) {
        await clock.sleep(LOOK_EVERY_MS, signal);
        follow();
      }
    },
  );
  const around = new AbortController();
  const alarms = await openAlarms({ dataDirectory, clock, log, utcMs: () => hubNow(clock, state.hubTime()).utcMs });
  const inspection = createInspection({
    clock,
    log,
    writing: () => recorder.writing(),
    ffmpeg: () => recorder.ffmpeg(),
  });
  /** What fails beside the recording is written down and leaves the recording alone. */
  const beside = (part: string, work: Promise<void>) =>
    work.catch((error: unknown) => log.error("agent.partFailed", { part, cause: causeOf(error) }));
  const sending = beside("uplink", uplink.run(recorder, alarms, around.signal));
  const inspecting = beside("inspection", inspection.run(around.signal));
  const pairing = keepPaired();
  listeners.push(pairing.look);
  pairing.look();
  const keepingSpace = beside("space", space.run(recorder, around.signal));
  const showing = beside("room", showRoom(around.signal));
  const watching = beside("configuration", watchConfiguration(around.signal));

  await Promise.all([recording, looking]);
  // The last records of the take have been written; those that the open channel takes go now, the rest next time.
  around.abort(new Error("the agent ends"));
  await Promise.all([sending, keepingSpace, inspecting, showing, watching]);
  const exitCode = stopped.aborted ? 0 : EXIT_RECONFIGURED;
  log.info("agent.ended", { exitCode });
  return exitCode;

  /** Shows a code while there is no identity, or while the hub does not take the one there is. */
  function keepPaired() {
    let underWay: AbortController | undefined;
    let shown: RoomPairing = identity ? { state: "paired" } : { state: "connecting" };
    const show = (next: RoomPairing) => {
      shown = next;
      changed();
    };
    const pairOnce = async (stop: AbortSignal) => {
      try {
        const next = await pair(
          {
            log,
            clock,
            hub: createHubPairing(config.hub),
            caSha256: config.hub.caSha256,
            directory: identityDirectory,
            agentVersion,
            description: hostname(),
            revoked: identity !== null,
            onState: show,
          },
          stop,
        );
        // Its revisions and sessions belong to the identity of before.
        await state.forgetAssignment();
        recorder.setSession(null, "sessionEnded");
        assume(next);
      } catch (error) {
        if (!stop.aborted) log.error("pairing.failed", { cause: causeOf(error) });
        await clock.sleep(PAIR_AGAIN_MS, stop).catch(() => {});
      }
      underWay = undefined;
      show(identity ? { state: "paired" } : { state: "connecting" });
    };
    return {
      shown: () => shown,
      look: () => {
        const needed = identity === null || uplink.refused();
        if (needed && !underWay && !ending.signal.aborted) {
          underWay = new AbortController();
          void pairOnce(AbortSignal.any([underWay.signal, ending.signal]));
        } else if (!needed) underWay?.abort(new Error("the hub takes this box again"));
      },
    };
  }

  /** Health for the hub and the page for the TV. A page that cannot be served is tried again, and stops nothing. */
  async function showRoom(signal: AbortSignal): Promise<void> {
    const [{ openRoom, roomState, ownAddresses, adHocName }, { Machine, reportHealth }] = await Promise.all([
      import("./room/room.ts"),
      import("./health/health.ts"),
    ]);
    const { host } = config.hub;
    let latest: Health | null = null;
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
      const standing = alarms.look(goal.session?.id ?? null, {
        ...{ mustRecord: inSession(), growing: recording.growing, encoder: facts.encoder, picture, sound, report },
      });
      return {
        ...{ ...machine, ...facts, picture, sound, agentVersion, link: uplink.link(), recording },
        ...{ file: report?.file ?? null, alarms: standing, ...(room && { space: room }) },
      };
    };
    /** The session whose recording came to an end last. */
    const lastRecorded = () => {
      const last = recorder.takes().at(-1);
      if (!last?.ended || last.session === goal.session?.id) return null;
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
        begin: (session) => begunByHand(session, adHocName(hubNow(clock, state.hubTime()).utcMs)),
        end: endedByHand,
        state: () =>
          roomState({
            nowUtc: isoUtc(clock.wallMs()),
            pairing: pairing.shown(),
            identity,
            situation: situation(),
            last: lastRecorded(),
            connected: uplink.connected(),
            health: latest,
            unsynced: uplink.unsynced(),
            hubAddress: `${host.includes(":") ? `[${host}]` : host}:${config.hub.port}`,
            addresses: ownAddresses(),
            agentVersion,
          }),
      });
      listeners.push(() => room.changed());
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    });
    await reportHealth(
      {
        log,
        clock,
        machine: new Machine(clock, dataDirectory),
        compose,
        mustRecord: inSession,
        connected: () => uplink.connected(),
        send: (health) => uplink.sendHealth(health),
        onLook: (health) => (latest = health),
      },
      signal,
    );
    await serving;
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

const readVersion = (): string =>
  (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;
