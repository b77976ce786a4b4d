import type { Health, Lamps } from "./health.ts";
import { BoxId, type PointId, type SessionId } from "./ids.ts";
import { LIVE_KINDS, type LiveKind } from "./names.ts";
import type { PointRole, SessionState } from "./session.ts";
import type { RoomStage } from "./stage.ts";
import type { ResetOutcome } from "./reset.ts";
import type { SoundTest } from "./sound.ts";
import type { StickFault } from "./stick.ts";

/**
 * What the room's TV is told by the agent on loopback: GET ROOM_STATE_PATH (this, as JSON) and ROOM_EVENTS_PATH
 * (server-sent events, event `state`, the whole of it each time something changes, and at least every 10 s).
 * Plain JSON; times are ISO 8601 UTC; the screen turns codes into words.
 */
export const ROOM_STATE_PATH = "/api/room";
export const ROOM_EVENTS_PATH = "/api/room/events";
/** The room's own picture, multipart/x-mixed-replace of JPEG, about 10 a second: the src of an `<img>`. */
export const ROOM_PICTURE_PATH = "/own.mjpeg";

/**
 * Event of ROOM_EVENTS_PATH besides `state`, about five times a second: a {@link RoomLevel}, what the room's own
 * microphone hears.
 */
export const ROOM_LEVEL_EVENT = "level";
export interface RoomLevel {
  /** Momentary loudness, LUFS; null for digital silence. */
  lufs: number | null;
  speech: boolean;
}

/**
 * WebSocket with another room's picture or sound: the very bytes and close codes of the hub's `/live/:box/:kind`. While the
 * hub is not reached the handshake fails. Sound that may not be heard just now leaves the socket open and silent.
 */
export const roomLivePath = (box: BoxId, kind: LiveKind): string => `/live/${box}/${kind}`;
export function parseRoomLivePath(path: string): { box: BoxId; kind: LiveKind } | undefined {
  const [, live, id, name, ...rest] = path.split("/");
  const box = BoxId.safeParse(id);
  const kind = LIVE_KINDS.find((each) => each === name);
  return live === "live" && rest.length === 0 && box.success && kind ? { box: box.data, kind } : undefined;
}
/** The hub's close code for what the stage does not allow (any more): ask again only when the stage has changed. */
export const CLOSE_NOT_ON_STAGE = 4004;

/** POST with a {@link RoomHand}, as the acts below: 204, or 409 while there is no stage of that session. */
export const ROOM_HAND_PATH = "/api/room/hand";
export interface RoomHand {
  session: SessionId;
  raised: boolean;
}

/** POST with a {@link RoomAct} as JSON, from this page only: 204, or 409 where that is not to be done any more. */
export const ROOM_START_PATH = "/api/room/start";
export const ROOM_STOP_PATH = "/api/room/stop";
/** Names what it is about, so that a press that comes late or twice does nothing else. */
export interface RoomAct {
  session: SessionId | null;
}

/** POST with a {@link RoomSoundAct}: 204, or 409 where that is not to be done now. */
export const ROOM_SOUND_TEST_PATH = "/api/room/sound-test";
export interface RoomSoundAct {
  act: "start" | "stop";
}

/** `inSession`: nothing may be heard in a session, or be in its recording, that is none of it. */
export type SoundTestRefusal = "inSession" | "noMicrophone" | "running";
/** Somebody speaks; hears it again as others would; keeps quiet while a phrase is played. */
export type SoundTestPhase = "speak" | "playBack" | "listen";

/** The test of the room's sound by one press. */
export interface RoomSoundTest {
  /** Why none can be begun now; null: one can. */
  refused: SoundTestRefusal | null;
  running: { phase: SoundTestPhase; leftS: number } | null;
  /** The last one that came to its end. */
  result: SoundTest | null;
  /** The last one was broken off, by a session that began or by a fault. */
  broken: "session" | "failed" | null;
}

