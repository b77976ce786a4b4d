import { stat } from "node:fs/promises";
import { join } from "node:path";
import { networkFileSystemOf, readIfExists, runChecked, writeDurable } from "../../platform/platform.ts";
import { parseHubConfig, type HubConfig } from "../config.ts";
import { mainProcess, portsOf } from "./health.ts";
import { PLACES } from "./places.ts";
import { freeBytesFor, isPortFree, makeFor, ownNames, rowsOf } from "./system.ts";
import { InstallError, words } from "./words.ts";

/** What the administrator asked for. */
export interface Wish {
  /** A repository, an unpacked bundle or an installed version. */
  source: string;
  host: string[] | undefined;
  port: number | undefined;
  province: string | undefined;
  duringSession: boolean;
  withinMs: number;
}

const LEAST_FREE_BYTES = 1e9;
const LOOPBACK_PORTS = Array.from({ length: 20 }, (_, i) => 8080 + i);

/** Refuses, with what to do, before anything has been changed. */
export async function preflight(wish: Wish, before: string | undefined): Promise<void> {
  const network = await networkFileSystemOf(PLACES.data);
  if (network !== undefined) throw new InstallError("refused", words.networkDisk(PLACES.data, network));
  const known = await readIfExists(join(PLACES.configDirectory, "data.json"));
  if (known && !(await readIfExists(PLACES.installation))?.equals(known))
    throw new InstallError("refused", words.diskAway(PLACES.data));
  await refuseLittleRoom(PLACES.code, LEAST_FREE_BYTES);
  // The copy that a new version is tried on, and the backup.
  const database = await stat(join(PLACES.data, "hub.db")).catch(() => undefined);
  await refuseLittleRoom(PLACES.data, LEAST_FREE_BYTES + 2 * (database?.size ?? 0));
  await refuseTakenPorts(parseHubConfig((await wantedConfig(wish)).text, PLACES.config));
  if (before !== undefined && !wish.duringSession) await refuseInSession();
}

async function refuseLittleRoom(path: string, leastBytes: number): Promise<void> {
  const freeBytes = await freeBytesFor(path);
  if (freeBytes < leastBytes)
    throw new InstallError("refused", words.littleRoom(path, freeBytes / 1e9, leastBytes / 1e9));
}

/** Ports that the hub itself has are its own. */
export async function refuseTakenPorts(config: HubConfig): Promise<void> {
  const own = (await mainProcess(PLACES.unit)) > 0 ? await portsOf(config) : undefined;
  const { listen, loopback } = config;
  if (listen.port !== own?.tls && !(await isPortFree(listen.port, listen.host)))
    throw new InstallError("refused", words.portTaken(listen.port));
  if (loopback.port !== own?.loopback && !(await isPortFree(loopback.port)))
    throw new InstallError("refused", words.loopbackTaken(loopback.port));
}

/** Rooms go on recording without a hub, but they would lose the other rooms' picture and sound. */
export async function refuseInSession(): Promise<void> {
  const rows = (await rowsOf("SELECT name FROM session WHERE state IN ('live', 'paused')")) ?? [];
  if (rows.length > 0) throw new InstallError("refused", words.sessionRuns(rows.map((row) => String(row["name"]))));
}

/**
 * The configuration as it would be kept: a new one where there is none, or with the keys that were named; an officer's
 * own keys stay.
 */
async function wantedConfig(wish: Wish): Promise<{ text: string; isNew: boolean }> {
  const kept = (await readIfExists(PLACES.config))?.toString("utf8");
  const named = {
    ...(wish.host && { hostNames: wish.host }),
    ...(wish.port !== undefined && { listen: { host: "::", port: wish.port } }),
    ...(wish.province !== undefined && { province: { target: wish.province } }),
  };
  if (kept !== undefined) {
    parseHubConfig(kept, PLACES.config);
    if (Object.keys(named).length === 0) return { text: kept, isNew: false };
  }
  const old = kept === undefined ? await firstConfig() : (JSON.parse(kept) as object);
  return { text: `${JSON.stringify({ ...old, ...named }, null, 2)}\n`, isNew: true };
}

async function firstConfig(): Promise<object> {
  for (const port of LOOPBACK_PORTS)
    if (await isPortFree(port))
      return {
        dataDirectory: PLACES.data,
        hostNames: await ownNames(),
        ...(port !== LOOPBACK_PORTS[0] && { loopback: { port } }),
      };
  throw new InstallError("refused", words.loopbackTaken(LOOPBACK_PORTS[0]!));
}

export async function keepConfig(wish: Wish, gid: number): Promise<HubConfig> {
  await makeFor(PLACES.configDirectory, 0o750, 0, gid);
  const { text, isNew } = await wantedConfig(wish);
  const config = parseHubConfig(text, PLACES.config);
  if (isNew) await writeDurable(PLACES.config, text, 0o640);
  await runChecked(["chown", `root:${PLACES.user}`, PLACES.config]);
  await runChecked(["chmod", "0640", PLACES.config]);
  return config;
}
