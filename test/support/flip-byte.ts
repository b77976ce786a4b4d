import { open } from "node:fs/promises";

/** Changes a byte in the middle of a file. */
export async function flipByte(path: string): Promise<void> {
  await using file = await open(path, "r+");
  const { size } = await file.stat();
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, size >> 1);
  byte[0]! ^= 0xff;
  await file.write(byte, 0, 1, size >> 1);
}
