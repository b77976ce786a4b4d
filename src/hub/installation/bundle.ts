import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile, copyFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { runChecked, sha256File } from "../../platform/platform.ts";
import { makeTree, readTree } from "./tree.ts";
import { InstallError, words } from "./words.ts";

/** Debian releases that a bundle can be for, by number. */
const RELEASES: Readonly<Record<string, string>> = { "12": "bookworm", "13": "trixie" };
/** What the hub starts, and what its Node.js is linked against; scripts/install-hub installs the same. */
const DEBIAN_PACKAGES = ["ffmpeg", "rsync", "openssl", "openssh-client", "libatomic1"];

/**
 * One file from which the hub is installed where nothing reaches out: the code, Node.js, npm packages, the screens, and
 * the Debian packages with all that they need.
 * @param releases Debian releases by number; those packages come from this machine's own mirror
 */
export async function makeBundle(options: {
  source: string;
  to: string;
  releases: readonly string[];
  say: (line: string) => void;
}): Promise<{ file: string; sizeBytes: number; sha256: string; version: string }> {
  const { source, releases, say } = options;
  const file = resolve(options.to);
  const unknown = releases.filter((release) => RELEASES[release] === undefined);
  if (unknown.length > 0) throw new InstallError("refused", words.unknownRelease(unknown.join(", ")));
  await mkdir(dirname(file), { recursive: true });
  // A gigabyte: more than a /tmp in memory may have.
  const work = await mkdtemp(join(dirname(file), ".bundle-"));
  try {
    const tree = await readTree(source);
    const name = `diemcau-hub-${tree.version}`;
    say(`Chép phiên bản ${tree.version} …`);
    await makeTree(source, tree, join(work, name));
    for (const release of releases) {
      say(`Tải gói của Debian ${release} …`);
      await addPackages(RELEASES[release]!, join(work, name, "debian"), join(work, "apt"));
    }
    say("Nén …");
    const passing = `${file}.part`;
    const tar = [
      "tar",
      "--create",
      "--use-compress-program=gzip -1",
      "--file",
      passing,
      "--owner=0",
      "--group=0",
      "--directory",
      work,
      name,
    ];
    await runChecked(tar);
    await rename(passing, file);
    return { file, version: tree.version, ...(await sha256File(file)) };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** A repository for apt in one folder: packages, everything below them, and their index. */
async function addPackages(codename: string, into: string, apt: string): Promise<void> {
  const directory = join(into, codename);
  const own = join(apt, codename);
  await Promise.all(
    [directory, join(own, "state/lists/partial"), join(own, "cache/archives/partial")].map((path) =>
      mkdir(path, { recursive: true }),
    ),
  );
  // Nothing counts as installed, so that everything that could be missing comes along.
  await writeFile(join(own, "status"), "");
  await writeFile(join(own, "sources.list"), await sourcesOf(codename));
  const settings = {
    "Dir::State": join(own, "state"),
    "Dir::State::status": join(own, "status"),
    "Dir::Cache": join(own, "cache"),
    "Dir::Etc::SourceList": join(own, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "APT::Sandbox::User": "root",
  };
  const aptGet = [
    "apt-get",
    "--quiet=2",
    ...Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]),
  ];
  await runChecked([...aptGet, "update"]);
  await runChecked([...aptGet, "--yes", "--download-only", "--no-install-recommends", "install", ...DEBIAN_PACKAGES]);
  const archives = join(own, "cache/archives");
  const index: string[] = [];
  for (const name of (await readdir(archives)).filter((entry) => entry.endsWith(".deb")).sort()) {
    const deb = join(directory, name);
    await copyFile(join(archives, name), deb);
    const { stdout } = await runChecked(["dpkg-deb", "--field", deb]);
    const { sha256 } = await sha256File(deb);
    index.push(
      `${stdout.trimEnd()}\nFilename: ./${basename(deb)}\nSize: ${(await stat(deb)).size}\nSHA256: ${sha256}\n`,
    );
  }
  await writeFile(join(directory, "Packages"), index.join("\n"));
}

/** This machine's own mirrors, for another release where need be; the keys are Debian's. */
async function sourcesOf(codename: string): Promise<string> {
  const here = /^VERSION_CODENAME=(\w+)$/m.exec(await readFile("/etc/os-release", "utf8"))?.[1] ?? "";
  const format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
  const { stdout } = await runChecked(["apt-get", "indextargets", "--format", format, "Identifier: Packages"]);
  const lines = new Set(
    stdout
      .split("\n")
      .map((line) => line.split(" "))
      .filter(([, release, component]) => component === "main" && release?.split("-")[0] === here)
      .map(([uri, release]) => {
        const suite = release!.replace(here, codename);
        return `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${uri} ${suite} main`;
      }),
  );
  if (lines.size === 0) throw new InstallError("failed", words.noMirror);
  return `${[...lines].join("\n")}\n`;
}
