import type { Health, Lamps } from "./health.ts";
import type { PointRole, SessionState } from "./control.ts";
import type { BoxId, PointId, SessionId } from "./ids.ts";

/**
 * What the room's TV is told by the agent on loopback: GET ROOM_STATE_PATH (this, as JSON) and ROOM_EVENTS_PATH
 * (server-sent events, event `state`, the whole of it each time something changes, and at least every 10 s).
 * Plain JSON; times are ISO 8601 UTC; the screen turns codes into words.
 */
export const ROOM_STATE_PATH = "/api/room";
export const ROOM_EVENTS_PATH = "/api/room/events";
/** The room's own picture, multipart/x-mixed-replace of JPEG, about 10 a second: the src of an `<img>`. */
export const ROOM_PICTURE_PATH = "/own.mjpeg";

/** POST with a {@link RoomAct} as JSON, from this page only: 204, or 409 where that is not to be done any more. */
export const ROOM_START_PATH = "/api/room/start";
export const ROOM_STOP_PATH = "/api/room/stop";
/** Names what it is about, so that a press that comes late or twice does nothing else. */
export interface RoomAct {
  session: SessionId | null;
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
  /** This box's own addresses, without loopback. */
  addresses: string[];
  agentVersion: string;
}
