import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { judgeReleaseFile, readRelease, type ReleaseKeys } from "../../evidence/evidence.ts";
import { causeOf, makeDirectory, syncDirectory, type RunResult } from "../../platform/platform.ts";
import {
  judgeRelease,
  RELEASE_MANIFEST,
  RELEASE_SIGNATURE,
  type ReleaseFile,
  type ReleaseManifest,
} from "../../protocol/protocol.ts";
import type { RunningImage } from "./image.ts";
import type { InstallOutcome } from "./installer.ts";

export interface SysupdateOptions {
  /** Of the agent, with the release's files, manifest and signature. */
  from: string;
  /** Of the installer alone; the transfer files name it as their source (sysupdate.d(5), Path=). */
  work: string;
  /** Where the boot loader looks for boot files (UKIs), on FAT. */
  bootFiles: string;
  keys: ReleaseKeys;
  image: RunningImage;
  /** `systemd-sysupdate` and arguments that come before the command. */
  command: readonly string[];
  run: (argv: readonly string[]) => Promise<RunResult>;
}

const BOOT_FILE = ".efi";

const no = (reason: string, detail: string): InstallOutcome => ({ ok: false, reason, detail: detail.slice(0, 300) });

/**
 * Puts a release into the other slot, with the rights of the system. The folder that it comes from belongs to the agent, so
 * nothing there is believed: what systemd-sysupdate reads are copies that were hashed while they were made.
 *
 * INVARIANTS
 * - The other slot is emptied first: systemd-sysupdate goes by names, and takes what a try that lost the mains has left
 *   under the right name for installed.
 * - Installed is said only of a boot file that is what was signed and lies on the disk.
 */
export async function installRelease(options: SysupdateOptions): Promise<InstallOutcome> {
  const { from, work, bootFiles, keys, image, command, run } = options;
  const sysupdate = async (...args: string[]): Promise<InstallOutcome> => {
    const { code, signal, stdout, stderr } = await run([...command, "--verify=no", ...args]);
    if (code === 0) return { ok: true };
    const words = `${stdout}\n${stderr}`.trim().split("\n").slice(-3).join(" | ");
    return no("sysupdate", `${args.at(-1)}: ended with ${code ?? signal}: ${words}`);
  };
  try {
    const manifest = await readFile(join(from, RELEASE_MANIFEST), "utf8");
    const signature = (await readFile(join(from, RELEASE_SIGNATURE))).toString("base64");
    const verdict = readRelease({ manifest, signature }, keys);
    if (!verdict.ok) return no(verdict.reason, verdict.detail);
    const wrong = judgeRelease(verdict.manifest, { running: image.version, hardware: image.hardware });
    if (wrong) return no(wrong.reason, wrong.detail);
    await rm(work, { recursive: true, force: true });
    await makeDirectory(work);
    for (const file of verdict.manifest.files) {
      const spoilt = await copyJudged(join(from, file.name), join(work, file.name), file);
      if (spoilt) return no(spoilt.reason, spoilt.detail);
    }
    const emptied = await sysupdate("--instances-max=1", "vacuum");
    if (!emptied.ok) return emptied;
    const written = await sysupdate("update", verdict.manifest.version);
    return written.ok ? await settleBootFile(bootFiles, verdict.manifest) : written;
  } catch (error) {
    return no("failed", causeOf(error));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** FAT writes the size of a file that was renamed last: without the mains by then it would be a boot file of no bytes. */
async function settleBootFile(folder: string, { version, files }: ReleaseManifest): Promise<InstallOutcome> {
  const file = files.find(({ name }) => name.endsWith(BOOT_FILE));
  // With the boot loader's tries in its name.
  const stem = file?.name.slice(0, -BOOT_FILE.length);
  const found = (await readdir(folder)).find((name) => name.endsWith(BOOT_FILE) && name.split(/\+|\.efi$/)[0] === stem);
  if (!file || found === undefined) return no("sysupdate", `no boot file of ${version} in ${folder}`);
  const path = join(folder, found);
  const spoilt = await judgeReleaseFile(path, file);
  if (spoilt) return no("sysupdate", `in ${folder}: ${spoilt.detail}`);
  await using written = await open(path);
  await written.sync();
  await syncDirectory(folder);
  return { ok: true };
}

const CHUNK_BYTES = 1 << 20;

async function copyJudged(from: string, to: string, { name, sizeBytes, sha256 }: ReleaseFile) {
  await using source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW);
  await using target = await open(to, "wx", 0o600);
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let copied = 0;
  // Not a byte more than was signed, however long the file is.
  for (;;) {
    const { bytesRead } = await source.read(buffer, 0, CHUNK_BYTES, copied);
    if (bytesRead === 0) break;
    copied += bytesRead;
    if (copied > sizeBytes) break;
    hash.update(buffer.subarray(0, bytesRead));
    await target.write(buffer, 0, bytesRead);
  }
  if (copied !== sizeBytes)
    return { reason: "truncated", detail: `${name}: not the ${sizeBytes} bytes that were signed` };
  const is = hash.digest("hex");
  return is === sha256 ? undefined : { reason: "tampered", detail: `${name}: its SHA-256 is ${is}` };
}
