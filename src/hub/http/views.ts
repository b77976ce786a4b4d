import type {
  BoxId,
  GapCause,
  Health,
  LiveKind,
  PointId,
  PointRole,
  SessionId,
  SessionState,
  TakeId,
} from "../../protocol/protocol.ts";

/** What the desk is shown. Plain JSON; times are ISO 8601 UTC; the desk turns them into words. */

export interface UserView {
  id: string;
  login: string;
  name: string;
  role: "administrator";
  /** Signed in with the one-time password: nothing else is allowed before a new one is set. */
  mustChangePassword: boolean;
}

export interface PointView {
  id: PointId;
  name: string;
  box: BoxId | null;
}

/** One bridge point on the rooms wall. */
export interface RoomView {
  point: { id: PointId; name: string };
  /** Null while no box is paired. */
  box: BoxId | null;
  connected: boolean;
  /** Last time the control channel was alive. */
  seenAt: string | null;
  /** Last report; lamps are computed from it by lampsOf of the protocol. */
  health: Health | null;
  /** Publishes that are arriving now. */
  live: LiveKind[];
  /** The session this room is in while it is live or paused. */
  session: { id: SessionId; name: string; role: PointRole; state: SessionState } | null;
  /** Recorded on the box and not yet verified at the hub. */
  pendingSegments: number;
}

export interface SessionView {
  id: SessionId;
  name: string;
  state: SessionState;
  scheduledAt: string | null;
  plannedMinutes: number;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  /** Nobody had planned it: it was begun in a room. */
  adHoc: boolean;
  points: { id: PointId; name: string; role: PointRole }[];
  /** The session's log, oldest first. */
  events: SessionEventView[];
}

export interface SessionEventView {
  at: string;
  kind:
    | "created"
    | "started"
    | "paused"
    | "resumed"
    | "ended"
    | "roomLost"
    | "roomBack"
    | "alarmRaised"
    | "alarmCleared"
    /** The room began to record without the hub: by the cached schedule, or by hand. */
    | "startedByRoom"
    | "endedByRoom";
  /** Name of the user, or null where the system itself noted it. */
  actor: string | null;
  point: { id: PointId; name: string } | null;
  /** Of an alarm: its cause, a Trouble that the desk has words for, or one that only a newer box knows. */
  cause?: string;
}

/** How far the copies of one room's (or one session's) recording have come. */
export interface CopyView {
  /** Segments the box has announced. */
  recorded: number;
  recordedBytes: number;
  /** Verified and sealed at the hub. */
  hub: number;
  /** Verified at the province's storage. */
  province: number;
  /** Segments the hub refused (kept aside, asked for again). */
  refused: number;
  /** All takes have ended and everything is at that store. */
  hubComplete: boolean;
  provinceComplete: boolean;
}

export interface RecordingSummaryView {
  session: {
    id: SessionId;
    name: string;
    state: SessionState;
    scheduledAt: string | null;
    startedAt: string | null;
    endedAt: string | null;
  };
  rooms: number;
  /** Rooms that should have recorded by now, and of which nothing is known to be recorded. */
  unrecorded: number;
  copies: CopyView;
  gaps: number;
  durationMs: number;
}

export interface RecordingView {
  session: { id: SessionId; name: string; state: SessionState; startedAt: string | null; endedAt: string | null };
  copies: CopyView;
  rooms: RoomRecordingView[];
  events: SessionEventView[];
}

export interface RoomRecordingView {
  point: { id: PointId; name: string };
  role: PointRole;
  copies: CopyView;
  /** Playback of what is verified so far: GET this playlist. Null while nothing is. */
  playlist: string | null;
  /** Length of that playlist. */
  playableMs: number;
  /**
   * Whose word the times are, the least certain of all takes': the hub's from the start; corrected afterwards by what
   * the box measured later in the same boot; or the box's own clock, which nobody has compared.
   */
  times: "hub" | "corrected" | "box";
  segments: SegmentView[];
  gaps: GapView[];
  /** What the box found wrong in the file while it was being written, oldest first. */
  alarms: AlarmView[];
  /** Its box was declared lost with what it had not yet sent; `filledAt`: the hub's copy stands in the holes. */
  lost: { at: string; by: string; filledAt: string | null } | null;
  hubCopies: HubCopyView[];
}

export interface AlarmView {
  cause: string;
  raisedAt: string;
  /** Null while it stands. */
  clearedAt: string | null;
  /** What was measured when it was raised. */
  facts: string;
}

/** A piece of the live stream as the hub received it, where a lost box's recording is missing. */
export interface HubCopyView {
  startedAt: string;
  durationMs: number;
  sizeBytes: number;
  sha256: string;
  picture: "large" | "small" | "none";
  /** Null where the box's own recording has come after all. */
  playlistMs: number | null;
}

export interface SegmentView {
  take: TakeId;
  seq: number;
  startedAt: string;
  durationMs: number;
  sizeBytes: number;
  sha256: string;
  frames: number;
  /** Offset in the room's playlist; null while it is not playable. */
  playlistMs: number | null;
  /** damaged: lost in the room, and stated so by a signed gap. */
  hub: "waiting" | "verified" | "refused" | "damaged";
  province: "waiting" | "verified";
}

export interface GapView {
  take: TakeId;
  cause: GapCause;
  from: string;
  to: string;
  durationMs: number;
  detail: string;
}

/** The hub's own disk. `low`: somebody should see to it; `full`: no box may send files, they keep everything. */
export interface HubDiskView {
  state: "ok" | "low" | "full";
  /** When the state was last looked at. */
  freeBytes: number;
}

/** Server-sent events of GET /api/events: `event:` is the key, `data:` the JSON. */
export interface DeskEvents {
  /** Sent first: everything, so that a reconnect needs nothing else. */
  snapshot: { rooms: RoomView[]; sessions: SessionView[]; waitingBoxes: number; hubDisk: HubDiskView };
  room: RoomView;
  session: SessionView;
  /** Something in this session's recording changed; summary for lists, detail is fetched. */
  recording: RecordingSummaryView;
  waitingBoxes: { count: number };
  hubDisk: HubDiskView;
}

/** Body of every refusal. `code` is for programs; the desk has the Vietnamese words for each. */
export interface ErrorView {
  code:
    | "notSignedIn"
    | "wrongCredentials"
    | "tooManyTries"
    | "mustChangePassword"
    | "weakPassword"
    | "badRequest"
    | "notFound"
    | "wrongPairingCode"
    | "pairingLocked"
    | "pointTaken"
    | "wrongState"
    | "roomBusy"
    | "noRooms"
    | "internal";
  detail: string;
}
