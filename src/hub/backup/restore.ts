import { chown, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  isoUtc,
  listDirectory,
  makeDirectory,
  readIfExists,
  syncDirectory,
  writeDurable,
  type Clock,
} from "../../platform/platform.ts";
import { knownSchema, MEMORY } from "../database/database.ts";
import {
  BackupError,
  DATABASE,
  filesUnder,
  IDENTITY,
  isAside,
  LEFT_OUT,
  openBackup,
  smallFiles,
  SUMS,
  valueOf,
  type Facts,
  type HubPlaces,
} from "./content.ts";
import { recordingsIn, type RecordingLine } from "./recordings.ts";

export interface Restored {
  facts: Facts;
  /** Sessions whose recordings the archive on this machine does not hold. */
  missing: RecordingLine[];
  /** Where what was there before lies; null where there was nothing. */
  aside: string | null;
}

/**
 * Puts a backup in place of what the data directory holds. Recordings stay as they are.
 * @param stopHub before anything of the hub's is touched; a backup that is refused costs a running hub nothing
 * @param owner numbers of the user whom the hub runs as, where this is done by another
 * @param replace also over a hub that has boxes or sessions of its own
 */
export async function restoreBackup(options: {
  file: string;
  places: HubPlaces;
  passphraseFile: string | null;
  clock: Clock;
  replace: boolean;
  stopHub: () => Promise<void>;
  owner?: { uid: number; gid: number };
}): Promise<Restored> {
  const { file, places, passphraseFile, clock, replace, stopHub, owner } = options;
  const { dataDirectory, configFile } = places;
  await makeDirectory(dataDirectory);
  const tree = await mkdtemp(join(dataDirectory, ".restore-"));
  try {
    const facts = await openBackup(file, tree, passphraseFile);
    const unknown = facts.schema.filter((name) => !knownSchema().includes(name));
    if (unknown.length > 0)
      throw new BackupError(
        "tooNew",
        `Bản sao lưu là của phiên bản ${facts.version}: cài phiên bản đó hoặc mới hơn rồi phục hồi.`,
      );
    if (!replace) refuseUsed(join(dataDirectory, DATABASE), dataDirectory);
    const archiveIdentity = await readIfExists(join(dataDirectory, IDENTITY));
    const bags = (await listDirectory(join(dataDirectory, "archive"))).filter(({ name }) =>
      name.startsWith("session-"),
    );
    const kept = await readIfExists(join(tree, IDENTITY));
    if (bags.length > 0 && kept !== undefined && archiveIdentity !== undefined && !kept.equals(archiveIdentity))
      throw new BackupError("inUse", `${join(dataDirectory, "archive")} có bản ghi của một máy chủ khác.`);
    const here = new Set(bags.map(({ name }) => name));
    const missing = prepareDatabase(join(tree, DATABASE), Math.floor(clock.wallMs() / 1_000), here);
    await stopHub();
    await writeDurable(
      configFile,
      mergedConfig(await readFile(join(tree, "hub.json"), "utf8"), await readIfExists(configFile)),
      0o640,
    );
    const aside = await moveAside(dataDirectory, isoUtc(clock.wallMs()).replaceAll(/[-:]|\.\d+/g, ""));
    for (const path of [DATABASE, ...(await smallFiles(tree)), IDENTITY]) {
      if (["hub.json", "backup.json", "recordings.tsv", SUMS].includes(path)) continue;
      if ((await readIfExists(join(tree, path))) === undefined) continue;
      const to = join(dataDirectory, path);
      await makeDirectory(dirname(to));
      await rename(join(tree, path), to);
      await syncDirectory(dirname(to));
    }
    if (owner)
      for (const path of await filesUnder(dataDirectory, dataDirectory)) await give(dataDirectory, path, owner);
    return { facts, missing, aside };
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

/** The file and the folders above it, up to the data directory; recordings are the hub's already. */
async function give(dataDirectory: string, path: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  if (LEFT_OUT.has(path.split("/")[0]!) && path !== IDENTITY) return;
  for (let at = path; at !== "."; at = dirname(at)) await chown(join(dataDirectory, at), uid, gid);
}

function refuseUsed(database: string, dataDirectory: string): void {
  let sqlite: DatabaseSync;
  try {
    sqlite = new DatabaseSync(database, { readOnly: true });
  } catch {
    return;
  }
  try {
    const used = valueOf(sqlite, "SELECT (SELECT count(*) FROM box) + (SELECT count(*) FROM session)");
    if (used > 0)
      throw new BackupError(
        "inUse",
        `Máy chủ trong ${dataDirectory} đã có thiết bị hay buổi tiếp của nó: thêm --replace để thay (dữ liệu ấy được chuyển sang bên, không bị xoá).`,
      );
  } finally {
    sqlite.close();
  }
}

/**
 * Nobody is signed in on a machine that was made from a backup. Boxes ignore a revision that they have seen, and these
 * are at least the seconds since 1970 (reception). What the hub has forgotten by this, the boxes tell it again when they
 * hear of another memory. Recordings of sessions that have no folder here count as not arrived, whatever was signed for
 * them: the boxes send what they still have, and what somebody copies back is taken up.
 * @param here sessions that the archive holds
 * @returns those that it lacks
 */
function prepareDatabase(file: string, nowS: number, here: ReadonlySet<string>): RecordingLine[] {
  const sqlite = new DatabaseSync(file);
  try {
    sqlite.exec("DELETE FROM signIn");
    sqlite.prepare("UPDATE counter SET value = max(value + 1, ?) WHERE name = 'assignmentRevision'").run(nowS);
    sqlite
      .prepare(
        "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(value + 1, ?)",
      )
      .run(MEMORY, nowS, nowS);
    const missing = recordingsIn(sqlite).filter(({ session, segments }) => segments > 0 && !here.has(session));
    for (const { session } of missing) for (const statement of NOT_ARRIVED) sqlite.prepare(statement).run(session);
    return missing;
  } finally {
    sqlite.close();
  }
}

const NOT_ARRIVED = [
  // Their receipts stay, and lie beside them again when they come: the province's bag has these very bytes.
  "UPDATE segment SET hubState = 'waiting' WHERE sessionId = ? AND hubState = 'verified'",
  "UPDATE take SET hubSegments = 0 WHERE sessionId = ?",
  `UPDATE bag SET additions = additions + 1, viewing = 0, manifestSha256 = NULL, tagManifestSha256 = NULL
     WHERE sessionId = ?`,
];

/** The configuration of before, reached by its own names and by those that this machine has. Pure. */
function mergedConfig(backedUp: string, here: Buffer | undefined): string {
  const old = JSON.parse(backedUp) as { hostNames?: string[] };
  const now =
    here === undefined ? {} : (JSON.parse(here.toString("utf8")) as { hostNames?: string[]; dataDirectory?: string });
  const hostNames = [...new Set([...(now.hostNames ?? []), ...(old.hostNames ?? [])])];
  return `${JSON.stringify({ ...old, ...(now.dataDirectory && { dataDirectory: now.dataDirectory }), ...(hostNames.length > 0 && { hostNames }) }, null, 2)}\n`;
}

async function moveAside(dataDirectory: string, stamp: string): Promise<string | null> {
  const names = (await readdir(dataDirectory)).filter(
    (name) => !LEFT_OUT.has(name) && !name.startsWith(".") && !isAside(name) && name !== "installation.json",
  );
  const identity = join(dataDirectory, IDENTITY);
  const hasIdentity = (await stat(identity).catch(() => undefined)) !== undefined;
  if (names.length === 0 && !hasIdentity) return null;
  const aside = join(dataDirectory, `replaced-${stamp}`);
  await makeDirectory(aside);
  for (const name of names) await rename(join(dataDirectory, name), join(aside, name));
  if (hasIdentity) await rename(identity, join(aside, basename(identity)));
  await syncDirectory(dataDirectory);
  return aside;
}
