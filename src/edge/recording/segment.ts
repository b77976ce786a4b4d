import { dirname } from "node:path";
import { createMpegTsCounter, HOLE_MS } from "../../media/media.ts";
import { sha256File, syncDirectory, syncFile, trimFile } from "../../platform/platform.ts";
import type { ClockReading, SegmentRecord } from "../../protocol/protocol.ts";
import { rounded } from "./readings.ts";
import { unwrapMs, type ListedSegment } from "./segment-list.ts";

export interface ClosedSegment {
  seq: number;
  sizeBytes: number;
  sha256: string;
  streamStartMs: number;
  streamEndMs: number;
  frames: number;
  startedAt: ClockReading;
}

export const segmentOf = (record: SegmentRecord): ClosedSegment => {
  const { seq, sizeBytes, sha256, streamStartMs, streamEndMs, frames, startedAt } = record;
  return { seq, sizeBytes, sha256, streamStartMs, streamEndMs, frames, startedAt };
};

/** What a segment's file says of itself; times are of the take's stream. */
export interface MeasuredSegment {
  sizeBytes: number;
  sha256: string;
  frames: number;
  streamStartMs: number;
  streamEndMs: number;
  /** Stretches without a picture, before it and in it. */
  holes: { fromMs: number; toMs: number }[];
}

/**
 * Makes a segment's file durable and reads it once. Undefined where it is absent or holds nothing that plays.
 * @param near end of the segment before; undefined for a take's first
 */
export async function measureSegment(
  path: string,
  listed: ListedSegment | undefined,
  near: number | undefined,
  frameRate: number,
): Promise<MeasuredSegment | undefined> {
  const writtenBytes = await syncFile(path);
  if (!writtenBytes) return undefined;
  // What was kept ready for this segment goes to the next; a medium that refuses has other troubles.
  await trimFile(path, writtenBytes).catch(() => {});
  await syncDirectory(dirname(path));
  const counter = createMpegTsCounter();
  const { sha256, sizeBytes } = await sha256File(path, (chunk) => counter.push(chunk));
  const { videoFrames, audioPackets, videoHoles, firstVideoMs, lastVideoMs } = counter.count();
  if (sizeBytes === 0 || (!listed && videoFrames === 0 && audioPackets === 0)) return undefined;
  const frameMs = 1_000 / frameRate;
  const formerEndMs = near ?? 0;
  const streamStartMs = rounded(firstVideoMs === undefined ? formerEndMs : unwrapMs(firstVideoMs, formerEndMs));
  const lengthMs =
    lastVideoMs === undefined || firstVideoMs === undefined
      ? (listed?.endMs ?? 0) - (listed?.startMs ?? 0)
      : lastVideoMs - firstVideoMs + frameMs;
  const holes = videoHoles.map(({ lastMs, nextMs }) => ({
    fromMs: streamStartMs + (lastMs - firstVideoMs!) + frameMs,
    toMs: streamStartMs + (nextMs - firstVideoMs!),
  }));
  if (near !== undefined && streamStartMs - near > HOLE_MS) holes.unshift({ fromMs: near, toMs: streamStartMs });
  return {
    ...{ sizeBytes, sha256, frames: videoFrames, holes },
    ...{ streamStartMs, streamEndMs: rounded(streamStartMs + lengthMs) },
  };
}
