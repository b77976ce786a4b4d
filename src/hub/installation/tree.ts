import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { chmod, copyFile, mkdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { listDirectory, readIfExists, runChecked, sha256File, syncDirectory } from "../../platform/platform.ts";
import { VERSION_FILE } from "../version.ts";
import { InstallError, words } from "./words.ts";

/** What one version of the hub consists of, beside the npm packages that it runs on. */
const PARTS = [
  "package.json",
  "package-lock.json",
  "README.md",
  "CHANGELOG.md",
  "docs",
  "dist/desk",
  "provisioning/hub",
  "scripts/install-hub",
  "src/protocol",
  "src/media",
  "src/evidence",
  "src/platform",
  "src/hub",
];
const PACKAGES = "node_modules";
/** Of the package that carries Node.js: headers and manual are most of its files. */
const NODE_PACKAGE = /^node_modules\/node-linux-[a-z0-9]+\/(?!bin\/|package\.json$|LICENSE$)/;

async function filesBelow(root: string, path: string): Promise<string[]> {
  const status = await stat(join(root, path)).catch(() => undefined);
  if (!status) return [];
  if (status.isFile()) return [path];
  const items = await listDirectory(join(root, path));
  const found = await Promise.all(
    items.filter(({ kind }) => kind !== "other").map(({ name }) => filesBelow(root, `${path}/${name}`)),
  );
  return found.flat();
}

/** npm packages that the hub runs on, as folders: those of the lockfile that are not for development only. Pure. */
export function packagesToRun(lockfile: string): string[] {
  const { packages } = JSON.parse(lockfile) as { packages: Record<string, { dev?: boolean }> };
  return Object.entries(packages)
    .filter(([path, { dev }]) => path.startsWith(`${PACKAGES}/`) && dev !== true)
    .map(([path]) => path);
}

/** Where the pinned Node.js lies, relative to a version's folder. */
export const nodePath = (arch: string = process.arch): string => `${PACKAGES}/node-linux-${arch}/bin/node`;

interface Tree {
  version: string;
  files: string[];
}

/**
 * Reads what a repository (or an unpacked bundle, or an installed version) would install. The version's name has the
 * SHA-256 of all of it, so that equal names mean equal code.
 */
export async function readTree(root: string): Promise<Tree> {
  const own = (await Promise.all(PARTS.map((part) => filesBelow(root, part))))
    .flat()
    .filter((file) => !/\.test\.tsx?$|\.tsbuildinfo$/.test(file))
    .sort();
  if (!own.includes("dist/desk/index.html"))
    throw new InstallError("refused", words.incomplete("dist/desk/index.html", root));
  const packages = packagesToRun(await readFile(join(root, "package-lock.json"), "utf8"));
  // A package inside another one is reached through its own line.
  const inPackages = await Promise.all(
    packages.map(async (path) =>
      (await filesBelow(root, path)).filter((file) => !file.slice(path.length).includes(`/${PACKAGES}/`)),
    ),
  );
  const files = [...own, ...inPackages.flat().filter((file) => !NODE_PACKAGE.test(file))];
  if (!files.includes(nodePath())) throw new InstallError("refused", words.incomplete(nodePath(), root));
  const installed = await readIfExists(join(root, VERSION_FILE));
  return { version: installed?.toString("utf8").trim() ?? (await nameOf(root, own)), files };
}

async function nameOf(root: string, files: readonly string[]): Promise<string> {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  const hash = createHash("sha256");
  for (const file of files) hash.update(`${(await sha256File(join(root, file))).sha256}  ${file}\n`);
  return `${version}-${hash.digest("hex").slice(0, 12)}`;
}

/**
 * Puts a tree in a folder of its own: under a passing name, on disk, and then renamed, so that a folder with a
 * version's name is whole. Everybody may read it, nobody but root write.
 */
export async function stageTree(root: string, tree: Tree, into: string): Promise<void> {
  if ((await stat(into).catch(() => undefined)) !== undefined) return;
  const staging = join(dirname(into), ".staging");
  // Of an installer that was killed; there is never a second one at work (scripts/install-hub).
  await rm(staging, { recursive: true, force: true });
  try {
    await makeTree(root, tree, staging);
    await runChecked(["sync", "--file-system", staging]);
    await rename(staging, into);
    await syncDirectory(dirname(into));
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** The same without a name of its own: for a bundle. */
export async function makeTree(root: string, { version, files }: Tree, into: string): Promise<void> {
  const made = new Set<string>();
  const folder = async (path: string): Promise<void> => {
    if (made.has(path)) return;
    if (path !== into) await folder(dirname(path));
    made.add(path);
    await mkdir(path, { recursive: path === into });
    await chmod(path, 0o755);
  };
  await folder(into);
  for (const file of files) {
    const to = join(into, file);
    await folder(dirname(to));
    await copyFile(join(root, file), to, constants.COPYFILE_FICLONE);
    await chmod(to, ((await stat(join(root, file))).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
  await writeFile(join(into, VERSION_FILE), `${version}\n`, { mode: 0o644 });
  await folder(join(into, "bin"));
  await symlink(`../${nodePath()}`, join(into, "bin/node"));
}
