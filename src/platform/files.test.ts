import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createDurable, writeDurable } from "./files.ts";

test("what one user writes for another has the mode that was said, whatever the writer's umask", async () => {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-files-"));
  const umask = process.umask(0o077);
  try {
    const modeOf = async (name: string) => (await stat(join(directory, name))).mode & 0o777;
    await writeDurable(join(directory, "answer"), "{}", 0o644);
    expect(await modeOf("answer")).toBe(0o644);
    await createDurable(join(directory, "once"), "{}", 0o640);
    expect(await modeOf("once")).toBe(0o640);
    await writeDurable(join(directory, "secret"), "");
    expect(await modeOf("secret")).toBe(0o600);
  } finally {
    process.umask(umask);
    await rm(directory, { recursive: true });
  }
});
