import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { judgeReleaseFile, parseReleaseKeys, readRelease, releaseKeyName } from "../src/evidence/evidence.ts";
import { createDurable, sha256File, systemClock, writeDurable } from "../src/platform/platform.ts";
import { RELEASE_MANIFEST, RELEASE_SIGNATURE, ReleaseManifest } from "../src/protocol/protocol.ts";

const USAGE = `usage: scripts/release new-key FILE
       scripts/release sign DIR --key FILE --flavour screen|headless [--architecture x86-64] [--minimum VERSION] [--notes TEXT]
       scripts/release check DIR --keys FILE
new-key  makes an Ed25519 key (FILE, to be kept off every network) and its public half (FILE.pub.pem, for image and hub)
sign     writes release.json and release.json.sig beside the files of scripts/image (its folder release/)
check    says whether a hub or box with these public keys would believe it
`;

/** Files of a release, as scripts/image names them: diemcau_VERSION_UUID.root.raw, .verity.raw, diemcau_VERSION.efi. */
const FILE = /^[a-z][a-z-]*_(\d[\d.]*?)(?:_[0-9a-f-]{36}\.(?:root|verity)\.raw|\.efi)$/;

async function newKey(file: string): Promise<number> {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  await createDurable(file, privateKey.export({ type: "pkcs8", format: "pem" }));
  await writeDurable(`${file}.pub.pem`, publicKey.export({ type: "spki", format: "pem" }), 0o644);
  process.stdout.write(`${file}: keep it secret. ${file}.pub.pem: key ${releaseKeyName(publicKey)}\n`);
  return 0;
}

interface SignOptions {
  key: string;
  flavour: string;
  architecture: string;
  minimum: string | undefined;
  notes: string;
}

async function signRelease(directory: string, options: SignOptions): Promise<number> {
  const names = (await readdir(directory)).filter((name) => FILE.test(name)).sort();
  const versions = new Set(names.map((name) => FILE.exec(name)![1]!));
  const [version] = versions;
  if (version === undefined || versions.size !== 1 || names.length !== 3)
    throw new Error(
      `${directory} must hold a root, a verity and a boot file of one version; it holds ${names.join(", ") || "none"}`,
    );
  const key = createPrivateKey(await readFile(options.key, "utf8"));
  const files = await Promise.all(names.map(async (name) => ({ name, ...(await sha256File(join(directory, name))) })));
  const epochS = Number(process.env["SOURCE_DATE_EPOCH"]);
  const manifest = ReleaseManifest.parse({
    ...{ v: 1, kind: "release", version, architecture: options.architecture, flavour: options.flavour },
    minimumVersion: options.minimum ?? "0",
    madeAt: new Date(epochS > 0 ? epochS * 1_000 : systemClock.wallMs()).toISOString(),
    notes: options.notes,
    key: releaseKeyName(createPublicKey(key)),
    files,
  });
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  await writeDurable(join(directory, RELEASE_MANIFEST), text, 0o644);
  await writeDurable(join(directory, RELEASE_SIGNATURE), sign(null, Buffer.from(text), key), 0o644);
  process.stdout.write(`${version} for ${options.architecture} ${options.flavour}: ${names.length} files signed\n`);
  return 0;
}

async function check(directory: string, keysFile: string): Promise<number> {
  const keys = parseReleaseKeys(await readFile(keysFile, "utf8"));
  const manifest = await readFile(join(directory, RELEASE_MANIFEST), "utf8");
  const signature = (await readFile(join(directory, RELEASE_SIGNATURE))).toString("base64");
  const verdict = readRelease({ manifest, signature }, keys);
  const wrong = verdict.ok
    ? (
        await Promise.all(verdict.manifest.files.map((file) => judgeReleaseFile(join(directory, file.name), file)))
      ).filter((found) => found !== undefined)
    : [verdict];
  for (const { reason, detail } of wrong) process.stdout.write(`${reason}: ${detail}\n`);
  if (verdict.ok && wrong.length === 0)
    process.stdout.write(`${verdict.manifest.version}: whole, signed by ${verdict.manifest.key}\n`);
  return wrong.length === 0 ? 0 : 1;
}

async function main(argv: string[]): Promise<number> {
  const { positionals, values } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      key: { type: "string" },
      keys: { type: "string" },
      flavour: { type: "string" },
      architecture: { type: "string", default: "x86-64" },
      minimum: { type: "string" },
      notes: { type: "string", default: "" },
    },
  });
  const [act, place] = positionals;
  const { key, keys, flavour, architecture, minimum, notes } = values;
  if (positionals.length === 2 && place !== undefined) {
    if (act === "new-key") return newKey(place);
    if (act === "sign" && key !== undefined && flavour !== undefined)
      return signRelease(place, { key, flavour, architecture, minimum, notes });
    if (act === "check" && keys !== undefined) return check(place, keys);
  }
  process.stderr.write(USAGE);
  return 2;
}

process.exitCode = await main(process.argv.slice(2));
