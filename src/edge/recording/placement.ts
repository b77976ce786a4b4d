import { join } from "node:path";
import { causeOf, makeDirectory, type Log } from "../../platform/platform.ts";
import type { SessionId } from "../../protocol/protocol.ts";
import { isOfMedium, type Fallback } from "./fallback.ts";
import { Take, type TakeIntent } from "./take.ts";

/**
 * On which medium a track's takes are. INVARIANTS: a session that went over to the second medium stays there; a take that
 * has moved there is written to nowhere else.
 */
export class Placement {
  private readonly recordings: string;
  private readonly fallback: Fallback | undefined;
  private readonly log: Log;
  /** The session whose recording goes on on the second medium, because the first failed in it. */
  private movedOver: SessionId | undefined;

  /** @param recordings the data directory's */
  constructor(recordings: string, fallback: Fallback | undefined, log: Log) {
    this.recordings = recordings;
    this.fallback = fallback;
    this.log = log;
  }

  async create(intent: TakeIntent): Promise<Take> {
    const { session, take } = intent;
    if (this.movedOver !== session)
      try {
        const directory = join(this.recordings, session, take);
        await makeDirectory(directory);
        return await Take.create(directory, intent);
      } catch (error) {
        if (!(await this.moveOver(session, error))) throw error;
      }
    const directory = await this.fallback?.folder(session, take);
    if (directory !== undefined) return Take.create(directory, intent);
    this.movedOver = undefined;
    throw new Error("the second medium is not there any more");
  }

  /** Whether this take is where its session goes on. */
  isPlaced(take: Take): boolean {
    return this.movedOver !== take.intent.session || !this.isOnFirst(take);
  }

  isOnFirst(take: Take): boolean {
    return take.directory.startsWith(`${this.recordings}/`);
  }

  /** The disk of the take that is being written failed. @returns whether its session goes on elsewhere */
  async leave(take: Take, error: unknown): Promise<boolean> {
    if (!this.isOnFirst(take)) return false;
    const { session } = take.intent;
    if (this.movedOver !== session && !(await this.moveOver(session, error))) return false;
    take.known = { cause: "mediumFailed", detail: `the disk failed: ${causeOf(error)}` };
    return true;
  }

  /** What the first medium cannot take any more, the copy on the second can: the take ends there. Throws where it cannot. */
  async moveToCopy(take: Take, error: unknown): Promise<void> {
    const { session } = take.intent;
    if (!this.fallback || !isOfMedium(error) || !this.isOnFirst(take)) throw error;
    const directory = await this.fallback.handOver({ session, take: take.id, seq: take.closed });
    if (directory === undefined) throw error;
    await take.moveTo(directory);
    take.known ??= { cause: "mediumFailed", detail: `the disk failed: ${causeOf(error)}` };
    this.log.warn("recording.takeMoved", { take: take.id, cause: causeOf(error) });
  }

  private async moveOver(session: SessionId, error: unknown): Promise<boolean> {
    if (!isOfMedium(error) || (await this.fallback?.recordings()) === undefined) return false;
    this.log.error("recording.movedOver", { session, cause: causeOf(error) });
    this.movedOver = session;
    return true;
  }
}
