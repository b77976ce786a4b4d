import { dirname, join } from "node:path";
import {
  listDirectory,
  makeDirectory,
  moveDurable,
  removeIdleDirectory,
  syncDirectory,
} from "../../platform/platform.ts";
import { TakeId, type SessionId } from "../../protocol/protocol.ts";

/** What the planner needs of a take. */
interface Retirable {
  /** Takes of one chain name each other's last records. */
  chain: string;
  /** Nothing of it is left to send, to say or to delete. */
  isDone: boolean;
}

/**
 * Which takes may leave the working set: of each chain the oldest, as far as all of them are done, since a chain with a
 * hole has no order; and never its newest, whose last record the next take names. Pure.
 * @param takes in the order in which they were made
 */
export function planPast<T extends Retirable>(takes: readonly T[]): T[] {
  return [...Map.groupBy(takes, ({ chain }) => chain).values()].flatMap((chain) => {
    const candidates = chain.slice(0, -1);
    const undone = candidates.findIndex(({ isDone }) => !isDone);
    return undone < 0 ? candidates : candidates.slice(0, undone);
  });
}

/** Takes that no start reads: their records, receipts and marks are kept, session by session, as in the recordings. */
export class Past {
  readonly directory: string;

  constructor(dataDirectory: string) {
    this.directory = join(dataDirectory, "past");
  }

  /** One rename: at every moment the take is in the one place or in the other. */
  async take(folder: string, session: SessionId, take: TakeId): Promise<void> {
    await makeDirectory(join(this.directory, session));
    await moveDurable(folder, join(this.directory, session, take));
    // Of a session that is not recorded any more: however lately it changed.
    await removeIdleDirectory(dirname(folder), -Infinity, 0);
    await syncDirectory(dirname(dirname(folder)));
  }

  /** Of all that ever went there: grows with the years, so not for every day. */
  async takes(): Promise<Set<TakeId>> {
    const takes = new Set<TakeId>();
    for (const session of await listDirectory(this.directory))
      for (const { name } of await listDirectory(join(this.directory, session.name))) {
        const take = TakeId.safeParse(name);
        if (take.success) takes.add(take.data);
      }
    return takes;
  }
}
