import { join } from "node:path";
import { z } from "zod";
import { causeOf, moveDurable, openJsonStore, StoreError, type Clock, type Log } from "../platform/platform.ts";
import { HubAssignment, RoomSession, type TakeId } from "../protocol/protocol.ts";
import { HubTime } from "./hub-time.ts";
import { emptyLedger, TakeLedger } from "./ledger.ts";

/**
 * What the agent must know again after a restart, hub or no hub: the schedule, the sessions that were begun in this
 * room, the hub's time, and what the hub has confirmed. Never evidence: with this file lost, everything is sent once more, and nothing else happens.
 */
export interface EdgeState {
  assignment(): HubAssignment | null;
  /** "old": not newer than what is known, and ignored. */
  takeAssignment(assignment: HubAssignment): Promise<"taken" | "old">;
  /** Sessions begun in this room of which the hub does not know all, or which it has not moved on; oldest first. */
  own(): readonly RoomSession[];
  /** In memory at once; resolves when it is on disk. */
  setOwn(own: RoomSession[]): Promise<void>;
  /** The hub's time as it was last measured. */
  hubTime(): HubTime | null;
  setHubTime(time: HubTime): Promise<void>;
  ledger(take: TakeId): TakeLedger | undefined;
  /** Changes the ledger of takes in one durable write. */
  updateLedger(
    change: (ledgerOf: (take: TakeId) => TakeLedger, set: (take: TakeId, next: TakeLedger) => void) => void,
  ): Promise<void>;
  /** All takes that have one. */
  ledgerTakes(): TakeId[];
  /** They have left the working set, and are not asked for again. */
  forgetTakes(takes: readonly TakeId[]): Promise<void>;
  /** The hub's memory as this box knows it, see HubWelcome; 0: as it is before it was ever put back. */
  hubMemory(): number;
  /**
   * The hub has another memory: what it confirmed counts for nothing, and what it had told of these sessions is told to
   * it. In one durable write.
   */
  startAnew(hubMemory: number, remembered: readonly RoomSession[]): Promise<void>;
  /** Paired anew, perhaps with another hub: its revisions and sessions begin elsewhere. */
  forgetAssignment(): Promise<void>;
}

const EdgeStateFile = z.object({
  v: z.literal(1),
  assignment: HubAssignment.nullable(),
  takes: z.record(z.string(), TakeLedger),
  own: z.array(RoomSession).default([]),
  hubTime: HubTime.nullable().default(null),
  hubMemory: z.number().int().default(0),
});
type EdgeStateFile = z.infer<typeof EdgeStateFile>;

const emptyState = (): EdgeStateFile => ({
  ...{ v: 1, assignment: null, takes: {}, own: [], hubTime: null, hubMemory: 0 },
});

export async function openEdgeState(dataDirectory: string, log: Log, clock: Clock): Promise<EdgeState> {
  const path = join(dataDirectory, "state.json");
  const open = () => openJsonStore<EdgeStateFile>(path, (data) => EdgeStateFile.parse(data), emptyState());
  const store = await open().catch(async (error: unknown) => {
    if (!(error instanceof StoreError)) throw error;
    // A room that records without its memory is better than one that does not record.
    const aside = `${path}.unreadable-${Math.floor(clock.wallMs())}`;
    await moveDurable(path, aside);
    log.error("state.setAside", { cause: causeOf(error), aside });
    return open();
  });
  return {
    assignment: () => store.data.assignment,
    async takeAssignment(assignment) {
      if (assignment.revision <= (store.data.assignment?.revision ?? -1)) return "old";
      await store.update((data) => (data.assignment = assignment));
      return "taken";
    },
    own: () => store.data.own,
    setOwn: (own) => store.update((data) => (data.own = own)),
    hubTime: () => store.data.hubTime,
    setHubTime: (time) => store.update((data) => (data.hubTime = time)),
    ledger: (take) => store.data.takes[take],
    updateLedger: (change) =>
      store.update((data) =>
        change(
          (take) => data.takes[take] ?? emptyLedger(),
          (take, next) => (data.takes[take] = next),
        ),
      ),
    ledgerTakes: () => Object.keys(store.data.takes) as TakeId[],
    forgetTakes: (takes) =>
      store.update((data) => {
        for (const take of takes) delete data.takes[take];
      }),
    hubMemory: () => store.data.hubMemory,
    startAnew: (hubMemory, remembered) =>
      store.update((data) => {
        const own = data.own.filter(({ id }) => !remembered.some((session) => session.id === id));
        Object.assign(data, { hubMemory, takes: {}, own: [...remembered, ...own] });
      }),
    forgetAssignment: () => store.update((data) => Object.assign(data, { assignment: null, own: [] })),
  };
}
