import { X509Certificate } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  causeOf,
  ConfigError,
  createLog,
  makeDirectory,
  processIdentity,
  processLifetime,
  systemClock,
  writeDurable,
  type Log,
} from "../platform/platform.ts";
import { CLOSE_NOT_ON_STAGE, type PointId } from "../protocol/protocol.ts";
import { createAccounts } from "./accounts/accounts.ts";
import { createAlarms } from "./alarms/alarms.ts";
import { createArchive, createCarried } from "./archive/archive.ts";
import { readHubConfig, type HubConfig } from "./config.ts";
import { createUpkeep, openDatabase } from "./database/database.ts";
import { parseReleaseKeys } from "../evidence/evidence.ts";
import { createFleet, openAuthority, type Fleet } from "./fleet/fleet.ts";
import { createGateway, type Gateway } from "./gateway/gateway.ts";
import { greeting, resetNotice } from "./greeting.ts";
import { createDesk } from "./http/http.ts";
import { createHubCopy } from "./hub-copy/hub-copy.ts";
import { createIngest } from "./ingest/ingest.ts";
import { createLive } from "./live/live.ts";
import { createProvince } from "./province/province.ts";
import { createProvisioning } from "./provisioning/provisioning.ts";
import { createReleases } from "./releases/releases.ts";
import { createConnectionTests, createReception } from "./reception/reception.ts";
import { createStages } from "./stage/stage.ts";
import { feedSupervisor, supervisorTerms } from "./supervisor.ts";
import { versionOf } from "./version.ts";

const USAGE = "usage: node src/hub/main.ts --config FILE [--reset-administrator]";
/** After a start, boxes have this long to come back before a running session notes them as lost. */
const COME_BACK_MS = 10_000;
/** What has not ended by then after SIGTERM is left to the restart: no state depends on an orderly end. */
const DRAIN_MS = 4_000;

const clock = systemClock;

/** Two hubs on one folder would both take files out of its inboxes. A killed hub's mark is recognised as such. */
async function markRunning(directory: string): Promise<void> {
  const file = join(directory, "hub.process");
  const other = await readFile(file, "utf8").catch(() => "");
  const pid = Number(other.split(":")[0]);
  if (pid > 0 && pid !== process.pid && processIdentity(pid) === other)
    throw new Error(`another hub runs in this folder (process ${pid})`);
  await writeDurable(file, processIdentity(process.pid) ?? "");
}

const listenLoopback = (server: Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });

