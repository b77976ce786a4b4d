import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  EvidenceRecord,
  archiveTakePath,
  segmentFileName,
  segmentPath,
  type PointId,
  type SegmentRecord,
  type SessionId,
  type SignedRecord,
} from "../../src/protocol/protocol.ts";
import { completeLines, runChecked } from "../../src/platform/platform.ts";

/** What became of one room's recording of one session, counted from the files themselves. */
export interface RoomCount {
  /** What the camera of a virtual room gave, as the takes' last records say; 0 where the source cannot tell. */
  framesCaptured: number;
  /** What the encoder took, by its own count. */
  framesEncoded: number;
  /** Video frames in the box's own files, as its signed records count them. */
  framesRecorded: number;
  /** Counted by ffprobe in the archived files. */
  framesArchived: number;
  /** Counted by ffprobe in the province's files. */
  framesAtProvince: number;
  segments: number;
  bytes: number;
  gaps: { cause: string; durationMs: number; detail: string }[];
  /** Every segment has one SHA-256: in its record, on the box, in the archive and at the province. */
  hashesEqual: boolean;
}

async function sha256(path: string): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return hash.digest("hex");
}

/** Video packets in a file, by ffprobe; one packet is one frame in what the box writes. 0 where there is no file. */
export async function countFrames(path: string): Promise<number> {
  if (!(await stat(path).catch(() => undefined))) return 0;
  const { stdout } = await runChecked([
    ...["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_packets"],
    ...["-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", path],
  ]);
  return Number.parseInt(stdout, 10) || 0;
}

/** All records that a box has made for a session within one boot, in the order of its takes. */
export async function boxRecords(recordings: string, session: SessionId): Promise<EvidenceRecord[]> {
  const takes = await readdir(join(recordings, session)).catch(() => []);
  const records = await Promise.all(
    takes.map(async (take) => {
      // A take's folder is there before its first record.
      const text = await readFile(join(recordings, session, take, "records.jsonl"), "utf8").catch(() => "");
      return completeLines(text).map((line) =>
        EvidenceRecord.parse(JSON.parse((JSON.parse(line) as SignedRecord).record)),
      );
    }),
  );
  const begunMs = (take: EvidenceRecord[]) => take[0]?.at.monotonicMs ?? 0;
  return records.sort((a, b) => begunMs(a) - begunMs(b)).flat();
}

export async function countRoom(
  session: SessionId,
  point: PointId,
  places: { recordings: string; archive: string; province: string },
): Promise<RoomCount> {
  const records = await boxRecords(places.recordings, session);
  const segments = records.filter((record): record is SegmentRecord => record.kind === "segment");
  const ends = records.filter((record) => record.kind === "takeEnd");
  const count: RoomCount = {
    framesCaptured: ends.reduce((sum, end) => sum + (Number(end["framesCaptured"]) || 0), 0),
    framesEncoded: ends.reduce((sum, end) => sum + (Number(end["framesEncoded"]) || 0), 0),
    framesRecorded: segments.reduce((sum, segment) => sum + segment.frames, 0),
    framesArchived: 0,
    framesAtProvince: 0,
    segments: segments.length,
    bytes: segments.reduce((sum, segment) => sum + segment.sizeBytes, 0),
    gaps: records.flatMap((record) =>
      record.kind === "gap" ? [{ cause: record.cause, durationMs: record.durationMs, detail: record.detail }] : [],
    ),
    hashesEqual: segments.length > 0,
  };
  for (const segment of segments) {
    const archived = join(session, archiveTakePath(point, segment.take), segmentFileName(segment.seq));
    const files = [
      join(places.recordings, segmentPath(segment)),
      join(places.archive, archived),
      join(places.province, archived),
    ];
    const hashes = await Promise.all(files.map(sha256));
    if (hashes.some((hash) => hash !== segment.sha256)) count.hashesEqual = false;
    count.framesArchived += await countFrames(files[1]!);
    count.framesAtProvince += await countFrames(files[2]!);
  }
  return count;
}
