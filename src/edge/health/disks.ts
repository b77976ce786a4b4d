import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { DiskFacts } from "../../protocol/protocol.ts";

/** Of its life, in percent, from which on a disk is to be replaced at the next visit. */
const WORN_PERCENT = 80;
/** ATA attributes whose raw value counts sectors that could not be read or written. */
const BAD_SECTORS = new Map([
  [187, "reported uncorrectable"],
  [197, "pending"],
  [198, "offline uncorrectable"],
]);
/** ATA attributes whose normalised value is what is left of the flash's life: Wear_Leveling_Count and its namesakes. */
const LIFE_LEFT = new Set([177, 202, 231, 233]);
/** Spare below its threshold, reliability degraded, read-only: bits 0, 2 and 3 of the NVMe critical warning. */
const NVME_FAILING = 0b1101;

/** The part of `smartctl --json --all` that is judged; the rest and disks of other kinds are passed over. */
const Smart = z.looseObject({
  model_name: z.string().optional(),
  smart_status: z.looseObject({ passed: z.boolean() }).optional(),
  ata_smart_attributes: z
    .looseObject({
      table: z.array(
        z.looseObject({
          id: z.number(),
          value: z.number(),
          when_failed: z.string().optional(),
          raw: z.looseObject({ value: z.number() }),
        }),
      ),
    })
    .optional(),
  nvme_smart_health_information_log: z
    .looseObject({
      critical_warning: z.number(),
      percentage_used: z.number(),
      media_errors: z.number(),
    })
    .optional(),
});

/** What a disk says of itself, by `smartctl --json --all`; undefined where it says nothing. */
export function judgeSmart(name: string, text: string): DiskFacts | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = Smart.safeParse(json);
  if (!parsed.success) return undefined;
  const { smart_status, ata_smart_attributes, nvme_smart_health_information_log: nvme, model_name } = parsed.data;
  if (!smart_status && !ata_smart_attributes && !nvme) return undefined;
  const table = ata_smart_attributes?.table ?? [];
  const failing = [
    ...(smart_status?.passed === false ? ["the disk itself expects to fail"] : []),
    ...table.flatMap(({ id, raw }) =>
      BAD_SECTORS.has(id) && raw.value > 0 ? [`${BAD_SECTORS.get(id)}: ${raw.value}`] : [],
    ),
    ...(nvme && nvme.critical_warning & NVME_FAILING ? [`critical warning ${nvme.critical_warning}`] : []),
    ...(nvme && nvme.media_errors > 0 ? [`media errors: ${nvme.media_errors}`] : []),
  ];
  const left = table.filter(({ id, value }) => LIFE_LEFT.has(id) && value <= 100).map(({ value }) => value);
  const usedPercent = nvme ? nvme.percentage_used : left.length > 0 ? 100 - Math.min(...left) : null;
  return judge(name, model_name ?? name, failing, usedPercent);
}

/**
 * What an eMMC says of itself (JEDEC 5.0): `life_time` is "0x01 0x02", tenths of the life of its two kinds of memory;
 * `pre_eol_info` is 1 normal, 2 four fifths of the spare used, 3 nine tenths.
 */
export function judgeEmmc(name: string, lifeTime: string, preEol: string): DiskFacts | undefined {
  const tenths = lifeTime.trim().split(/\s+/).map(Number);
  // 0: not defined. 0x0b: past its life.
  const worst = Math.max(...tenths.filter((tenth) => tenth >= 1 && tenth <= 11));
  const spare = Number(preEol.trim() || "0");
  if (!Number.isFinite(worst) && spare === 0) return undefined;
  const failing = [...(spare >= 3 ? ["its spare blocks are used up"] : []), ...(worst === 11 ? ["past its life"] : [])];
  const percent = Number.isFinite(worst) ? worst * 10 : null;
  return judge(name, "eMMC", failing, spare === 2 ? Math.max(percent ?? 0, WORN_PERCENT) : percent);
}

const judge = (name: string, model: string, failing: string[], usedPercent: number | null): DiskFacts => ({
  ...{ name, model, usedPercent },
  state: failing.length > 0 ? "failing" : (usedPercent ?? 0) >= WORN_PERCENT ? "worn" : "ok",
  facts: failing.join("; "),
});

/**
 * Reads what is known of the disks: answers of `smartctl` that a service of root left in a folder, and what eMMC show to
 * everybody.
 */
export async function readDisks(answers: string, block = "/sys/block"): Promise<DiskFacts[]> {
  const text = (path: string) => readFile(path, "utf8").catch(() => "");
  const smart = (await readdir(answers).catch(() => [])).filter((file) => /^\w+\.json$/.test(file));
  const cards = (await readdir(block).catch(() => [])).filter((name) => /^mmcblk\d+$/.test(name));
  const judged = await Promise.all([
    ...smart.map(async (file) => judgeSmart(file.slice(0, -".json".length), await text(join(answers, file)))),
    ...cards.map(async (name) => {
      const of = (file: string) => text(join(block, name, "device", file));
      return judgeEmmc(name, await of("life_time"), await of("pre_eol_info"));
    }),
  ]);
  return judged.filter((disk) => disk !== undefined).sort((a, b) => a.name.localeCompare(b.name, "en"));
}
