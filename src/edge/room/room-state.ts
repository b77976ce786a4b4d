import {
  lampsOf,
  type BoxId,
  type Health,
  type HubAssignment,
  type PointId,
  type RoomPairing,
  type RoomState,
} from "../../protocol/protocol.ts";
import { currentSession, nextSession } from "../state.ts";

export interface RoomFacts {
  nowUtc: string;
  pairing: RoomPairing;
  identity: { box: BoxId; point: { id: PointId; name: string } } | null;
  assignment: HubAssignment | null;
  connected: boolean;
  health: Health | null;
  unsynced: { segments: number; bytes: number };
  hubAddress: string;
  addresses: string[];
  agentVersion: string;
}

/** What the TV shows; pure. The schedule comes from the cache, so that a room without its hub is not blind. */
export function roomState(facts: RoomFacts): RoomState {
  const { identity, assignment, connected, health } = facts;
  const session = currentSession(assignment);
  const next = nextSession(assignment);
  const recorded = health?.recording;
  const refused = health?.space?.sessions.find(({ ready }) => !ready) ?? null;
  return {
    at: facts.nowUtc,
    pairing: facts.pairing,
    box: identity?.box ?? null,
    // The hub may have renamed the point since the pairing.
    point: identity && (assignment?.point ?? identity.point),
    connected,
    lamps: lampsOf(health ?? undefined, connected, session?.state === "live"),
    health,
    session: session && {
      id: session.id,
      name: session.name,
      role: session.role,
      state: session.state,
      startedAt: session.startedAt,
    },
    recording:
      recorded?.growing && recorded.session
        ? {
            session: recorded.session,
            sessionName: assignment?.sessions.find(({ id }) => id === recorded.session)?.name ?? "",
            since: session?.startedAt ?? facts.nowUtc,
            seconds: recorded.seconds,
          }
        : null,
    nextSession: next && { id: next.id, name: next.name, role: next.role, scheduledAt: next.scheduledAt },
    noRoom: refused && {
      name: assignment?.sessions.find(({ id }) => id === refused.session)?.name ?? "",
      missingBytes: refused.missingBytes,
    },
    unsynced: facts.unsynced,
    hubAddress: facts.hubAddress,
    addresses: facts.addresses,
    agentVersion: facts.agentVersion,
  };
}
