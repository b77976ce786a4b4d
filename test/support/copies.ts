import { join } from "node:path";
import { hashRegularFile } from "../../src/platform/platform.ts";
import {
  archiveTakePath,
  segmentFileName,
  segmentPath,
  type PointId,
  type SessionId,
} from "../../src/protocol/protocol.ts";
import { boxRecords } from "./count.ts";

/** What became of one recorded segment. */
export interface SegmentCopies {
  /** `take/seq` */
  key: string;
  /** whole: archived and at the province as recorded; damaged: a signed gap says that it cannot be read any more. */
  state: "whole" | "damaged" | "differs";
  evidence: string;
}

/** Every segment on a box's disk, held against its record, the archive and the province. */
export async function copiesOf(
  session: SessionId,
  point: PointId,
  places: { recordings: string; archive: string; province: string },
): Promise<SegmentCopies[]> {
  const records = await boxRecords(places.recordings, session);
  const statedDamaged = new Set(
    records.flatMap((record) => {
      const of = record.kind === "gap" && record.cause === "segmentDamaged" ? record.segment : undefined;
      return of ? [`${of.take}/${of.seq}`] : [];
    }),
  );
  const copies: SegmentCopies[] = [];
  for (const record of records) {
    if (record.kind !== "segment") continue;
    const key = `${record.take}/${record.seq}`;
    const archived = join(session, archiveTakePath(point, record.take), segmentFileName(record.seq));
    const paths = [
      join(places.recordings, segmentPath(record)),
      join(places.archive, archived),
      join(places.province, archived),
    ];
    const [box, hub, province] = await Promise.all(paths.map(async (path) => (await hashRegularFile(path))?.sha256));
    const isArchived = hub === record.sha256 && province === record.sha256;
    const state = isArchived ? "whole" : statedDamaged.has(key) && box !== record.sha256 ? "damaged" : "differs";
    copies.push({ key, state, evidence: JSON.stringify({ key, recorded: record.sha256, box, hub, province }) });
  }
  return copies;
}
