import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** What is wrong in a virtual room: a file that tests and drills write into the box's run directory. */
export const VirtualFaults = z.strictObject({
  picture: z.enum(["good", "black", "dark", "frozen", "unplugged"]).default("good"),
  sound: z.enum(["good", "silent", "clipping", "hum", "unplugged"]).default("good"),
  /** The devices give nothing any more, and are still there. */
  stopped: z.boolean().default(false),
});
export type VirtualFaults = z.infer<typeof VirtualFaults>;

export const NO_FAULTS: VirtualFaults = VirtualFaults.parse({});
export const virtualFaultsFile = (runDirectory: string): string => join(runDirectory, "virtual-faults.json");

/** No file is no fault; a file that is half written says nothing. Synchronous: the file is in memory. */
export function readVirtualFaults(path: string): VirtualFaults {
  if (!statSync(path, { throwIfNoEntry: false })) return NO_FAULTS;
  try {
    return VirtualFaults.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return NO_FAULTS;
  }
}

const FULL = 32_767;
const HUM_HZ = 50;
/** -26 dBFS: what a broken cable's shield lets in. */
const HUM_AMPLITUDE = FULL * 0.07;

/** @param from number of the first sample, at 48 kHz */
export function spoil(samples: Int16Array, from: number, fault: VirtualFaults["sound"]): Int16Array<ArrayBuffer> {
  switch (fault) {
    case "silent":
      return new Int16Array(samples.length);
    case "clipping":
      return Int16Array.from(samples, (sample) => Math.max(-FULL, Math.min(FULL, sample * 30)));
    case "hum":
      return Int16Array.from(samples, (sample, i) =>
        Math.max(
          -FULL,
          Math.min(FULL, sample + HUM_AMPLITUDE * Math.sin((2 * Math.PI * HUM_HZ * (from + i)) / 48_000)),
        ),
      );
    case "good":
    case "unplugged":
  }
  return Int16Array.from(samples);
}
