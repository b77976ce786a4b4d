import { randomUUID, X509Certificate } from "node:crypto";
import { readFile, rm, stat } from "node:fs/promises";
import { join, basename } from "node:path";
import {
  isoUtc,
  listDirectory,
  readIfExists,
  runChecked,
  runProcess,
  writeDurable,
  type Clock,
} from "../../platform/platform.ts";
import { readHubConfig, type HubConfig } from "../config.ts";
import { greeting } from "../greeting.ts";
import { mainProcess, portsOf, waitForHub, type Verdict } from "./health.ts";
import { PLACES, versionDirectory, versionsToDrop } from "./places.ts";
import { keepConfig, preflight, refuseInSession, refuseTakenPorts, type Wish } from "./preflight.ts";
import { rehearse } from "./rehearsal.ts";
import {
  asHub,
  exists,
  journalTail,
  linkTarget,
  makeFor,
  makeUser,
  placeDropIns,
  placeSystemFiles,
  pointTo,
  removeSystemFiles,
  rowsOf,
  sizeOf,
  systemctl,
} from "./system.ts";
import { readTree, stageTree } from "./tree.ts";
import { InstallError, PURGE_WORDS, words } from "./words.ts";

export { makeBundle } from "./bundle.ts";
export { PLACES } from "./places.ts";
export { InstallError, words } from "./words.ts";
export { status } from "./status.ts";
export { giveDatabaseBack } from "./system.ts";

export interface Terminal {
  say(line: string): void;
  ask(question: string): Promise<string>;
}

interface Hands {
  clock: Clock;
  terminal: Terminal;
}

/** A version that works keeps one process for so long. */
const STEADY_MS = 3_000;

/**
 * Installs, or upgrades what is installed. Safe to repeat.
 *
 * INVARIANTS
 * - `current` always names a whole version; which one changes in one rename.
 * - An upgrade that does not work ends with the version before running, on the same database: nothing that was written
 *   meanwhile is taken back (schema changes only add).
 * - Nothing below the data directory is removed, and nothing begins there anew when its disk is away.
 */
export async function install(wish: Wish, hands: Hands): Promise<void> {
  const { terminal } = hands;
  const tree = await readTree(wish.source);
  if (await exists(PLACES.upgrade)) {
    terminal.say(words.cutOff);
    await settle(hands).catch((error: unknown) => {
      if (!(error instanceof InstallError)) throw error;
      terminal.say(error.message);
    });
  }
  const before = await currentVersion();
  await preflight(wish, before);
  const { uid, gid } = await makeUser(wish.source);
  const config = await keepConfig(wish, gid);
  await runChecked(["install", "--directory", "--mode=0755", PLACES.code, PLACES.versions]);
  const directory = versionDirectory(tree.version);
  if (!(await exists(directory))) terminal.say(words.staging(tree.version));
  await stageTree(wish.source, tree, directory);
  if (before === undefined) await installFirst(tree.version, config, { uid, gid }, wish, hands);
  else if (before === tree.version) {
    terminal.say(words.sameVersion(before));
    await apply(wish, hands);
  } else await upgrade(before, tree.version, config, wish, hands);
}

export async function currentVersion(): Promise<string | undefined> {
  const target = await linkTarget(PLACES.current);
  return target === undefined ? undefined : basename(target);
}

async function installFirst(
  version: string,
  config: HubConfig,
  { uid, gid }: { uid: number; gid: number },
  wish: Wish,
  hands: Hands,
): Promise<void> {
  const { clock, terminal } = hands;
  // An existing one is left to systemd, which hands all of it to the hub's user if it was another machine's.
  if (!(await exists(join(PLACES.data, "hub.db")))) await makeFor(PLACES.data, 0o700, uid, gid);
  const isNew = (await readIfExists(PLACES.installation)) === undefined;
  if (isNew) {
    const mark = `${JSON.stringify({ hub: randomUUID(), installedAt: isoUtc(clock.wallMs()) })}\n`;
    await writeDurable(PLACES.installation, mark, 0o644);
  }
  await writeDurable(join(PLACES.configDirectory, "data.json"), await readFile(PLACES.installation), 0o644);
  await pointTo(PLACES.current, versionDirectory(version));
  if (await isPasswordChosen()) terminal.say(words.dataKept);
  await startCurrent(config, version, wish.withinMs, hands);
}

