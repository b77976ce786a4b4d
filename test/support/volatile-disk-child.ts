import { constants, openSync, readSync, writeSync } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { startProcess, systemClock } from "../../src/platform/platform.ts";
import type { DiskEvent, VolatileDiskFiles } from "./volatile-disk.ts";

/**
 * The drive of volatile-disk.ts: a FUSE file system whose root is one regular file (linux/fuse.h, protocol 7.31), for
 * the kernel's loop driver to make a block device of. That driver sends each request of the block layer as a write
 * that bypasses the page cache, and each FLUSH as an fsync; both are answered at once and written down with their
 * moment. Argument 1: JSON. Prints a line when the file can be opened; ends when it is unmounted. After SIGUSR1 nothing
 * can be written any more.
 */
const { image, log, index, file } = JSON.parse(process.argv[2]!) as VolatileDiskFiles;
const IN_HEADER_BYTES = 40;
const OUT_HEADER_BYTES = 16;
const MAX_WRITE_BYTES = 1024 * 1024;
/** Emptying the cache of a solid-state drive without power-loss protection takes about so long. */
const FLUSH_MS = 5;
const PAGE_BYTES = 4_096;
const OPERATION = {
  getattr: 3,
  setattr: 4,
  open: 14,
  read: 15,
  write: 16,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
};
const UNANSWERED = new Set([2 /* forget */, 36 /* interrupt */, 42 /* batch forget */]);
const ENOSYS = 38;
const EIO = 5;
const FOPEN_DIRECT_IO = 1;
const FUSE_BIG_WRITES = 1 << 5;
const FUSE_MAX_PAGES = 1 << 22;

const disk = openSync(image, "r+");
const written = openSync(log, "wx");
const events: DiskEvent[] = [];
const state = { broken: false };
process.on("SIGUSR1", () => (state.broken = true));
await using stat = await open(image);
const sizeBytes = (await stat.stat()).size;

function attributes(): Buffer {
  const out = Buffer.alloc(104);
  const attr = out.subarray(16);
  attr.writeBigUInt64LE(1n, 0);
  attr.writeBigUInt64LE(BigInt(sizeBytes), 8);
  attr.writeBigUInt64LE(BigInt(sizeBytes / 512), 16);
  attr.writeUInt32LE(constants.S_IFREG | 0o600, 60);
  attr.writeUInt32LE(1, 64);
  attr.writeUInt32LE(PAGE_BYTES, 80);
  return out;
}

function greeting(body: Buffer): Buffer {
  const out = Buffer.alloc(64);
  out.writeUInt32LE(7, 0);
  out.writeUInt32LE(31, 4);
  out.writeUInt32LE(body.readUInt32LE(8), 8);
  out.writeUInt32LE(FUSE_BIG_WRITES | FUSE_MAX_PAGES, 12);
  out.writeUInt16LE(16, 16);
  out.writeUInt16LE(12, 18);
  out.writeUInt32LE(MAX_WRITE_BYTES, 20);
  out.writeUInt32LE(1, 24);
  out.writeUInt16LE(MAX_WRITE_BYTES / PAGE_BYTES, 28);
  return out;
}

/** @returns the answer's body, or an error number */
function answer(operation: number, body: Buffer): Buffer | number {
  if (state.broken && (operation === OPERATION.write || operation === OPERATION.fsync)) return EIO;
  switch (operation) {
    case OPERATION.init:
      return greeting(body);
    case OPERATION.getattr:
    case OPERATION.setattr:
      return attributes();
    case OPERATION.open: {
      const out = Buffer.alloc(16);
      out.writeUInt32LE(FOPEN_DIRECT_IO, 8);
      return out;
    }
    case OPERATION.read: {
      const out = Buffer.alloc(body.readUInt32LE(16));
      return out.subarray(0, readSync(disk, out, 0, out.length, Number(body.readBigUInt64LE(8))));
    }
    case OPERATION.write: {
      const offset = Number(body.readBigUInt64LE(8));
      const bytes = body.readUInt32LE(16);
      const data = body.subarray(40, 40 + bytes);
      writeSync(disk, data, 0, bytes, offset);
      writeSync(written, data);
      events.push({ atMs: systemClock.monotonicMs(), kind: "write", offset, bytes });
      const out = Buffer.alloc(8);
      out.writeUInt32LE(bytes, 0);
      return out;
    }
    case OPERATION.fsync:
      events.push({ atMs: systemClock.monotonicMs(), kind: "flush" });
      return Buffer.alloc(0);
    case OPERATION.release:
    case OPERATION.flush:
      return Buffer.alloc(0);
    default:
      return ENOSYS;
  }
}

const fuse = await open("/dev/fuse", "r+");
const options = `fd=3,rootmode=${(constants.S_IFREG | 0o600).toString(8)},user_id=0,group_id=0`;
const mounting = await startProcess(["mount", "-i", "-t", "fuse", "-o", options, "diemcau-volatile-disk", file], {
  stdio: ["ignore", "inherit", "inherit", fuse.fd],
});
const { code } = await mounting.exited;
if (code !== 0) process.exit(1);
process.stdout.write("mounted\n");

const request = Buffer.alloc(MAX_WRITE_BYTES + PAGE_BYTES);
for (;;) {
  let bytesRead: number;
  try {
    ({ bytesRead } = await fuse.read(request, 0, request.length, null));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENODEV") break; // unmounted
    throw error;
  }
  const operation = request.readUInt32LE(4);
  if (UNANSWERED.has(operation)) continue;
  if (operation === OPERATION.fsync) await systemClock.sleep(FLUSH_MS);
  const body = answer(operation, request.subarray(IN_HEADER_BYTES, bytesRead));
  const head = Buffer.alloc(OUT_HEADER_BYTES);
  const bytes = typeof body === "number" ? 0 : body.length;
  head.writeUInt32LE(OUT_HEADER_BYTES + bytes, 0);
  head.writeInt32LE(typeof body === "number" ? -body : 0, 4);
  request.copy(head, 8, 8, 16);
  writeSync(fuse.fd, typeof body === "number" ? head : Buffer.concat([head, body]));
}
await writeFile(index, JSON.stringify(events));
