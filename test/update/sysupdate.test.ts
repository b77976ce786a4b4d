import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseReleaseKeys } from "../../src/evidence/evidence.ts";
import { installRelease } from "../../src/edge/update/sysupdate.ts";
import { runChecked, runProcess } from "../../src/platform/platform.ts";
import { flipByte } from "../support/flip-byte.ts";
import { openPublisher, type Publisher } from "../support/releases.ts";

const ROOT = join(import.meta.dirname, "../..");
const TRANSFERS = join(ROOT, "appliance/root/usr/lib/sysupdate.d");
const CACHE = join(ROOT, ".cache/image");
const IMAGE = { version: "1.0", hardware: { architecture: "x86-64", flavour: "headless" } };

let directory: string;
let publisher: Publisher;
const at = (name: string) => join(directory, name);

/** Debian 13's systemd-sysupdate out of the tools that made the image, in a root laid over them. */
async function command(): Promise<string[]> {
  const tools = (await readdir(CACHE)).find((name) => /^tools-[0-9a-f]+$/.test(name));
  if (tools === undefined) throw new Error("scripts/image has not made its tools yet");
  await mkdir(at("over"), { recursive: true });
  await writeFile(
    at("sysupdate"),
    `#!/bin/sh
set -e
mount -t tmpfs tmpfs ${at("over")}
cd ${at("over")}
mkdir up work root
mount -t overlay overlay -o lowerdir=${join(CACHE, tools)},upperdir=up,workdir=work root
mkdir -p root${directory}
mount --rbind ${directory} root${directory}
mount -t proc proc root/proc
mount --rbind /dev root/dev
exec chroot root /usr/lib/systemd/systemd-sysupdate --definitions=${at("definitions")} "$@"
`,
    { mode: 0o755 },
  );
  return ["unshare", "--mount", "--pid", "--fork", "--kill-child", at("sysupdate")];
}

const install = async (from: string, bootFiles = at("esp")) =>
  installRelease({
    ...{ from, work: at("work"), bootFiles, image: IMAGE },
    ...{ command: await command(), run: (argv: readonly string[]) => runProcess(argv) },
    keys: parseReleaseKeys(await readFile(publisher.publicFile, "utf8")),
  });
