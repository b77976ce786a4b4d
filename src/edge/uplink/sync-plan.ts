import { backoffMs } from "../../platform/platform.ts";
import { segmentPath, type SegmentName } from "../../protocol/protocol.ts";

/** A closed segment on disk that the hub has not signed for. */
export interface PendingSegment {
  name: SegmentName;
  sizeBytes: number;
}

/** What was tried for one segment since the agent started. */
interface Attempt {
  /** The file went over whole at this time, and the hub's word is awaited; undefined: to be sent. */
  sentMs: number | undefined;
  /** How often the hub kept silent or could not use it. */
  disappointments: number;
  notBeforeMs: number;
}

export type SyncPlan =
  | { do: "send"; batch: PendingSegment[]; bytes: number }
  /** Nothing to send before this time (monotonic), unless something changes; null: nothing at all. */
  | { do: "wait"; untilMs: number | null };

/**
 * Between two batches the line stands idle for rsync's end and start, which is some round trips more than 0.2 s: batches
 * of 64 MB cost a fast line 4 %. The hub takes in each file as it comes, so a cut in mid-batch sends nothing twice; a batch
 * is bounded so that what is to be sent again has its turn.
 */
const BATCH_FILES = 250;
const BATCH_BYTES = 1e9;
/** The hub hashes and seals at once; its receipt takes longer than this only when records or the line are behind. */
const RECEIPT_WITHIN_MS = { baseMs: 30_000, capMs: 600_000 };
const RESEND_MS = { baseMs: 2_000, capMs: 60_000 };
const FAILED_MS = { baseMs: 1_000, capMs: 30_000 };

/**
 * What to send when. Pure: no file, no clock, no process. There is no end state but the hub's signed receipt, which
 * takes a segment out of `pending`; everything else is tried again, for ever, ever less often.
 */
export class SyncPlanner {
  private readonly attempts = new Map<string, Attempt>();
  private failures = 0;
  private pausedUntilMs = 0;

  /** @param pending oldest first */
  plan(pending: readonly PendingSegment[], nowMs: number): SyncPlan {
    this.forgetAllBut(pending);
    if (pending.length === 0) return { do: "wait", untilMs: null };
    if (nowMs < this.pausedUntilMs) return { do: "wait", untilMs: this.pausedUntilMs };
    const batch: PendingSegment[] = [];
    let bytes = 0;
    let untilMs = Infinity;
    for (const segment of pending) {
      const dueMs = this.dueMs(this.attempts.get(segmentPath(segment.name)));
      if (dueMs > nowMs) {
        untilMs = Math.min(untilMs, dueMs);
        continue;
      }
      if (batch.length > 0 && (batch.length >= BATCH_FILES || bytes + segment.sizeBytes > BATCH_BYTES)) break;
      batch.push(segment);
      bytes += segment.sizeBytes;
    }
    return batch.length > 0 ? { do: "send", batch, bytes } : { do: "wait", untilMs };
  }

  /** All of the batch went over whole. */
  sent(batch: readonly PendingSegment[], nowMs: number): void {
    this.failures = 0;
    for (const { name } of batch) {
      const attempt = this.attempt(name);
      // Not the first time, and nobody asked: the hub has been silent about it.
      if (attempt.sentMs !== undefined) attempt.disappointments++;
      attempt.sentMs = nowMs;
    }
  }

  /** A transfer failed; which of its files went over is unknown, so all of them still count as not sent. */
  failed(nowMs: number): void {
    this.failures++;
    this.pausedUntilMs = nowMs + backoffMs(this.failures, FAILED_MS.baseMs, FAILED_MS.capMs);
  }

  /** The line is back: no reason to wait any longer for it. */
  lineBack(nowMs: number): void {
    // Receipts for what the hub got before the cut arrive first and save sending it twice.
    this.pausedUntilMs = Math.min(this.pausedUntilMs, nowMs + FAILED_MS.baseMs);
    this.failures = 0;
  }

  /** The hub could not use what it got: the first time it is sent again at once, then ever less often. */
  resend(name: SegmentName, nowMs: number): void {
    const attempt = this.attempt(name);
    const { disappointments } = attempt;
    attempt.sentMs = undefined;
    attempt.notBeforeMs =
      disappointments === 0 ? nowMs : nowMs + backoffMs(disappointments, RESEND_MS.baseMs, RESEND_MS.capMs);
    attempt.disappointments++;
  }

  /** Failed transfers in a row. */
  get failuresInARow(): number {
    return this.failures;
  }

  private dueMs(attempt: Attempt | undefined): number {
    if (!attempt) return -Infinity;
    if (attempt.sentMs === undefined) return attempt.notBeforeMs;
    const patienceMs = Math.min(RECEIPT_WITHIN_MS.capMs, RECEIPT_WITHIN_MS.baseMs * 2 ** attempt.disappointments);
    return attempt.sentMs + patienceMs;
  }

  private attempt(name: SegmentName): Attempt {
    const path = segmentPath(name);
    let attempt = this.attempts.get(path);
    if (!attempt) {
      attempt = { sentMs: undefined, disappointments: 0, notBeforeMs: -Infinity };
      this.attempts.set(path, attempt);
    }
    return attempt;
  }

  private forgetAllBut(pending: readonly PendingSegment[]): void {
    if (this.attempts.size === 0) return;
    const paths = new Set(pending.map(({ name }) => segmentPath(name)));
    for (const path of this.attempts.keys()) if (!paths.has(path)) this.attempts.delete(path);
  }
}
