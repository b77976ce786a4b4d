import { mkdir, open, readFile, rm } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { listDirectory, makeDirectory, runChecked, sha256File, writeDurable } from "../../platform/platform.ts";

/** What a backup is made of, and how one is opened. */
export const FORMAT = 1;
/** Of a data directory: recordings and what belongs to one life of the hub, or can be had again. */
export const LEFT_OUT = new Set([
  "archive",
  "inbox",
  "quarantine",
  "hub-copy",
  "run",
  "releases",
  "release-import",
  "backups",
  "lost+found",
]);
export const DATABASE = "hub.db";
export const IDENTITY = join("archive", "diemcau-storage.json");
export const SUMS = "SHA256SUMS";
/** As openssl wants it: PBKDF2 with so many rounds takes about half a second for each guess at the passphrase. */
export const CIPHER = ["-aes-256-cbc", "-salt", "-pbkdf2", "-iter", "1000000", "-md", "sha256"];

export const Facts = z.looseObject({
  format: z.literal(FORMAT),
  version: z.string(),
  createdAt: z.iso.datetime(),
  caFingerprint: z.string(),
  schema: z.array(z.string()),
  boxes: z.number().int(),
  sessions: z.number().int(),
});
export type Facts = z.infer<typeof Facts>;

export class BackupError extends Error {
  override readonly name = "BackupError";
  readonly code: "noHub" | "damaged" | "wrongPassphrase" | "tooNew" | "inUse" | "noPassphrase";
  constructor(code: BackupError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface HubPlaces {
  dataDirectory: string;
  configFile: string;
}

export const valueOf = (sqlite: DatabaseSync, sql: string): number =>
  Number(Object.values(sqlite.prepare(sql).get()!)[0]);

/** A consistent copy while the hub goes on writing: one read transaction of SQLite, synced, checked. */
export function copyDatabase(from: string, to: string): void {
  const sqlite = new DatabaseSync(from);
  try {
    sqlite.exec("PRAGMA busy_timeout = 30000");
    sqlite.prepare("VACUUM INTO ?").run(to);
  } finally {
    sqlite.close();
  }
  checkDatabase(to);
}

export function checkDatabase(file: string): void {
  const sqlite = new DatabaseSync(file);
  try {
    const answer = String(Object.values(sqlite.prepare("PRAGMA integrity_check").get()!)[0]);
    if (answer !== "ok") throw new BackupError("damaged", `Cơ sở dữ liệu ${file} hỏng: ${answer}`);
  } finally {
    sqlite.close();
  }
}

export async function filesUnder(directory: string, below = directory): Promise<string[]> {
  const items = await listDirectory(below);
  const found = await Promise.all(
    items.map(({ name, kind }) => {
      const path = join(below, name);
      if (kind === "directory") return filesUnder(directory, path);
      return Promise.resolve(kind === "file" ? [relative(directory, path)] : []);
    }),
  );
  return found.flat();
}

export async function copyFile(from: string, to: string): Promise<void> {
  await makeDirectory(dirname(to));
  await writeDurable(to, await readFile(from));
}

/** Everything of a data directory that is neither left out nor the database itself. */
export async function smallFiles(dataDirectory: string): Promise<string[]> {
  const top = (await listDirectory(dataDirectory)).filter(
    ({ name }) => !LEFT_OUT.has(name) && !name.startsWith(".") && !name.startsWith(DATABASE) && !isAside(name),
  );
  const found = await Promise.all(
    top.map(async ({ name, kind }) => {
      if (kind === "file") return name === "installation.json" ? [] : [name];
      return (await filesUnder(join(dataDirectory, name))).map((path) => join(name, path));
    }),
  );
  return found.flat();
}

export const isAside = (name: string): boolean => name.startsWith("replaced-");

export async function writeSums(directory: string): Promise<void> {
  const lines = await Promise.all(
    (await filesUnder(directory)).map(async (path) => `${(await sha256File(join(directory, path))).sha256}  ${path}\n`),
  );
  await writeDurable(join(directory, SUMS), lines.join(""));
}

async function checkSums(directory: string): Promise<void> {
  const text = await readFile(join(directory, SUMS), "utf8").catch((cause: unknown) => {
    throw new BackupError("damaged", `Không phải bản sao lưu của máy chủ trung tâm: thiếu ${SUMS}`, { cause });
  });
  const named = new Map(text.split("\n").flatMap((line) => (line ? [[line.slice(66), line.slice(0, 64)]] : [])));
  for (const path of await filesUnder(directory)) {
    if (path === SUMS) continue;
    if ((await sha256File(join(directory, path))).sha256 !== named.get(path))
      throw new BackupError("damaged", `Bản sao lưu hỏng: ${path} không đúng như lúc sao lưu.`);
    named.delete(path);
  }
  if (named.size > 0) throw new BackupError("damaged", `Bản sao lưu hỏng: thiếu ${[...named.keys()].join(", ")}.`);
}

/** Unpacks a backup into a new directory and proves every file in it. Throws BackupError. */
export async function openBackup(file: string, into: string, passphraseFile: string | null): Promise<Facts> {
  await mkdir(into, { recursive: true, mode: 0o700 });
  let tar = file;
  const head = Buffer.alloc(8);
  const handle = await open(file);
  await handle.read(head, 0, 8, 0);
  await handle.close();
  const sealed = head.toString("latin1") === "Salted__";
  try {
    if (sealed) {
      if (passphraseFile === null)
        throw new BackupError("noPassphrase", `${basename(file)} đã mã hoá: thêm --passphrase-file TỆP.`);
      tar = `${into}.tar`;
      await runChecked([
        "openssl",
        "enc",
        "-d",
        ...CIPHER,
        "-in",
        file,
        "-out",
        tar,
        "-pass",
        `file:${passphraseFile}`,
      ]);
    }
    await runChecked(["tar", "--extract", "--file", tar, "--no-same-owner", "--directory", into]);
  } catch (cause) {
    if (cause instanceof BackupError) throw cause;
    throw new BackupError(
      sealed ? "wrongPassphrase" : "damaged",
      sealed
        ? `${basename(file)} không mở được bằng mật khẩu này, hoặc đã hỏng.`
        : `${basename(file)} không phải bản sao lưu của máy chủ trung tâm.`,
      { cause },
    );
  } finally {
    if (tar !== file) await rm(tar, { force: true });
  }
  await checkSums(into);
  checkDatabase(join(into, DATABASE));
  const facts = Facts.safeParse(JSON.parse(await readFile(join(into, "backup.json"), "utf8")));
  if (!facts.success) throw new BackupError("damaged", "Bản sao lưu có backup.json mà phiên bản này không đọc được.");
  return facts.data;
}