/** Brings units and process into the state that version in force and configuration ask for. */
async function startCurrent(config: HubConfig, version: string, withinMs: number, hands: Hands): Promise<void> {
  const { clock, terminal } = hands;
  await placeSystemFiles(PLACES.current);
  await placeDropIns(config);
  const oneTime = await firstPassword();
  terminal.say(words.starting);
  await systemctl("enable", "--quiet", PLACES.unit, PLACES.settle);
  await systemctl("enable", "--quiet", "--now", PLACES.timer);
  await systemctl("restart", "--no-block", PLACES.unit);
  const verdict = await healthy(config, version, withinMs, clock);
  if (!verdict.ok) {
    terminal.say(await journalOf());
    throw new InstallError("failed", words.notHealthy(verdict.reason));
  }
  await welcome(terminal, oneTime);
}

/**
 * Until somebody has chosen a password, each run gives a new one-time password: an earlier one may have been lost with
 * the run that was cut off. Made before the hub starts, whose journal could be read for years.
 */
const firstPassword = async (): Promise<string | undefined> =>
  (await isPasswordChosen()) ? undefined : resetAdministrator();

const isPasswordChosen = async (): Promise<boolean> =>
  ((await rowsOf("SELECT 1 FROM user WHERE mustChangePassword = 0")) ?? []).length > 0;

export async function resetAdministrator(): Promise<string> {
  const main = [`${PLACES.current}/bin/node`, `${PLACES.current}/src/hub/main.ts`, "--config", PLACES.config];
  return (await runChecked(asHub([...main, "--reset-administrator"]))).stdout;
}

async function upgrade(before: string, after: string, config: HubConfig, wish: Wish, hands: Hands): Promise<void> {
  const { clock, terminal } = hands;
  const directory = versionDirectory(after);
  if (await exists(join(PLACES.data, "hub.db"))) {
    terminal.say(words.rehearsing);
    const rehearsed = await rehearse({ directory, config, version: after, clock, withinMs: wish.withinMs });
    if (!rehearsed.ok) throw new InstallError("refused", words.rehearsalFailed(rehearsed.reason));
    terminal.say(words.backingUp);
    await runChecked(asHub([`${directory}/bin/node`, `${directory}/src/hub/administer.ts`, "backup", "--scheduled"]));
  }
  await pointTo(PLACES.previous, versionDirectory(before));
  await writeDurable(PLACES.upgrade, JSON.stringify({ before, after, withinMs: wish.withinMs }), 0o644);
  await changeTo(after, config);
  await settle(hands);
  const oneTime = await firstPassword();
  if (oneTime !== undefined) terminal.say(oneTime);
}

async function changeTo(version: string, config: HubConfig): Promise<void> {
  await pointTo(PLACES.current, versionDirectory(version));
  await placeSystemFiles(PLACES.current);
  await placeDropIns(config);
  await systemctl("enable", "--quiet", PLACES.unit, PLACES.timer, PLACES.settle);
  await systemctl("restart", "--no-block", PLACES.unit);
}

/** Judges an upgrade that has begun: keeps it, or goes back. Also at the machine's start, where a power cut broke in. */
export async function settle({ clock, terminal }: Hands): Promise<void> {
  const text = await readIfExists(PLACES.upgrade);
  if (!text) return;
  const { before, after, withinMs } = JSON.parse(text.toString("utf8")) as {
    before: string;
    after: string;
    withinMs: number;
  };
  const config = await readHubConfig(PLACES.config);
  const verdict = await healthy(config, after, withinMs, clock);
  if (verdict.ok) {
    await rm(PLACES.upgrade, { force: true });
    await dropOldVersions();
    await welcome(terminal, undefined);
    return;
  }
  terminal.say(await journalOf());
  terminal.say(words.goingBack(before, verdict.reason));
  await changeTo(before, config);
  const back = await healthy(config, before, withinMs, clock);
  await rm(PLACES.upgrade, { force: true });
  if (!back.ok) throw new InstallError("failed", words.backFailed(back.reason));
  throw new InstallError("rolledBack", words.wentBack(before));
}

