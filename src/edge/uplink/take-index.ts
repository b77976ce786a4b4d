import { EvidenceRecord, type BoxId, type SignedRecord, type TakeId } from "../../protocol/protocol.ts";

/** Reads a take's records as they are on disk. */
export type ReadRecords = (take: TakeId, fromN: number, limit: number) => Promise<SignedRecord[]>;

interface TakeFacts {
  box: BoxId | undefined;
  nextN: number;
  sha256: Map<number, string>;
}

const READ_AT_ONCE = 500;

/** What the box itself has signed about each segment, read from its records once and kept up with them. */
export class TakeIndex {
  private readonly takes = new Map<TakeId, TakeFacts>();
  private readonly read: ReadRecords;

  constructor(read: ReadRecords) {
    this.read = read;
  }

  /** SHA-256 of a segment as recorded, or undefined where there is no record of it. */
  async sha256(take: TakeId, seq: number): Promise<string | undefined> {
    return (await this.facts(take, (facts) => facts.sha256.has(seq))).sha256.get(seq);
  }

  /** Who recorded the take: after a re-pairing not the box of today, and then its records are no use to this hub. */
  async box(take: TakeId): Promise<BoxId | undefined> {
    return (await this.facts(take, (facts) => facts.box !== undefined, 1)).box;
  }

  /** Frees what is no longer asked for. */
  forget(take: TakeId): void {
    this.takes.delete(take);
  }

  private async facts(take: TakeId, enough: (facts: TakeFacts) => boolean, atOnce = READ_AT_ONCE): Promise<TakeFacts> {
    let facts = this.takes.get(take);
    if (!facts) {
      facts = { box: undefined, nextN: 0, sha256: new Map() };
      this.takes.set(take, facts);
    }
    while (!enough(facts)) {
      const { nextN } = facts;
      const items = await this.read(take, nextN, atOnce);
      // Another caller may have read the same ones meanwhile; adding them twice changes nothing.
      for (const item of items) note(facts, item);
      facts.nextN = Math.max(facts.nextN, nextN + items.length);
      if (items.length < atOnce) break;
    }
    return facts;
  }
}

function note(facts: TakeFacts, item: SignedRecord): void {
  const record = EvidenceRecord.parse(JSON.parse(item.record));
  facts.box = record.box;
  if (record.kind === "segment") facts.sha256.set(record.seq, record.sha256);
}
