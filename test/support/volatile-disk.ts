import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runChecked, runProcess, startProcess } from "../../src/platform/platform.ts";
import { until } from "./until.ts";

/** Where a volatile disk keeps what it is and was. */
export interface VolatileDiskFiles {
  /** What the drive holds now. */
  image: string;
  /** Bytes of all writes, one after another. */
  log: string;
  /** DiskEvent[], written when the drive is switched off. */
  index: string;
  /** Where the drive shows itself as a file. */
  file: string;
}

/** What the block layer asked of the drive; moments are CLOCK_MONOTONIC. */
export type DiskEvent = { atMs: number } & ({ kind: "write"; offset: number; bytes: number } | { kind: "flush" });

/** What the drive's volatile cache does at the cut with the sectors that were not flushed. */
export type Survival = "nothing" | "some" | "everything";

/**
 * A drive with a volatile write cache, below a real ext4: what is on the platter at any moment of its past can be had,
 * as if the power had been cut then. See docs/design/powercut.md. Needs root, /dev/fuse and loop devices.
 */
export interface VolatileDisk extends AsyncDisposable {
  /** The mounted file system. */
  readonly directory: string;
  /** From now on nothing can be written to the drive. */
  fail(): void;
  /** Unmounts and switches the drive off; its past stays. */
  stop(): Promise<void>;
  /** Mean over a stretch of its life: what keeping the files safe costs the drive. */
  load(fromMs: number, toMs: number): { kilobytesPerS: number; flushesPerS: number };
  /**
   * Makes the drive as it is after a cut. Everything before the last flush that was answered by then is on it; of each
   * sector written since, what `survival` says.
   * @param random 0 ≤ x < 1, drawn for each sector
   */
  cut(atMs: number, survival: Survival, random: () => number, image: string): Promise<void>;
}

const SECTOR_BYTES = 512;
const SIZE = "384M";

/**
 * ext4 as Debian's installer leaves it: ordered data, journal commits every 5 s, barriers.
 * @param home for its files, and for whatever is mounted of it later
 * @param features as mkfs takes them: without a journal a program's writes go on into memory when the drive has failed
 */
export async function makeVolatileDisk(home: string, features: readonly string[] = []): Promise<VolatileDisk> {
  await mkdir(home, { recursive: true });
  await using making = new AsyncDisposableStack();
  // A namespace that somebody makes meanwhile copies all mounts. Copies of shared ones go when they go; others would
  // keep the drive's file system mounted.
  await runChecked(["mount", "--bind", home, home]);
  making.defer(() => unmount(home));
  await runChecked(["mount", "--make-shared", home]);
  const files: VolatileDiskFiles = {
    image: join(home, "now.img"),
    log: join(home, "log.bin"),
    index: join(home, "log.json"),
    file: join(home, "drive"),
  };
  const pristine = join(home, "pristine.img");
  const directory = join(home, "mounted");
  await mkdir(directory);
  await writeFile(files.file, "");
  // Nothing is left to be initialised in the background: it would come between two cuts.
  const settled = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
  await runChecked(["mkfs.ext4", "-q", "-F", "-m", "0", "-E", settled, ...features, pristine, SIZE]);
  await copySparse(pristine, files.image);

  await using starting = new AsyncDisposableStack();
  const script = join(import.meta.dirname, "volatile-disk-child.ts");
  const drive = await startProcess([process.execPath, script, JSON.stringify(files)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise<void>((resolve, reject) => {
    drive.stdout!.once("data", () => resolve());
    void drive.exited.then(() => reject(new Error("FUSE cannot be mounted here; power cuts need root and /dev/fuse")));
  });
  starting.defer(async () => {
    await unmount(files.file);
    await drive.exited;
  });
  await runChecked(["mount", "-t", "ext4", "-o", "loop", files.file, directory]);
  starting.defer(() => unmount(directory));
  const running = starting.move();
  const made = making.move();
  made.use(running);
  let events: DiskEvent[] | undefined;

  const past = (): DiskEvent[] => {
    if (!events) throw new Error("the drive is still on");
    return events;
  };
  return {
    directory,
    fail: () => drive.kill("SIGUSR1"),
    async stop() {
      await running.disposeAsync();
      events = JSON.parse(await readFile(files.index, "utf8")) as DiskEvent[];
    },
    load(fromMs, toMs) {
      const seen = past().filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
      const bytes = seen.reduce((sum, event) => sum + (event.kind === "write" ? event.bytes : 0), 0);
      const seconds = (toMs - fromMs) / 1_000;
      const flushes = seen.filter(({ kind }) => kind === "flush").length;
      return { kilobytesPerS: bytes / 1_000 / seconds, flushesPerS: flushes / seconds };
    },
    async cut(atMs, survival, random, image) {
      const before = past().filter((event) => event.atMs <= atMs);
      const lastFlush = before.findLastIndex(({ kind }) => kind === "flush");
      await copySparse(pristine, image);
      await using platter = await open(image, "r+");
      await using log = await open(files.log);
      let at = 0;
      for (const [n, event] of before.entries()) {
        if (event.kind === "flush") continue;
        const data = Buffer.alloc(event.bytes);
        await log.read(data, 0, data.length, at);
        at += data.length;
        if (n < lastFlush || survival === "everything") await platter.write(data, 0, data.length, event.offset);
        else if (survival === "some")
          for (let from = 0; from < data.length; from += SECTOR_BYTES)
            if (random() < 0.5) await platter.write(data, from, SECTOR_BYTES, event.offset + from);
      }
    },
    [Symbol.asyncDispose]: () => made.disposeAsync(),
  };
}

/** e2fsck(8): nothing to do, or repaired. */
const REPAIRED = new Set([0, 1, 2]);

/**
 * Mounts a drive after its cut, as a box that starts with `fsck.repair=yes`: the journal is replayed, what is torn
 * (ext4's superblock is two sectors) is repaired, and it can be written to.
 */
export async function mountImage(image: string, directory: string): Promise<AsyncDisposable> {
  const { code, stdout } = await runProcess(["e2fsck", "-y", image]);
  if (!REPAIRED.has(code ?? -1)) throw new Error(`a file system that cannot be repaired: ${stdout}`);
  await mkdir(directory, { recursive: true });
  await runChecked(["mount", "-t", "ext4", "-o", "loop", image, directory]);
  return { [Symbol.asyncDispose]: () => unmount(directory) };
}

/** A process that has just ended, and the loop driver after its own unmount, let go a moment later. */
async function unmount(directory: string): Promise<void> {
  await until(`${directory} is let go`, () => runChecked(["umount", directory]).then(() => true));
}

const copySparse = (from: string, to: string) => runChecked(["cp", "--sparse=always", from, to]);