const partitions = async () =>
  (await runChecked(["/usr/sbin/sfdisk", "--dump", at("disk.raw")])).stdout
    .split("\n")
    .flatMap((line) => /name="([^"]*)"/.exec(line)?.[1] ?? []);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-sysupdate-"));
  publisher = await openPublisher(directory);
  await mkdir(at("esp"));
  await writeFile(at("esp/diemcau_1.0.efi"), "");
  await writeFile(at("disk.raw"), "");
  await truncate(at("disk.raw"), 64 << 20);
  const [root, verity] = ["4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"];
  const table = [
    "label: gpt",
    `size=8M, type=${root}, name="diemcau_1.0"`,
    `size=2M, type=${verity}, name="diemcau_1.0_v"`,
    `size=8M, type=${root}, name="_empty"`,
    `size=2M, type=${verity}, name="_empty"`,
  ];
  await runChecked(["/usr/sbin/sfdisk", "--quiet", at("disk.raw")], { input: `${table.join("\n")}\n` });
  // The product's own, on a disk in a file.
  await mkdir(at("definitions"));
  for (const name of await readdir(TRANSFERS)) {
    const text = await readFile(join(TRANSFERS, name), "utf8");
    await writeFile(
      at(`definitions/${name}`),
      text
        .replace("ProtectVersion=%A\n", "ProtectVersion=1.0\n")
        .replace("Path=/var/lib/diemcau-install\n", `Path=${at("work")}\n`)
        .replace("Path=auto\n", `Path=${at("disk.raw")}\n`)
        .replace("Path=/EFI/Linux\nPathRelativeTo=boot\n", `Path=${at("esp")}\n`),
    );
  }
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe("the installer with systemd-sysupdate", () => {
  test("puts a release into the empty slot and gives its boot file three tries, and the next one into that of the oldest", async () => {
    const two = await publisher.make(at("two"), { version: "2.0" });
    expect(await install(two.directory)).toEqual({ ok: true });
    expect(await partitions()).toEqual(["diemcau_1.0", "diemcau_1.0_v", "diemcau_2.0", "diemcau_2.0_v"]);
    expect((await readdir(at("esp"))).sort()).toEqual(["diemcau_1.0.efi", "diemcau_2.0+3-0.efi"]);
    const disk = await readFile(at("disk.raw"));
    expect(disk.includes((await readFile(two.rootFile)).subarray(0, 4_096))).toBe(true);
    // The running release is protected, so the one that was never started gives way.
    const three = await publisher.make(at("three"), { version: "3.0" });
    expect(await install(three.directory)).toEqual({ ok: true });
    expect(await partitions()).toEqual(["diemcau_1.0", "diemcau_1.0_v", "diemcau_3.0", "diemcau_3.0_v"]);
    expect((await readdir(at("esp"))).sort()).toEqual(["diemcau_1.0.efi", "diemcau_3.0+3-0.efi"]);
  });

  test("never-again 12: what a try that lost the mains has left under the right names is written anew", async () => {
    const two = await publisher.make(at("two"), { version: "2.0" });
    expect(await install(two.directory)).toEqual({ ok: true });
    const bootFile = at("esp/diemcau_2.0+3-0.efi");
    const whole = await readFile(bootFile);
    const root = (await readFile(two.rootFile)).subarray(0, 4_096);
    const disk = await readFile(at("disk.raw"));
    await writeFile(at("disk.raw"), disk.fill(0, disk.indexOf(root), disk.indexOf(root) + root.length));
    // As FAT keeps it that was renamed a moment before.
    await writeFile(bootFile, "");
    expect(await install(two.directory)).toEqual({ ok: true });
    expect(await readFile(bootFile)).toEqual(whole);
    expect((await readFile(at("disk.raw"))).includes(root)).toBe(true);
  });

  test("says so when the boot file is not what was signed, or not there", async () => {
    const two = await publisher.make(at("two"), { version: "2.0" });
    const elsewhere = at("nowhere");
    await mkdir(elsewhere);
    expect(await install(two.directory, elsewhere)).toMatchObject({ ok: false, reason: "sysupdate" });
    await writeFile(join(elsewhere, "diemcau_2.0+3-0.efi"), "");
    expect(await install(two.directory, elsewhere)).toMatchObject({
      ok: false,
      detail: expect.stringContaining("0 bytes instead of 65536"),
    });
  });

  test("never-again 12: touches no slot for a release that was tampered with, cut off, old or somebody else's", async () => {
    const bad = async (version: string, spoil: (root: string) => Promise<void>, wish: object = {}) => {
      const made = await publisher.make(at(`bad-${version}`), { version, ...wish });
      await spoil(made.rootFile);
      return install(made.directory);
    };
    const nothing = () => Promise.resolve();
    expect(await bad("2.1", flipByte)).toMatchObject({ reason: "tampered" });
    expect(await bad("2.2", (root) => truncate(root, 1_000))).toMatchObject({ reason: "truncated" });
    expect(await bad("0.9", nothing)).toMatchObject({ reason: "downgraded" });
    expect(await bad("2.3", nothing, { architecture: "arm64" })).toMatchObject({ reason: "wrongHardware" });
    expect(await bad("2.4", nothing, { minimum: "1.1" })).toMatchObject({ reason: "tooOld" });
    const stranger = await openPublisher(directory, "stranger");
    const foreign = await stranger.make(at("foreign"), { version: "2.5" });
    expect(await install(foreign.directory)).toMatchObject({ reason: "unknownKey" });
    expect(await partitions()).toEqual(["diemcau_1.0", "diemcau_1.0_v", "_empty", "_empty"]);
    expect(await readdir(directory)).not.toContain("work");
  });

  test("says so when the slot is too small", async () => {
    const large = await publisher.make(at("large"), { version: "2.0", sizeBytes: 9 << 20 });
    expect(await install(large.directory)).toMatchObject({ ok: false, reason: "sysupdate" });
    expect(await readdir(at("esp"))).toEqual(["diemcau_1.0.efi"]);
  });
});
