import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { chainHash } from "../../evidence/evidence.ts";
import { fileSize, readLastLine, writeDurable } from "../../platform/platform.ts";
import { ClockReading, Sha256Hex, SignedRecord, TakeEndRecord, TakeId } from "../../protocol/protocol.ts";

const SUMMARY = "summary.json";

const count = z.number().int().nonnegative();
const DamagedSegment = z.object({ take: TakeId, seq: count });
export type DamagedSegment = z.infer<typeof DamagedSegment>;

/**
 * What a start needs of a take that has ended. Made from its records, at any time anew, and never evidence: it counts
 * only while the last record on disk is the one that it was made from.
 */
const TakeSummary = z.object({
  v: z.literal(1),
  records: count,
  recordsBytes: count,
  prev: z.string(),
  /** Of the last record. */
  hash: z.string(),
  endReason: TakeEndRecord.shape.reason,
  firstFrameAt: ClockReading.optional(),
  streamStartMs: z.number(),
  frames: count,
  /** Of each closed segment, by number. */
  sizesBytes: z.array(count),
  last: z
    .object({
      seq: count,
      sizeBytes: count,
      sha256: Sha256Hex,
      streamStartMs: z.number(),
      streamEndMs: z.number(),
      frames: count,
      startedAt: ClockReading,
    })
    .optional(),
  statedToUtcMs: z.number().nullable(),
  statedDamaged: z.array(DamagedSegment),
});
export type TakeSummary = z.infer<typeof TakeSummary>;

/** @param records the take's file of records. @returns undefined where there is no summary of just these records */
export async function readSummary(directory: string, records: string): Promise<TakeSummary | undefined> {
  try {
    const summary = TakeSummary.parse(JSON.parse(await readFile(join(directory, SUMMARY), "utf8")));
    if (summary.recordsBytes !== (await fileSize(records))) return undefined;
    const line = await readLastLine(records);
    if (line === undefined) return undefined;
    const { record } = SignedRecord.parse(JSON.parse(line));
    return chainHash(record) === summary.hash ? summary : undefined;
  } catch {
    return undefined;
  }
}

export async function writeSummary(directory: string, summary: TakeSummary): Promise<void> {
  await writeDurable(join(directory, SUMMARY), JSON.stringify(summary));
}
