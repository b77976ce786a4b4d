import {
  lampsOf,
  type BoxId,
  type Health,
  type PointId,
  type RoomNetwork,
  type RoomPairing,
  type RoomStage,
  type RoomSoundTest,
  type RoomState,
  type RoomStick,
  type SessionId,
} from "../../protocol/protocol.ts";
import { currentSession, nextSession, offerOf, type Situation } from "../schedule.ts";

export interface RoomFacts {
  nowUtc: string;
  pairing: RoomPairing;
  identity: { box: BoxId; point: { id: PointId; name: string } } | null;
  situation: Situation;
  /** The last session whose recording is over, with its closed segments and those that the hub has signed for. */
  last: { session: SessionId; name: string; segments: number; verified: number } | null;
  /** Whose page belongs on the TV, where another system carries the session. */
  companion: { name: string; showing: boolean } | null;
  connected: boolean;
  health: Health | null;
  /** Of the session that the hub has this room in, and whatever session that is by the room's own schedule. */
  stage: RoomStage | null;
  watchedBy: string[];
  unsynced: { segments: number; bytes: number };
  hubAddress: string;
  network: RoomNetwork;
  stick: RoomStick | null;
  soundTest: RoomSoundTest;
  addresses: string[];
  agentVersion: string;
}

/** What the TV shows; pure. The schedule comes from the cache, so that a room without its hub is not blind. */
export function roomState(facts: RoomFacts): RoomState {
  const { identity, situation, connected, health, last } = facts;
  const { assignment } = situation;
  const session = currentSession(situation);
  const next = nextSession(situation);
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
    session,
    stage: facts.stage,
    watchedBy: facts.watchedBy,
    recording:
      recorded?.growing && recorded.session
        ? {
            session: recorded.session,
            sessionName: nameOf(situation, recorded.session),
            since: session?.startedAt ?? facts.nowUtc,
            seconds: recorded.seconds,
          }
        : null,
    nextSession: next && { id: next.id, name: next.name, role: next.role, scheduledAt: next.scheduledAt },
    noRoom: refused && {
      name: nameOf(situation, refused.session),
      missingBytes: refused.missingBytes,
    },
    ...(identity ? offerOf(situation) : { start: null, stop: null }),
    // A recording of nothing has nothing to be signed for.
    receipt: last && last.segments > 0 ? { ...last, complete: last.verified === last.segments } : null,
    unsynced: facts.unsynced,
    hubAddress: facts.hubAddress,
    network: facts.network,
    stick: facts.stick,
    soundTest: facts.soundTest,
    addresses: facts.addresses,
    agentVersion: facts.agentVersion,
  };
}

const nameOf = ({ assignment, own }: Situation, session: SessionId): string =>
  [...(assignment?.sessions ?? []), ...own].find(({ id }) => id === session)?.name ?? "";
