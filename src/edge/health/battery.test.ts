import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../platform/platform.ts";
import { readBattery } from "./battery.ts";

test("a clock that stood before the program was made has an empty battery, for the whole of that boot", async () => {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-rtc-"));
  try {
    const [rtc, program] = [join(directory, "since_epoch"), join(directory, "program")];
    await writeFile(program, "");
    await utimes(program, 1_780_000_000, 1_780_000_000);
    const read = (bootId: string) => readBattery({ ...systemClock, bootId }, directory, program, rtc);
    expect(await read("first")).toEqual({ empty: false, rtcMs: null });
    await writeFile(rtc, "1577836800\n");
    expect(await read("second")).toEqual({ empty: true, rtcMs: 1_577_836_800_000 });
    // Set right meanwhile by the kernel, and the agent has started anew.
    await writeFile(rtc, "1790000000\n");
    expect((await read("second")).empty).toBe(true);
    expect((await read("third")).empty).toBe(false);
  } finally {
    await rm(directory, { recursive: true });
  }
});
