import { open } from "node:fs/promises";
import type { Survival } from "./volatile-disk.ts";

/**
 * The log of a disk's writes as QEMU's `blklogwrites` and the kernel's dm-log-writes make it
 * (Documentation/admin-guide/device-mapper/log-writes.rst): a superblock, then entries of one sector each, followed by
 * the data of what they tell of. Numbers are little endian.
 */
const MAGIC = 0x6a_7366_7773_6872n;
const FLUSH = 1n;
const HEADER_BYTES = 32;

interface LoggedWrite {
  kind: "write" | "flush";
  /** On the disk, and in the log. */
  offset: number;
  logOffset: number;
  bytes: number;
}

/**
 * Writes to `platter`, which is as the disk was when its log began, what was on it when the power was cut: everything
 * before the last flush, and of each sector written since what `survival` says.
 */
export async function replayCut(
  logFile: string,
  platterFile: string,
  survival: Survival,
  random: () => number,
): Promise<{ writes: number; unflushed: number }> {
  await using log = await open(logFile);
  await using platter = await open(platterFile, "r+");
  const { size } = await log.stat();
  const head = Buffer.alloc(HEADER_BYTES);
  await log.read(head, 0, HEADER_BYTES, 0);
  if (head.readBigUInt64LE(0) !== MAGIC) throw new Error(`${logFile} is no log of writes`);
  const sectorBytes = head.readUInt32LE(24);
  const events: LoggedWrite[] = [];
  for (let at = sectorBytes; at + HEADER_BYTES <= size;) {
    await log.read(head, 0, HEADER_BYTES, at);
    const [sector, sectors, flags] = [0, 8, 16].map((from) => head.readBigUInt64LE(from)) as [bigint, bigint, bigint];
    if (sectors === 0n && flags === 0n) break;
    const bytes = Number(sectors) * sectorBytes;
    at += sectorBytes;
    // The last one may not have arrived whole.
    if (at + bytes > size) break;
    if (bytes > 0) events.push({ kind: "write", offset: Number(sector) * sectorBytes, logOffset: at, bytes });
    if ((flags & FLUSH) !== 0n) events.push({ kind: "flush", offset: 0, logOffset: at, bytes: 0 });
    at += bytes;
  }
  const lastFlush = events.findLastIndex(({ kind }) => kind === "flush");
  for (const [n, { kind, offset, logOffset, bytes }] of events.entries()) {
    if (kind === "flush" || (n > lastFlush && survival === "nothing")) continue;
    const data = Buffer.alloc(bytes);
    await log.read(data, 0, bytes, logOffset);
    if (n < lastFlush || survival === "everything") await platter.write(data, 0, bytes, offset);
    else
      for (let from = 0; from < bytes; from += sectorBytes)
        if (random() < 0.5) await platter.write(data, from, sectorBytes, offset + from);
  }
  const writes = events.filter(({ kind }) => kind === "write").length;
  return { writes, unflushed: events.slice(lastFlush + 1).length };
}