async function listenTls(gateway: Gateway, { host, port }: HubConfig["listen"]): Promise<number> {
  try {
    return (await gateway.listen(host, port)).port;
  } catch (error) {
    // A kernel without IPv6 knows no "::"; every IPv4 address is all that it can mean there.
    const code = (error as NodeJS.ErrnoException).code;
    if (host !== "::" || (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL")) throw error;
    return (await gateway.listen("0.0.0.0", port)).port;
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

async function runHub(config: HubConfig, log: Log, signal: AbortSignal): Promise<void> {
  const folder = (name: string) => join(config.dataDirectory, name);
  const runDirectory = folder("run");
  const portsFile = join(runDirectory, "ports.json");
  await makeDirectory(runDirectory);
  await markRunning(runDirectory);
  // Ports of an earlier life would mislead whoever waits for this one.
  await rm(portsFile, { force: true });

  await using resources = new AsyncDisposableStack();
  const background: Promise<void>[] = [];
  const swallow = (what: string) => (error: unknown) => log.error("hub.failed", { what, cause: causeOf(error) });

  const db = await openDatabase(folder("hub.db"));
  resources.defer(() => db.destroy());
  const authority = await openAuthority({
    directory: folder("authority"),
    browserNames: config.hostNames,
    clock,
    log,
  });
  const accounts = createAccounts({ db, clock, log });
  const testsBefore = config.reception.testsBeforeMinutes;
  const reception = createReception({ db, clock, log, testsBefore });
  const rereadEveryMs = config.storage.rereadDays * 24 * 3_600_000;
  const archive = createArchive({
    db,
    log,
    clock,
    directories: {
      inbox: folder("inbox"),
      archive: folder("archive"),
      quarantine: folder("quarantine"),
      filled: join(folder("hub-copy"), "filled"),
    },
    signer: authority.signer,
    trust: { caPem: authority.caPem, receiptKeyPem: authority.receiptKeyPem },
    boxKey: (box) => fleet.boxKey(box),
    send: (box, message) => void fleet.send(box, message),
    limits: config.storage,
    rereadEveryMs,
  });
  const alarms = createAlarms({ db, clock, log });
  const releases = await createReleases({
    ...{ db, clock, log, directory: folder("releases") },
    importDirectory: config.releases.importDirectory,
    keys: config.releases.keys === null ? new Map() : parseReleaseKeys(await readFile(config.releases.keys, "utf8")),
    firstRingHours: config.releases.firstRingHours,
    keepFreeBytes: config.storage.keepFreeBytes ?? 0,
    inForce: () => fleet.inForce(),
    send: (box, message) => fleet.send(box, message),
  });
  const fleet: Fleet = await createFleet({
    ...{ db, clock, log, authority, assignments: reception, records: archive.records, alarms, releases },
    stage: {
      connected: (box) => stages.connected(box),
      hand: (box, session, raised) => stages.hand(box, session, raised),
      level: (box, level) => stages.level(box, level),
    },
  });
  const live = createLive({ clock, log });
  const tests = createConnectionTests({
    ...{ db, clock, log, reception, before: testsBefore },
    rooms: async () =>
      (await fleet.rooms()).map((room) => ({ ...room, live: room.box === null ? [] : live.publishing(room.box) })),
  });
  const carried = createCarried({
    ...{ db, clock, log, directory: config.storage.importDirectory, inbox: folder("inbox") },
    records: archive.records,
    boxKey: (box) => fleet.boxKey(box),
    admit: (box) => archive.admit(box),
    inboxChanged: (box) => archive.inboxChanged(box),
    adopt: (box, message) => reception.adopt(box, message),
    audit: (actor, act, detail) => accounts.audit(actor, act, detail),
  });
  const hubCopy = createHubCopy({
    db,
    clock,
    log,
    directory: folder("hub-copy"),
    signer: authority.signer,
    held: (session, point) => archive.verifiedSpans(session, point),
    onChange: (session) => desk.recordingChanged(session),
  });
  const ingest = createIngest({ clock, log, sink: hubCopy.keeping(live.sink) });
  const stages = createStages({
    ...{ db, clock, log, running: () => reception.running(), rooms: () => fleet.rooms() },
    publishing: (box) => live.publishing(box),
    send: (box, message) => fleet.send(box, message),
    silence: (boxes) => live.silence(boxes),
  });
  const listening = { tls: config.listen.port };
  const provisioning = createProvisioning({
    ...{
      log,
      clock,
      signer: authority.signer,
      fleet,
      caPem: authority.caPem,
      hostNames: config.hostNames,
      tlsPort: () => listening.tls,
    },
    audit: (actor, act, detail) => accounts.audit(actor, act, detail),
  });
  const desk = createDesk({
    db,
    clock,
    log,
    accounts,
    reception,
    tests,
    live,
    fleet,
    archive,
    carried,
    hubCopy,
    stages,
    provisioning,
    releases,
    ui: config.ui,
    version: await versionOf(),
  });
  const province =
    config.province === null
      ? undefined
      : createProvince({
          db,
          log,
          clock,
          archiveDirectory: folder("archive"),
          target: config.province.target,
          signer: authority.signer,
          onCopied: (copy) => archive.noteCopied(copy),
          onSourceDamaged: (damaged) => archive.fetchAgain(damaged),
          onBroughtBack: (lost, path) => archive.giveBack(lost, path),
          missingPieces: () => archive.missingPieces(),
          onPieceBroughtBack: (piece, path) => archive.giveBackPiece(piece, path),
          hasRoom: () => archive.room().state !== "full",
          rereadEveryMs,
          onReread: (session) => desk.recordingChanged(session),
        });

  // Rooms that this life of the hub has never seen: the fleet tells of their return as of any other change.
  const missing = new Set<PointId>();
  const noteMissing = async () => {
    const there = new Set((await fleet.rooms()).filter((room) => room.connected).map((room) => room.point.id));
    for (const point of await reception.noteRooms((point) => there.has(point))) missing.add(point);
  };
  reception.onChange((session) => {
    hubCopy.changed();
    fleet.broadcastAssignments();
    desk.sessionChanged(session);
    desk.recordingChanged(session);
    stages.refresh().catch(swallow("stages"));
    noteMissing().catch(swallow("noteMissing"));
  });
  stages.onChange((session, logged) => {
    desk.stageChanged(session);
    if (logged) desk.sessionChanged(session);
  });
  await stages.refresh();
  alarms.onChange((session) => {
    desk.sessionChanged(session);
    desk.recordingChanged(session);
  });
  fleet.onLink((point, change) => void reception.noteRoom(point, change).catch(swallow("noteRoom")));
  fleet.onChange((point) => {
    desk.roomsChanged();
    stages.refresh().catch(swallow("stages"));
    if (missing.delete(point)) noteMissing().catch(swallow("noteMissing"));
  });
  tests.onChange((session) => desk.sessionChanged(session));
  stages.onLevels((levels) => desk.levels(levels));
  live.onChange((box) => {
    desk.roomsChanged();
    stages.liveChanged(box);
  });
  fleet.pairing.onWaiting(() => desk.waitingBoxesChanged());
  releases.onChange(() => desk.roomsChanged());
  archive.onRoom(() => desk.hubDiskChanged());
  archive.onChange((session) => {
    desk.recordingChanged(session);
    province?.nudge();
  });

  // What can fail slowly runs from here on; each of these retries by itself and ends with the signal.
  background.push(archive.run(signal), hubCopy.run(signal), stages.run(signal), releases.run(signal));
  background.push(tests.run(signal));
  background.push(createUpkeep({ db, clock, log }).run(signal));
  if (province) background.push(province.run(signal));
  clock
    .sleep(COME_BACK_MS, signal)
    .then(noteMissing)
    .catch((error: unknown) => void (signal.aborted || swallow("noteMissing")(error)));

  const web = desk.tlsServer(authority.browser);
  const gateway = await createGateway({
    log,
    clock,
    caPem: authority.caPem,
    identity: authority.edge,
    authorize: (certificate) => fleet.authorize(certificate),
    handlers: {
      rtmp: (socket, box) => ingest.accept(socket, box),
      control: (ws, box) => fleet.attach(ws, box),
      live(ws, box, target, kind) {
        const end = () => ws.close(CLOSE_NOT_ON_STAGE);
        const watching = stages.admit({ kind: "room", box }, target, kind, end);
        if (!watching) return end();
        ws.once("close", () => watching.leave());
        live.addViewer(ws, target, kind, watching.gate);
        return undefined;
      },
      release: (request, response, box, file) => releases.serve(request, response, box, file),
      rsyncArriving: (box) => archive.inboxChanged(box),
      rsyncDone: (box) => archive.inboxChanged(box),
      admitFiles: (box) => archive.admit(box),
    },
    webListener: web,
    directory: join(runDirectory, "gateway"),
    inboxDirectory: folder("inbox"),
  });
  fleet.onRevoked((box) => {
    gateway.dropBox(box);
    ingest.disconnect(box);
  });
  background.push(
    authority.run(signal, () => {
      gateway.setIdentity(authority.edge);
      web.setSecureContext({ key: authority.browser.keyPem, cert: authority.browser.certificatePem });
    }),
  );
  const loopback = desk.loopbackServer();
  // Released last to first: viewers and boxes are told before their sockets go.
  resources.defer(async () => void (await Promise.allSettled(background)));
  resources.defer(() => carried.close());
  resources.defer(() => gateway.close());
  resources.defer(() => {
    loopback.close();
    loopback.closeAllConnections();
  });
  resources.defer(() => fleet.close());
  resources.defer(() => desk.close());
  resources.defer(() => live.close());

  const ports = {
    tls: await listenTls(gateway, config.listen),
    loopback: await listenLoopback(loopback, config.loopback.port),
  };
  listening.tls = ports.tls;
  // After everything that may stop a start: the password is shown once, here.
  const administrator = await accounts.ensureAdministrator();
  await writeDurable(portsFile, JSON.stringify(ports));
  log.info("hub.ready", ports);
  process.stdout.write(
    greeting({
      loopbackPort: ports.loopback,
      tlsPort: ports.tls,
      hostNames: config.hostNames,
      caFingerprint: new X509Certificate(authority.caPem).fingerprint256,
      administrator,
    }),
  );
  const alive = async () => void (await db.selectFrom("counter").select("name").limit(1).execute());
  await feedSupervisor({ log, clock, terms: supervisorTerms(process.env, process.pid), alive }, signal);
  await aborted(signal);
  await rm(portsFile, { force: true });
}

/** A new one-time password, whether a hub runs in this folder or not: the database is shared. */
async function resetAdministrator(config: HubConfig, log: Log): Promise<void> {
  await makeDirectory(config.dataDirectory);
  const db = await openDatabase(join(config.dataDirectory, "hub.db"));
  try {
    process.stdout.write(resetNotice(await createAccounts({ db, clock, log }).resetAdministrator()));
  } finally {
    await db.destroy();
  }
}

async function main(argv: string[]): Promise<number> {
  const log = createLog(clock);
  let config: HubConfig;
  let reset = false;
  try {
    const { values } = parseArgs({
      args: argv,
      options: { config: { type: "string" }, "reset-administrator": { type: "boolean", default: false } },
    });
    if (values.config === undefined) throw new Error("--config is missing");
    reset = values["reset-administrator"];
    config = await readHubConfig(values.config);
  } catch (error) {
    process.stderr.write(`${causeOf(error)}\n${error instanceof ConfigError ? "" : `${USAGE}\n`}`);
    return 2;
  }
  const signal = processLifetime(log);
  // Node would end here too, but without a line in the log.
  process.on("uncaughtException", (error) => {
    log.error("hub.died", { cause: error.stack ?? causeOf(error) });
    process.exit(1);
  });
  signal.addEventListener("abort", () => {
    setTimeout(() => {
      log.warn("hub.drainCutShort", { afterMs: DRAIN_MS });
      process.exit(0);
    }, DRAIN_MS).unref();
  });
  try {
    await (reset ? resetAdministrator(config, log) : runHub(config, log, signal));
  } catch (error) {
    log.error("hub.failed", { cause: causeOf(error) });
    return 1;
  }
  log.info("hub.stopped");
  return 0;
}

process.exit(await main(process.argv.slice(2)));
