import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runChecked } from "../../src/platform/platform.ts";
import { RELEASE_MANIFEST, RELEASE_SIGNATURE, type SignedRelease } from "../../src/protocol/protocol.ts";

/** A publisher of releases: openssl makes the key, scripts/release signs, the files are random. */
export interface Publisher {
  readonly keyFile: string;
  readonly publicFile: string;
  make(directory: string, release: ReleaseWish): Promise<MadeRelease>;
}

interface ReleaseWish {
  version: string;
  flavour?: string;
  architecture?: string;
  minimum?: string;
  /** Of the root file; the others are small. */
  sizeBytes?: number;
}

export interface MadeRelease {
  directory: string;
  id: string;
  signed: SignedRelease;
  rootFile: string;
}

const SCRIPT = join(import.meta.dirname, "../../scripts/release.ts");

export async function openPublisher(directory: string, name = "release"): Promise<Publisher> {
  const keyFile = join(directory, `${name}.key`);
  const publicFile = join(directory, `${name}.pub.pem`);
  await runChecked(["openssl", "genpkey", "-algorithm", "ed25519", "-out", keyFile]);
  await runChecked(["openssl", "pkey", "-in", keyFile, "-pubout", "-out", publicFile]);
  return publisherOf(keyFile, publicFile);
}

/** One whose key is there already. */
export function publisherOf(keyFile: string, publicFile: string): Publisher {
  return {
    keyFile,
    publicFile,
    async make(
      directory,
      { version, flavour = "headless", architecture = "x86-64", minimum = "0", sizeBytes = 400_000 },
    ) {
      await mkdir(directory, { recursive: true });
      const uuid = "0f0c1e5e-2f4c-4c1f-9df1-6c1d2b7f3a11";
      const rootFile = join(directory, `diemcau_${version}_${uuid}.root.raw`);
      await writeFile(rootFile, randomBytes(sizeBytes));
      await writeFile(join(directory, `diemcau_${version}_${uuid}.verity.raw`), randomBytes(8_192));
      await writeFile(join(directory, `diemcau_${version}.efi`), randomBytes(65_536));
      await runChecked([
        ...[process.execPath, SCRIPT, "sign", directory, "--key", keyFile],
        ...["--flavour", flavour, "--architecture", architecture, "--minimum", minimum, "--notes", "thử"],
      ]);
      const signed = await readSignedRelease(directory);
      return { directory, rootFile, signed, id: createHash("sha256").update(signed.manifest).digest("hex") };
    },
  };
}

export async function readSignedRelease(directory: string): Promise<SignedRelease> {
  const signature = await readFile(join(directory, RELEASE_SIGNATURE));
  return {
    manifest: await readFile(join(directory, RELEASE_MANIFEST), "utf8"),
    signature: signature.toString("base64"),
  };
}
