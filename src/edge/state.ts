import { join } from "node:path";
import { z } from "zod";
import { causeOf, moveDurable, openJsonStore, StoreError, type Clock, type Log } from "../platform/platform.ts";
import { HubAssignment, type AssignedSession, type SessionId, type TakeId } from "../protocol/protocol.ts";
import { emptyLedger, TakeLedger } from "./ledger.ts";

/**
 * What the agent must know again after a restart, hub or no hub: the schedule with the session it is in, and what the
 * hub has confirmed. Never evidence: with this file lost, everything is sent once more, and nothing else happens.
 */
export interface EdgeState {
  assignment(): HubAssignment | null;
  /** "old": not newer than what is known, and ignored. */
  takeAssignment(assignment: HubAssignment): Promise<"taken" | "old">;
  ledger(take: TakeId): TakeLedger | undefined;
  /** Changes the ledger of takes in one durable write. */
  updateLedger(
    change: (ledgerOf: (take: TakeId) => TakeLedger, set: (take: TakeId, next: TakeLedger) => void) => void,
  ): Promise<void>;
  /** Paired anew, perhaps with another hub: its revisions begin elsewhere. */
  forgetAssignment(): Promise<void>;
}

const EdgeStateFile = z.object({
  v: z.literal(1),
  assignment: HubAssignment.nullable(),
  takes: z.record(z.string(), TakeLedger),
});
type EdgeStateFile = z.infer<typeof EdgeStateFile>;

const emptyState = (): EdgeStateFile => ({ v: 1, assignment: null, takes: {} });

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
    ledger: (take) => store.data.takes[take],
    updateLedger: (change) =>
      store.update((data) =>
        change(
          (take) => data.takes[take] ?? emptyLedger(),
          (take, next) => (data.takes[take] = next),
        ),
      ),
    forgetAssignment: () => store.update((data) => (data.assignment = null)),
  };
}

/** What the recorder is to do. */
export interface RecordingGoal {
  session: { id: SessionId; startedAt: string } | null;
  /** Why it stops, where it stops. */
  why: "sessionEnded" | "paused";
}

/** The session that the room is in: live, or paused; the hub keeps a room in one at a time. */
export function currentSession(assignment: HubAssignment | null): AssignedSession | null {
  const sessions = assignment?.sessions ?? [];
  return (
    sessions.filter((s) => s.state === "live").sort((a, b) => compare(b.startedAt, a.startedAt))[0] ??
    sessions.filter((s) => s.state === "paused").sort((a, b) => compare(b.startedAt, a.startedAt))[0] ??
    null
  );
}

/** @param nowUtc stands in for the start of a live session whose start the hub does not name */
export function recordingGoal(assignment: HubAssignment | null, nowUtc: string): RecordingGoal {
  const session = currentSession(assignment);
  if (session?.state === "live")
    return { session: { id: session.id, startedAt: session.startedAt ?? nowUtc }, why: "sessionEnded" };
  return { session: null, why: session?.state === "paused" ? "paused" : "sessionEnded" };
}

/** The earliest session that has not begun; those without a date come last. */
export function nextSession(assignment: HubAssignment | null): AssignedSession | null {
  const drafts = (assignment?.sessions ?? []).filter((s) => s.state === "draft");
  return drafts.sort((a, b) => compare(a.scheduledAt ?? "9", b.scheduledAt ?? "9"))[0] ?? null;
}

const compare = (a: string | null, b: string | null): number => ((a ?? "") < (b ?? "") ? -1 : 1);
