import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Clock } from "../../platform/platform.ts";

/** The clock that goes on without power; present on the box's board. */
const RTC = "/sys/class/rtc/rtc0/since_epoch";
/** A clock that is kept in local time may be behind by half a day. */
const ZONE_MS = 24 * 3_600_000;
const FirstReading = z.object({ bootId: z.string(), rtcMs: z.number().nullable() });

/**
 * Whether the clock's battery is empty: the clock stood before the day on which this program was made. The first reading of a
 * boot counts, since the kernel sets that clock right once the time is known from elsewhere; and not the system's own time,
 * which systemd puts forward to its own making.
 * @param rtcMs null where the box has no such clock, of which nothing is known
 */
export const isBatteryEmpty = (rtcMs: number | null, madeMs: number): boolean =>
  rtcMs !== null && rtcMs < madeMs - ZONE_MS;

/**
 * Reads that clock as it stood when this boot began.
 * @param runDirectory in tmpfs: keeps the first reading over restarts of the agent
 * @param program a file of the program, whose time is that of its making
 */
export async function readBattery(
  clock: Clock,
  runDirectory: string,
  program: string,
  rtc = RTC,
): Promise<{ empty: boolean; rtcMs: number | null }> {
  const path = join(runDirectory, "rtc.json");
  const kept = await readFile(path, "utf8").then(
    (text) => FirstReading.safeParse(tryJson(text)).data,
    () => undefined,
  );
  const known = kept?.bootId === clock.bootId ? kept : undefined;
  const seconds = known ? undefined : await readFile(rtc, "utf8").catch(() => "");
  const rtcMs = known ? known.rtcMs : /^\d+\s*$/.test(seconds ?? "") ? Number(seconds) * 1_000 : null;
  if (!known) await writeFile(path, JSON.stringify({ bootId: clock.bootId, rtcMs }), { mode: 0o600 });
  return { empty: isBatteryEmpty(rtcMs, (await stat(program)).mtimeMs), rtcMs };
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