/** Takes the configuration as it is now into force. */
export async function apply(wish: Pick<Wish, "duringSession" | "withinMs">, hands: Hands): Promise<void> {
  const version = await currentVersion();
  if (version === undefined) throw new InstallError("refused", words.notInstalled);
  if (!wish.duringSession) await refuseInSession();
  const config = await readHubConfig(PLACES.config);
  await refuseTakenPorts(config);
  await startCurrent(config, version, wish.withinMs, hands);
}

const healthy = (config: HubConfig, version: string, withinMs: number, clock: Clock): Promise<Verdict> =>
  waitForHub({ config, version, clock, withinMs, steadyMs: STEADY_MS, process: () => mainProcess(PLACES.unit) });

const journalOf = async (): Promise<string> => `${words.journal}\n${await journalTail()}`;

async function welcome(terminal: Terminal, oneTime: string | undefined): Promise<void> {
  const config = await readHubConfig(PLACES.config);
  const ports = await portsOf(config);
  if (ports === undefined) throw new InstallError("failed", words.notHealthy(words.notListening));
  const ca = new X509Certificate(await readFile(join(config.dataDirectory, "authority/ca.pem")));
  const text = greeting({
    loopbackPort: ports.loopback,
    tlsPort: ports.tls,
    hostNames: config.hostNames,
    caFingerprint: ca.fingerprint256,
    administrator: undefined,
  });
  terminal.say(`${text}${oneTime ?? ""}  Phiên bản:                   ${(await currentVersion())!}`);
}

async function dropOldVersions(): Promise<void> {
  const names = (await listDirectory(PLACES.versions)).filter(
    ({ kind, name }) => kind === "directory" && !name.startsWith("."),
  );
  const versions = await Promise.all(
    names.map(async ({ name }) => ({ name, changedMs: (await stat(versionDirectory(name))).mtimeMs })),
  );
  const inForce = await Promise.all([PLACES.current, PLACES.previous].map((link) => linkTarget(link)));
  const kept = inForce.map((target) => (target === undefined ? undefined : basename(target)));
  for (const version of versionsToDrop(versions, kept)) await rm(versionDirectory(version), { recursive: true });
}

/** Takes the software away; the data only where the officer typed the words. */
export async function uninstall(
  wish: { purgeData: boolean; duringSession: boolean },
  { terminal }: Hands,
): Promise<void> {
  if (!wish.duringSession) await refuseInSession();
  const size = await sizeOf(PLACES.data);
  if (wish.purgeData && (await terminal.ask(words.purgeAsk(size))).trim().normalize("NFC") !== PURGE_WORDS)
    throw new InstallError("refused", words.purgeRefused);
  await systemctl("disable", "--quiet", "--now", PLACES.timer, PLACES.settle, PLACES.unit);
  if (await exists(PLACES.current)) await removeSystemFiles(PLACES.current);
  await systemctl("reset-failed", PLACES.unit);
  await rm(PLACES.code, { recursive: true, force: true });
  if (!wish.purgeData) {
    terminal.say(words.removed(size));
    return;
  }
  // A mounted disk cannot be removed, only emptied.
  for (const { name } of await listDirectory(PLACES.data)) await rm(join(PLACES.data, name), { recursive: true });
  await rm(PLACES.data, { recursive: true, force: true }).catch(() => undefined);
  await rm(PLACES.configDirectory, { recursive: true, force: true });
  await runProcess(["userdel", PLACES.user]);
  terminal.say(words.purged);
}
