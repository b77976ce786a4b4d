import type { SegmentName, SessionId, TakeId } from "../../protocol/protocol.ts";

/** The second medium, as the place where recording goes on when the first one fails. */
export interface Fallback {
  /** Its recordings folder; undefined where the medium is not there. */
  recordings(): Promise<string | undefined>;
  /** Makes the folder of a take there; undefined where the medium is not there. */
  folder(session: SessionId, take: TakeId): Promise<string | undefined>;
  /**
   * The folder of a take's copy, with all that can still be read of the original; from then on nobody but the caller
   * writes there. Undefined where the medium is not there.
   * @param open the segment that was being written, or would have been next
   */
  handOver(open: SegmentName): Promise<string | undefined>;
}

/** What a file system says that cannot go on, whatever it is: no space, read-only, an I/O error, gone. */
export const isOfMedium = (error: unknown): boolean =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === "string";
