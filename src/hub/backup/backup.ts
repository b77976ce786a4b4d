import { X509Certificate } from "node:crypto";
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  isoUtc,
  makeDirectory,
  readIfExists,
  runChecked,
  sha256File,
  syncDirectory,
  type Clock,
} from "../../platform/platform.ts";
import { knownSchema, schemaOf } from "../database/database.ts";
import {
  BackupError,
  CIPHER,
  copyDatabase,
  copyFile,
  DATABASE,
  FORMAT,
  IDENTITY,
  openBackup,
  smallFiles,
  valueOf,
  writeSums,
  type Facts,
  type HubPlaces,
} from "./content.ts";
import { backupName, namesOver } from "./names.ts";
import { recordingsIn, recordingsTable, type RecordingLine } from "./recordings.ts";

export { BackupError, copyDatabase } from "./content.ts";
export { describeMissing } from "./recordings.ts";
export { restoreBackup } from "./restore.ts";

/**
 * What a province loses with a hub's disk and cannot get back from boxes or storage: database, keys of the authority,
 * configuration. Recordings are listed in it and not copied: they have their own second place.
 *
 * INVARIANTS
 * - A file under its final name is whole: it was read back and checked before it got it.
 * - Nothing in a data directory is removed by a restore; what was there before is moved aside.
 */
export interface MadeBackup {
  file: string;
  sizeBytes: number;
  sha256: string;
  facts: Facts;
  recordings: RecordingLine[];
}

/**
 * Writes one file `diemcau-hub-<time>.tar`, or `.tar.enc` with a passphrase, while the hub runs or not.
 * @param keep so many of these files stay in the directory, the oldest go
 */
export async function makeBackup(options: {
  places: HubPlaces;
  directory: string;
  version: string;
  clock: Clock;
  passphraseFile: string | null;
  keep?: number;
}): Promise<MadeBackup> {
  const { places, directory, version, clock, passphraseFile, keep } = options;
  const { dataDirectory } = places;
  if ((await readIfExists(join(dataDirectory, "authority/ca.pem"))) === undefined)
    throw new BackupError("noHub", `Không có máy chủ nào trong ${dataDirectory}.`);
  if (passphraseFile !== null) await checkPassphrase(passphraseFile);
  await makeDirectory(directory);
  const work = await mkdtemp(join(directory, ".backup-"));
  try {
    const tree = join(work, "tree");
    await mkdir(tree, { mode: 0o700 });
    copyDatabase(join(dataDirectory, DATABASE), join(tree, DATABASE));
    for (const path of await smallFiles(dataDirectory)) await copyFile(join(dataDirectory, path), join(tree, path));
    for (const path of [IDENTITY])
      if ((await readIfExists(join(dataDirectory, path))) !== undefined)
        await copyFile(join(dataDirectory, path), join(tree, path));
    await copyFile(places.configFile, join(tree, "hub.json"));
    const { facts, recordings } = await describe(tree, version, isoUtc(clock.wallMs()));
    await writeFile(join(tree, "backup.json"), `${JSON.stringify(facts, null, 2)}\n`);
    await writeFile(join(tree, "recordings.tsv"), recordingsTable(recordings));
    await writeSums(tree);

    const tar = join(work, "backup.tar");
    await runChecked(["tar", "--create", "--file", tar, "--numeric-owner", "--directory", tree, "."]);
    const final = passphraseFile === null ? tar : join(work, "backup.tar.enc");
    if (passphraseFile !== null)
      await runChecked([
        "openssl",
        "enc",
        "-e",
        ...CIPHER,
        "-in",
        tar,
        "-out",
        final,
        "-pass",
        `file:${passphraseFile}`,
      ]);
    // Read back as a restore would, before it counts.
    await openBackup(final, join(work, "read"), passphraseFile);
    await chmod(final, 0o600);
    const handle = await open(final);
    await handle.sync();
    await handle.close();
    const name = backupName(facts.createdAt, passphraseFile !== null);
    const { sha256, sizeBytes } = await sha256File(final);
    const file = join(directory, name);
    await rename(final, file);
    await syncDirectory(directory);
    if (keep !== undefined)
      for (const old of namesOver(await readdir(directory), keep)) await rm(join(directory, old), { force: true });
    return { file, sizeBytes, sha256, facts, recordings };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function describe(tree: string, version: string, createdAt: string) {
  const sqlite = new DatabaseSync(join(tree, DATABASE));
  try {
    const facts: Facts = {
      format: FORMAT,
      version,
      createdAt,
      caFingerprint: new X509Certificate(await readFile(join(tree, "authority/ca.pem"))).fingerprint256,
      // What a later version added before it was gone back from is nothing that this one needs for a restore.
      schema: schemaOf(sqlite).filter((name) => knownSchema().includes(name)),
      boxes: valueOf(sqlite, "SELECT count(*) FROM box WHERE revokedAt IS NULL"),
      sessions: valueOf(sqlite, "SELECT count(*) FROM session"),
    };
    return { facts, recordings: recordingsIn(sqlite) };
  } finally {
    sqlite.close();
  }
}

async function checkPassphrase(file: string): Promise<void> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new BackupError("noPassphrase", `Không đọc được tệp mật khẩu ${file}`, { cause });
  });
  if ((text.split("\n")[0] ?? "").length < 12)
    throw new BackupError("noPassphrase", `Dòng đầu của ${file} phải có từ 12 ký tự.`);
}
