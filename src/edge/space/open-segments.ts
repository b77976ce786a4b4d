import { dirname, join } from "node:path";
import { causeOf, fileSize, trimFile, type Log } from "../../platform/platform.ts";
import { segmentFileName, type SegmentName } from "../../protocol/protocol.ts";
import { allocate } from "./reserve.ts";

/** The encoder cuts at the first key frame after this. */
const SEGMENT_MS = 10_000;
/** An encoder that catches up after a delay is early at the segment's end by as much as it was late. */
const BEFORE_END_MS = 1_000;
const REFUSED_AGAIN_MS = 200;

interface OpenLook {
  /** Files that are there and whose blocks are to be taken now. */
  lacking: string[];
  /** One of them for the first time. */
  isNew: boolean;
  /** The encoder is about to open its next file, or the recorder has yet to close the one before. */
  isEnding: boolean;
}

/**
 * The blocks of the segment that is being written, and of the one that the encoder goes on to: its file is there some
 * tenths of a second before the recorder has closed the former.
 */
export class OpenSegments {
  private readonly log: Log;
  /** What is kept for one segment. */
  private readonly bytes: number;
  /** When each file was first there; -Infinity: from before this life of the agent. */
  private readonly seenMs = new Map<string, number>();
  private readonly held = new Set<string>();
  /** Asked for in vain. */
  private readonly refusedMs = new Map<string, number>();
  private hasLooked = false;

  constructor(log: Log, bytes: number) {
    this.log = log;
    this.bytes = bytes;
  }

  async look(open: { name: SegmentName; path: string } | null, nowMs: number): Promise<OpenLook> {
    const paths = open ? [open.path, join(dirname(open.path), segmentFileName(open.name.seq + 1))] : [];
    for (const path of this.seenMs.keys()) if (!paths.includes(path)) await this.letGo(path);
    for (const path of paths)
      if (!this.seenMs.has(path) && (await fileSize(path)) !== undefined)
        this.seenMs.set(path, this.hasLooked ? nowMs : -Infinity);
    this.hasLooked = true;
    const ageMs = open ? nowMs - (this.seenMs.get(open.path) ?? nowMs) : 0;
    const lacking = paths.filter(
      (path) =>
        this.seenMs.has(path) &&
        !this.held.has(path) &&
        nowMs - (this.refusedMs.get(path) ?? -Infinity) >= REFUSED_AGAIN_MS,
    );
    return {
      lacking,
      isNew: lacking.some((path) => !this.refusedMs.has(path)),
      isEnding: ageMs >= SEGMENT_MS - BEFORE_END_MS,
    };
  }

  /** From then on no other writer can stop this segment. */
  async hold(path: string, nowMs: number): Promise<void> {
    try {
      await allocate(path, this.bytes, "keepSize");
      this.held.add(path);
    } catch (error) {
      this.refusedMs.set(path, nowMs);
      this.log.warn("space.segmentNotHeld", { cause: causeOf(error) });
    }
  }

  /** The recorder trims a segment when it closes it; blocks that were taken a moment later are given back here. */
  private async letGo(path: string): Promise<void> {
    this.seenMs.delete(path);
    // On a full disk some of the blocks may have been had all the same.
    const mayHold = [this.held.delete(path), this.refusedMs.delete(path)].includes(true);
    if (!mayHold) return;
    const sizeBytes = await fileSize(path);
    if (sizeBytes !== undefined) await trimFile(path, sizeBytes).catch(() => {});
  }
}