export type RoomPairing =
  /** Just started, or the hub has not answered yet. */
  | { state: "connecting" }
  /** Never paired, and the hub does not answer; tried again every few seconds, for ever. */
  | { state: "hubUnreachable"; since: string }
  /** Something answers at the hub's address, but not with the certificate authority that the configuration pins. */
  | { state: "wrongHub" }
  /**
   * Type this code (`BCDF-GHJK`) at the hub before it expires; a new one follows by itself. `revoked`: this box was
   * paired once, and the hub does not accept it any more. `hubAnswers` false: the line is gone just now.
   */
  | { state: "code"; code: string; expiresAt: string; revoked: boolean; hubAnswers: boolean }
  | { state: "paired" };

/** What in the room, or on the way out of it, keeps the box from its hub: the nearest to the wall. */
export type NetworkTrouble =
  | "noCable"
  | "noAddress"
  | "noRouter"
  /** Nobody has said where the hub is: no stick, nothing baked in, nothing in the network. */
  | "hubUnknown"
  /** The hub's name is known to no name server. */
  | "noName"
  | "hubSilent"
  /** The hub answers, and its clock and the box's are too far apart. */
  | "clockWrong";

export interface RoomNetwork {
  trouble: NetworkTrouble | null;
  /** Of the wired interfaces, those with a cable first. */
  macs: string[];
  /** Who named the hub's address. */
  hubSource: "stick" | "baked" | "dhcp" | "dns" | "mdns" | null;
  /** Page of the hub where a code is typed; null where nobody vouches for the address. */
  pairingPage: string | null;
}

/**
 * The stick that is plugged in. `otherHub`: this box is paired, and the stick is of another hub. `waiting`: taken when the
 * session is over.
 */
export type RoomStick =
  | { state: "taken" | "otherHub" | "waiting" }
  | { state: "faulty"; faults: StickFault[] }
  /** An order to forget everything lies on it. */
  | { state: "reset"; outcome: ResetOutcome };

export interface RoomState {
  /** When this was true. */
  at: string;
  pairing: RoomPairing;
  box: BoxId | null;
  /** Null before the first pairing. */
  point: { id: PointId; name: string } | null;
  /** The control channel to the hub is alive. */
  connected: boolean;
  /** Computed by lampsOf, as at the hub: the two screens cannot disagree. */
  lamps: Lamps;
  /** Null until the first measurement. */
  health: Health | null;
  /** The session this room is in now (live or paused), from the cached schedule: known without the hub. */
  session: {
    id: SessionId;
    name: string;
    role: PointRole;
    state: SessionState;
    startedAt: string | null;
    /** Who began it: the hub, this box by its schedule while the hub was away, or somebody in this room. */
    begunBy: "hub" | "schedule" | "hand";
  } | null;
  /** The running session's stage; null outside of one, and while the hub is away. */
  stage: RoomStage | null;
  /** Users of the desk who see or hear this room now, by name; nobody can while the hub is away. */
  watchedBy: string[];
  /** The other meeting system whose page belongs on this TV now, and whether it stands there; absent in older boxes. */
  companion?: { name: string; showing: boolean } | null;
  /** Only while the file on disk grows: the only ground for the sign ĐANG GHI ÂM, GHI HÌNH. */
  recording: { session: SessionId; sessionName: string; since: string; seconds: number } | null;
  /** The earliest one that has not begun. */
  nextSession: { id: SessionId; name: string; role: PointRole; scheduledAt: string | null } | null;
  /** The first session that cannot be recorded whole, for lack of room on the disk. */
  noRoom: { name: string; missingBytes: number } | null;
  /** What may be begun in this room now; `session` null is one that this box makes itself. */
  start: { session: SessionId | null } | null;
  /** The session that may be ended in this room now. */
  stop: { session: SessionId } | null;
  /** The last session that was recorded here and is over: how much of it the hub has signed for. */
  receipt: { session: SessionId; name: string; segments: number; verified: number; complete: boolean } | null;
  /** Recorded here and not yet verified at the hub. */
  unsynced: { segments: number; bytes: number };
  /** Where this box looks for the hub, `host:port`. */
  hubAddress: string;
  /** Absent in older boxes. */
  network?: RoomNetwork;
  /** Null while none is plugged in. */
  stick?: RoomStick | null;
  /** Absent in older boxes. */
  soundTest?: RoomSoundTest;
  /** This box's own addresses, without loopback. */
  addresses: string[];
  agentVersion: string;
}
