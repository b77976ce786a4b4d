import { chmod, chown, mkdir, readFile, readlink, rename, rm, stat, statfs, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import {
  causeOf,
  listDirectory,
  runChecked,
  runProcess,
  syncDirectory,
  writeDurable,
} from "../../platform/platform.ts";
import type { HubConfig } from "../config.ts";
import { dropIn, PLACES } from "./places.ts";

/** The installer's hands: each function does one thing to the machine, and may be done twice. */

export const systemctl = (...args: string[]) => runProcess(["systemctl", ...args]);

/** Makes the hub's user where it is missing. */
export async function makeUser(tree: string): Promise<{ uid: number; gid: number }> {
  await runChecked(["systemd-sysusers", join(tree, "provisioning/hub/etc/sysusers.d/diemcau-hub.conf")]);
  const [uid, gid] = await Promise.all(
    ["-u", "-g"].map(async (flag) => Number((await runChecked(["id", flag, PLACES.user])).stdout)),
  );
  return { uid: uid!, gid: gid! };
}

/** Runs a program as the hub's user, with nothing of the administrator's environment. */
export const asHub = (argv: readonly string[]): string[] => [
  ...["setpriv", `--reuid=${PLACES.user}`, `--regid=${PLACES.user}`, "--init-groups"],
  ...["env", "-i", `HOME=${PLACES.data}`, "PATH=/usr/bin:/bin", "NODE_ENV=production", ...argv],
];

async function systemFiles(tree: string, below = ""): Promise<string[]> {
  const items = await listDirectory(join(tree, "provisioning/hub", below));
  const found = await Promise.all(
    items.map(({ name, kind }) => {
      const path = `${below}/${name}`;
      return kind === "directory" ? systemFiles(tree, path) : Promise.resolve([path]);
    }),
  );
  return found.flat();
}

/** Units, kernel settings and the user's line of a version, at their places on the disk. */
export async function placeSystemFiles(tree: string): Promise<void> {
  for (const path of await systemFiles(tree)) {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await writeDurable(path, await readFile(join(tree, "provisioning/hub", path)), 0o644);
  }
  await pointTo(PLACES.command, `${PLACES.current}/scripts/install-hub`);
  await systemctl("daemon-reload");
  // At the next start of the machine these happen by themselves; a kernel without BBR refuses, which harms nothing.
  await runProcess(["modprobe", "-q", "tcp_bbr"]).catch(() => undefined);
  await runProcess(["/lib/systemd/systemd-sysctl", "/etc/sysctl.d/60-diemcau-hub.conf"]).catch(() => undefined);
}

export async function removeSystemFiles(tree: string): Promise<void> {
  for (const path of await systemFiles(tree)) await rm(path, { force: true });
  for (const path of PLACES.dropIns) await rm(path, { recursive: true, force: true });
  await rm(PLACES.command, { force: true });
  await systemctl("daemon-reload");
}

/** What the configuration lets hub and backup write to outside of the data directory. */
export async function placeDropIns({ province, backup }: HubConfig): Promise<void> {
  const text = dropIn([...(province === null ? [] : [province.target]), backup.directory]);
  for (const directory of PLACES.dropIns) {
    await mkdir(directory, { recursive: true, mode: 0o755 });
    await writeDurable(join(directory, "paths.conf"), text, 0o644);
  }
  await systemctl("daemon-reload");
}

/** Points a symbolic link elsewhere in one step. */
export async function pointTo(link: string, target: string): Promise<void> {
  const passing = `${link}.new`;
  await rm(passing, { force: true });
  await symlink(target, passing);
  await rename(passing, link);
  await syncDirectory(dirname(link));
}

export const linkTarget = (link: string): Promise<string | undefined> => readlink(link).catch(() => undefined);

export async function makeFor(path: string, mode: number, uid: number, gid: number): Promise<void> {
  await mkdir(path, { recursive: true });
  await chown(path, uid, gid);
  await chmod(path, mode);
}

export const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined;

/** Where a path is, or would be made. */
export async function freeBytesFor(path: string): Promise<number> {
  const { bavail, bsize } = await statfs((await exists(path)) ? path : dirname(path));
  return bavail * bsize;
}

/** @param host as in the configuration: "::" is every address, on kernels without IPv6 too */
export const isPortFree = (port: number, host = "127.0.0.1"): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "EADDRINUSE"));
    server.listen(port, host === "::" ? "0.0.0.0" : host, () => server.close(() => resolve(true)));
  });

/** Names and addresses by which this machine is reached, as far as it knows: the full name first. */
export async function ownNames(): Promise<string[]> {
  const full = await runProcess(["hostname", "--fqdn"]).catch(() => undefined);
  const names = [full?.stdout.trim() ?? "", hostname()].map((name) => name.toLowerCase());
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .map(({ address }) => address);
  return [...new Set([...names.filter((name) => /^[a-z0-9][a-z0-9.-]*$/.test(name)), ...addresses, "localhost"])];
}

/** SQLite makes files beside a database for whoever opens it first; the hub could not open those that root made. */
export async function giveDatabaseBack(): Promise<void> {
  const owner = await stat(PLACES.data).catch(() => undefined);
  if (!owner) return;
  for (const name of ["hub.db", "hub.db-wal", "hub.db-shm"])
    await chown(join(PLACES.data, name), owner.uid, owner.gid).catch(() => undefined);
}

/** What a query finds in the hub's database, beside a hub that runs; undefined where none has been made yet. */
export async function rowsOf(sql: string): Promise<Record<string, SQLOutputValue>[] | undefined> {
  const file = join(PLACES.data, "hub.db");
  if (!(await exists(file))) return undefined;
  const sqlite = new DatabaseSync(file, { readOnly: true });
  try {
    return sqlite.prepare(sql).all();
  } catch (error) {
    // Its first start was cut off.
    if (causeOf(error).includes("no such table")) return undefined;
    throw error;
  } finally {
    sqlite.close();
    await giveDatabaseBack();
  }
}

/** Last lines of the hub's journal. */
export const journalTail = async (lines = 15): Promise<string> =>
  (await runProcess(["journalctl", "--unit", PLACES.unit, "--lines", String(lines), "--no-pager", "--output=cat"]))
    .stdout;

/** As people read it. */
export async function sizeOf(path: string): Promise<string> {
  const { stdout } = await runProcess(["du", "--summarize", "--human-readable", path]);
  return stdout.split("\t")[0] ?? "?";
}
