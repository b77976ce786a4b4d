import { causeOf, type Log } from "../../platform/platform.ts";
import type { BoxId, SegmentName, SessionId, SignedRecord, TakeId } from "../../protocol/protocol.ts";
import { isReceipted, isSettled, signedSegments } from "../ledger.ts";
import type { RecordedTake } from "../recording/recording.ts";
import type { Space } from "../space/space.ts";
import type { EdgeState } from "../state.ts";
import type { PendingSegment } from "./sync-plan.ts";
import { TakeIndex } from "./take-index.ts";

/** What the uplink needs of the recorder. */
export interface Recordings {
  takes(): RecordedTake[];
  records(take: TakeId, fromN: number, limit: number): Promise<SignedRecord[]>;
  /** Closed ones that can be read, oldest first; of some takes, if it is said of which. */
  segments(of?: (take: RecordedTake) => boolean): { name: SegmentName; sizeBytes: number }[];
  /** Whether a segment is still what was recorded; otherwise it is stated so and not to be sent again. */
  examine(name: SegmentName): Promise<"whole" | "damaged">;
  onRecord(listener: (take: TakeId) => void): void;
}

interface Books {
  log: Log;
  recordings: () => Recordings;
  state: Pick<EdgeState, "ledger">;
  space: Pick<Space, "isDeleted">;
  /** Whose records and files the hub takes; undefined while unpaired. */
  box: () => BoxId | undefined;
}

/**
 * What the box owes the hub: records and segments without its receipts, as recorder, ledger and space have it in this
 * moment. It changes none of them.
 */
export class Owed {
  private readonly books: Books;
  private readonly index: TakeIndex;
  /** Takes of a former identity: on this disk, and no use to this hub. */
  private readonly strangers = new Set<TakeId>();
  /** Takes whose records the disk does not give back: told once, looked at again each time, in nobody's way. */
  readonly unreadable = new Set<string>();

  constructor(books: Books) {
    this.books = books;
    this.index = new TakeIndex((take, fromN, limit) => books.recordings().records(take, fromN, limit));
  }

  /** Another identity, perhaps one of before. */
  identityChanged(): void {
    this.strangers.clear();
  }

  unsettledTakes(): RecordedTake[] {
    const { recordings, state } = this.books;
    return recordings()
      .takes()
      .filter((take) => !isSettled(state.ledger(take.take), take, take.closed - take.damaged));
  }

  /** At the hub as far as the box knows, and not all at the province. */
  takesAwaitingProvince(): TakeId[] {
    const { recordings, state } = this.books;
    const unsettled = new Set(this.unsettledTakes().map(({ take }) => take));
    return recordings()
      .takes()
      .filter(({ take }) => !unsettled.has(take))
      .filter(({ take, closed, damaged }) => (state.ledger(take)?.province?.upTo ?? 0) < closed - damaged)
      .map(({ take }) => take);
  }

  segments(): PendingSegment[] {
    const { recordings, state, space } = this.books;
    const lacksReceipts = ({ take, closed }: RecordedTake) =>
      signedSegments(state.ledger(take)) < closed && !this.strangers.has(take);
    return recordings()
      .segments(lacksReceipts)
      .filter(({ name }) => {
        const isAtHub = isReceipted(state.ledger(name.take), name.seq);
        return !isAtHub && !this.strangers.has(name.take) && !space.isDeleted(name);
      });
  }

  /** Those that this hub takes from this box. */
  async segmentsToSend(): Promise<PendingSegment[]> {
    const pending = this.segments();
    const takes = new Set(pending.map(({ name }) => name.take));
    const own = new Set((await this.ofThisBox([...takes].map((take) => ({ take })))).map(({ take }) => take));
    return pending.filter(({ name }) => own.has(name.take));
  }

  /** Those whose records this hub takes from this box. */
  takesToTell(): Promise<RecordedTake[]> {
    return this.ofThisBox(this.unsettledTakes());
  }

  receipted(session: SessionId): { segments: number; verified: number } {
    const { recordings, state } = this.books;
    const segments = recordings().segments((take) => take.session === session);
    const verified = segments.filter(({ name: { take, seq } }) => isReceipted(state.ledger(take), seq));
    return { segments: segments.length, verified: verified.length };
  }

  /** As the take's own record states it. */
  sha256(take: TakeId, seq: number): Promise<string | undefined> {
    return this.reading(take, this.index.sha256(take, seq));
  }

  /** Undefined where the disk does not give them back. */
  records(take: TakeId, fromN: number, limit: number): Promise<SignedRecord[] | undefined> {
    return this.reading(take, this.books.recordings().records(take, fromN, limit));
  }

  /** What a take's records say is asked for while it has something to send, and then hardly ever again. */
  forgetSettled(takes: readonly TakeId[]): void {
    const open = new Set(this.unsettledTakes().map(({ take }) => take));
    for (const take of takes) if (!open.has(take)) this.index.forget(take);
  }

  /** Recorded under today's identity: a hub takes records and files of the box that signed them only. */
  private async ofThisBox<T extends { take: TakeId }>(takes: readonly T[]): Promise<T[]> {
    const own: T[] = [];
    for (const item of takes) {
      if (this.strangers.has(item.take)) continue;
      const box = await this.reading(item.take, this.index.box(item.take));
      const today = this.books.box();
      if (box !== undefined && box === today) own.push(item);
      else if (box !== undefined && today !== undefined) {
        this.strangers.add(item.take);
        this.books.log.warn("uplink.formerIdentity", { take: item.take, box });
      }
    }
    return own;
  }

  private async reading<T>(take: TakeId, read: Promise<T>): Promise<T | undefined> {
    try {
      return await read;
    } catch (error) {
      if (!this.unreadable.has(take)) this.books.log.error("uplink.unreadableTake", { take, cause: causeOf(error) });
      this.unreadable.add(take);
      return undefined;
    }
  }
}
