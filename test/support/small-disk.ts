import { copyFile, mkdtemp, readdir, rename, rm, rmdir, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecked, runProcess } from "../../src/platform/platform.ts";

/** A disk of its own, small enough to fill: ext4 on a loop device. Needs root. */
export interface SmallDisk extends AsyncDisposable {
  readonly directory: string;
  /** Writes until nothing is left; gives the bytes that went in. */
  fill(name?: string): Promise<number>;
  /** What ext4 does by itself when the device under it fails (errors=remount-ro). */
  failToReadOnly(): Promise<void>;
  /** As if pulled out: the directory is still there and shows what is below the mount. */
  pull(): Promise<void>;
  insert(): Promise<void>;
  /**
   * Makes one file that cannot be read: not even asked about (its inode is broken), or with its name and size there and
   * its bytes not, as by a bad sector.
   * @returns which
   */
  spoil(isIt: (name: string) => boolean, what?: "inode" | "bytes"): Promise<{ path: string }>;
}

export async function makeSmallDisk(sizeBytes: number): Promise<SmallDisk> {
  if (process.getuid?.() !== 0) throw new Error("mounting needs root; run this group as root");
  const home = await mkdtemp(join(tmpdir(), "diemcau-disk-"));
  const image = join(home, "image");
  const directory = await mkdtemp(join(tmpdir(), "diemcau-mount-"));
  await writeFile(image, "");
  await truncate(image, sizeBytes);
  await runChecked(["mkfs.ext4", "-q", "-m", "0", image]);
  const insert = async (errors = "remount-ro") => {
    await runChecked(["mount", "-o", `loop,errors=${errors}`, image, directory]);
  };
  const pull = async () => {
    await runProcess(["umount", "--lazy", directory]);
  };
  await insert();
  return {
    directory,
    insert: () => insert(),
    pull,
    async fill(name = "filler") {
      let bytes = 0;
      for (const unit of ["64k", "4k"]) {
        const { stderr } = await runProcess([
          "dd",
          "if=/dev/zero",
          `of=${join(directory, `${name}-${unit}`)}`,
          `bs=${unit}`,
        ]);
        bytes += Number(/(\d+) bytes/.exec(stderr)?.[1]);
      }
      return bytes;
    },
    async spoil(isIt, what = "inode") {
      const path = (await readdir(directory, { recursive: true })).find(isIt);
      if (path === undefined) throw new Error("no such file on this disk");
      await runChecked(["sync", "--file-system", directory]);
      // A program that is about to open a file keeps it busy, and another's namespace may still have the drive mounted,
      // with this file in its memory: so another drive.
      await pull();
      const copy = `${image}-spoilt`;
      await rename(image, copy);
      await copyFile(copy, image);
      await runProcess(["e2fsck", "-p", image]);
      const { stdout: blocks } = await runChecked(["debugfs", "-R", `blocks /${path}`, image]);
      // Words 0 to 2 of an inode's root are its head (in word 1 how deep the tree is), 3 to 5 its first entry: first
      // block, length and, in the last, where it lies; or, in a tree, first block and where the leaf lies.
      const words =
        what === "inode" ? { 5: "0x7fffffff" } : { 1: "0x10004", 4: Number.parseInt(blocks).toString(), 5: "0" };
      for (const [word, value] of Object.entries(words))
        await runChecked(["debugfs", "-w", "-R", `set_inode_field /${path} block[${word}] ${value}`, image]);
      // As with a bad sector, the rest of the disk goes on.
      await insert("continue");
      return { path };
    },
    async failToReadOnly() {
      const { stdout } = await runChecked(["findmnt", "--noheadings", "--output", "SOURCE", directory]);
      const device = stdout.trim().split("/").at(-1)!;
      await writeFile(`/sys/fs/ext4/${device}/trigger_fs_error`, "1");
    },
    async [Symbol.asyncDispose]() {
      await pull();
      await rmdir(directory);
      await rm(home, { recursive: true });
    },
  };
}
