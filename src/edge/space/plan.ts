import type { SegmentName, SessionReadiness } from "../../protocol/protocol.ts";
import type { SessionNeed } from "./need.ts";

/** One medium as its file system tells of it. */
export interface MediumRoom {
  /** Free for us, the reserve not counted. */
  freeBytes: number;
  totalBytes: number;
  /** Held by the reserve file. */
  reservedBytes: number;
}

export interface SpacePlan {
  /** What all sessions together still need. */
  neededBytes: number;
  /** Of that, what the medium has. */
  coveredBytes: number;
  readiness: SessionReadiness[];
}

/** Left to the system whatever is reserved: 2 % of the medium, at most 1 GB. */
const keptBytes = (totalBytes: number): number => Math.min(1e9, totalBytes * 0.02);

/** Which sessions can be recorded whole on this medium, each after those that have a claim before it. Pure. */
export function planSpace(needs: readonly SessionNeed[], room: MediumRoom): SpacePlan {
  const available = Math.max(0, Math.floor(room.freeBytes + room.reservedBytes - keptBytes(room.totalBytes)));
  let neededBytes = 0;
  const readiness = needs.map(({ session, bytes }): SessionReadiness => {
    neededBytes += bytes;
    const missingBytes = Math.max(0, neededBytes - available);
    return { session, ready: missingBytes === 0, neededBytes: bytes, missingBytes };
  });
  return { neededBytes, coveredBytes: Math.min(neededBytes, available), readiness };
}

/** A closed segment that is on the medium. */
export interface HeldSegment {
  name: SegmentName;
  sizeBytes: number;
  /** Stores that have signed for it. */
  hub: boolean;
  province: boolean;
}

/**
 * What to delete so that `missingBytes` become free: oldest first, and nothing that one of the two stores has not
 * signed for, whatever is missing then. Pure.
 * @param held oldest first
 */
export function planDeletions(held: Iterable<HeldSegment>, missingBytes: number): HeldSegment[] {
  const deletions: HeldSegment[] = [];
  let freed = 0;
  for (const segment of held) {
    if (freed >= missingBytes) break;
    if (!segment.hub || !segment.province) continue;
    deletions.push(segment);
    freed += segment.sizeBytes;
  }
  return deletions;
}

/**
 * How large the reserve file should be now. It follows the need at once in both directions, but gives way to a disk
 * that somebody else has filled only as fast as the budget allows: whoever filled it would fill that too.
 * @param leadBytes kept free ahead of the encoder; 0 while no session runs, and then the reserve never gives way
 * @param budgetBytes how much may be given away now: no more than is missing in front of the encoder
 */
export function reserveTarget(
  { neededBytes, coveredBytes }: Pick<SpacePlan, "neededBytes" | "coveredBytes">,
  reservedBytes: number,
  leadBytes: number,
  budgetBytes: number,
): number {
  const wanted = Math.max(0, neededBytes - leadBytes);
  const covered = Math.max(0, coveredBytes - leadBytes);
  if (covered >= reservedBytes) return covered;
  const byNeed = Math.min(reservedBytes, wanted);
  return leadBytes === 0 ? byNeed : Math.max(covered, byNeed - budgetBytes);
}

const REFILL_MS = 10_000;

/** One lead at once, and then one more in each 10 s: twice what the encoder writes, so that it never starves. */
export class ReleaseBudget {
  private level: number;
  private atMs: number | undefined;
  private readonly leadBytes: number;

  constructor(leadBytes: number) {
    this.leadBytes = leadBytes;
    this.level = leadBytes;
  }

  /** What may be released now. */
  now(nowMs: number): number {
    if (this.atMs !== undefined)
      this.level = Math.min(this.leadBytes, this.level + (this.leadBytes * (nowMs - this.atMs)) / REFILL_MS);
    this.atMs = nowMs;
    return Math.floor(this.level);
  }

  spend(bytes: number): void {
    this.level = Math.max(0, this.level - Math.max(0, bytes));
  }
}
