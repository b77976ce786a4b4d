import type {
  BoxId,
  GapCause,
  Health,
  HubAlarmCause,
  LayoutMode,
  LiveKind,
  PointId,
  PointRole,
  ReleaseRefusal,
  ResetOutcome,
  Role,
  SessionId,
  SessionState,
  Stage,
  StickFault,
  TakeId,
  Trouble,
  UpdateState,
} from "../../protocol/protocol.ts";

/** What the desk is shown. Plain JSON; times are ISO 8601 UTC; the desk turns them into words. */

export interface UserView {
  id: string;
  login: string;
  name: string;
  /** `observer` looks and plays back; `operator` holds sessions and keeps recordings; `administrator` has people and boxes too. */
  role: Role;
  /** Signed in with the one-time password: nothing else is allowed before a new one is set. */
  mustChangePassword: boolean;
}

/** Somebody who may sign in, or could once: names in logs stay somebody's. */
export interface AccountView extends UserView {
  createdAt: string;
  /** Since when the account is closed; null while it is open. */
  closedAt: string | null;
}

/** Shown once: nothing keeps it. */
export interface OneTimePasswordView {
  account: AccountView;
  password: string;
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
  /** What only the hub sees of this room and its box, as long as it stands. */
  alarms: { cause: HubAlarmCause; since: string }[];
  /** Publishes that are arriving now. */
  live: LiveKind[];
  /** The session this room is in while it is live or paused. */
  session: { id: SessionId; name: string; role: PointRole; state: SessionState } | null;
  /** Recorded on the box and not yet verified at the hub. */
  pendingSegments: number;
  /** The hub cannot read this box's certificate any more, and refuses it until it is paired anew. */
  identityDamaged?: boolean;
  /** Of the box's own system; null where it is not updated by the hub, absent from hubs of before. */
  update?: BoxUpdateView | null;
}

/** What a box said last of its system and its update. */
export interface BoxUpdateView {
  running: string;
  architecture: string;
  flavour: string;
  state: UpdateState;
  release: { id: string; version: string } | null;
  percent: number;
  /** Why it waits, or why it gave the release up. */
  reason: string | null;
  detail: string;
  /** A whole session was recorded with what it runs. */
  proven: boolean;
  at: string;
}

/** A release of the boxes' system, at the hub. */
export interface ReleaseView {
  id: string;
  version: string;
  architecture: string;
  flavour: string;
  minimumVersion: string;
  notes: string;
  madeAt: string;
  addedAt: string;
  addedBy: string;
  publishedAt: string | null;
  /** receiving: not all of its files are here yet, or nobody has published it. held: a box gave it up. */
  state: "receiving" | "published" | "paused" | "held";
  /** The rest of the boxes may have it too. */
  opened: boolean;
  firstRing: BoxId[];
  failures: { box: BoxId; attempt: number; reason: string; detail: string; at: string }[];
  files: { name: string; sizeBytes: number; haveBytes: number }[];
}

/** A release that lies in the hub's import folder. */
export interface FoundReleaseView {
  folder: string;
  /** Null where it cannot be read or is not trusted. */
  version: string | null;
  refusal: ReleaseRefusal | null;
}

export interface ReleasesView {
  /** How many release keys this hub trusts. */
  keys: number;
  importDirectory: string;
  onDisk: FoundReleaseView[];
  /** Newest first. */
  releases: ReleaseView[];
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
  /** The meeting system that carries the talk; null where this one does. */
  companion: { url: string; name: string } | null;
  /** Nobody had planned it: it was begun in a room. */
  adHoc: boolean;
  points: { id: PointId; name: string; role: PointRole }[];
  /** The session's log, oldest first. */
  events: SessionEventView[];
  /** While it has not begun: connection tests, oldest first; and those that will be made by themselves, the next first. */
  tests: ConnectionTestView[];
  testsToCome: { minutesBefore: number; dueAt: string }[];
}

/** A look at every room of a session before it begins (kiểm thử). */
export interface ConnectionTestView {
  /** Before the appointed time; null, as `dueAt`: somebody asked for it. */
  minutesBefore: number | null;
  dueAt: string | null;
  /** Null: the hub did not run when it was due, nor later before the session. */
  at: string | null;
  actor: string | null;
  rooms: TestedRoomView[];
}

export interface TestedRoomView {
  point: { id: PointId; name: string };
  /** A session could have been held with it. */
  clear: boolean;
  /** Worst first. `noBox`: no box is paired. `notMeasured`: it has said nothing of picture or sound yet. */
  troubles: (Trouble | "noBox" | "notMeasured")[];
  /** Of the test of loudspeaker, microphone and echo that people make in the room; null: none within a day before. */
  soundTest: "passed" | "failed" | null;
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
    | "endedByRoom"
    /** The room told of it after the hub had been put back to an earlier state. */
    | "rememberedByRoom"
    /** Acts on the stage. */
    | "layoutChanged"
    | "muted"
    | "unmuted"
    | "calledUp"
    | "sentToStandby"
    | "gainChanged"
    | "handRaised"
    | "handLowered"
    | "messageShown"
    | "messageTaken"
    | "interrupted"
    | "interruptionEnded"
    | "marked"
    /** A connection test, and one that could not be made. */
    | "tested"
    | "testMissed";
  /** Name of the user, or null where the system itself noted it. */
  actor: string | null;
  point: { id: PointId; name: string } | null;
  /** Of an alarm: its cause, a Trouble that the desk has words for, or one that only a newer box knows. */
  cause?: string;
  detail?: SessionEventDetail;
}

/** What belongs to an act beside its kind: each only where it has a meaning. */
export interface SessionEventDetail {
  /** A reason, a message or the name of a mark, as typed. */
  text?: string;
  mode?: LayoutMode;
  /** Names of the rooms at that time. */
  onScreen?: string[];
  gainDb?: number;
  /** How many of its rooms were clear, and what was first with each of the others. */
  test?: {
    minutesBefore: number | null;
    clear: number;
    rooms: number;
    others: { name: string; trouble: TestedRoomView["troubles"][number] }[];
  };
}

/** How loud it is in the rooms of running sessions, at most five times a second; a room that says nothing is left out. */
export interface LevelsView {
  rooms: { point: PointId; lufs: number | null; speech: boolean }[];
}

/** Recordings that people bring to the hub: what lies in its import folder, and what of it was taken in last. */
export interface CarriedView {
  directory: string;
  folders: CarriedFolderView[];
  /** Null: nothing since the hub started. */
  run: CarriedRunView | null;
}

export interface CarriedFolderView {
  /** Below the import folder; "." is that itself. */
  folder: string;
  sessions: number;
  /** Names of the rooms that were recorded, as far as the hub knows them. */
  points: string[];
  /** False: the hub may not read it, or not all of it. */
  readable: boolean;
}

/**
 * `unknownBox`: no box of this hub signed it. `recordsRefused`: not what its box signed, or not of this session.
 * `unreadable`: the medium does not give it back.
 */
export type CarriedRefusal = "unknownBox" | "recordsRefused" | "unreadable";

export interface CarriedRunView {
  folder: string;
  startedAt: string;
  endedAt: string | null;
  /** The hub's disk is full; it goes on when it is not. */
  waiting: boolean;
  sessions: number;
  sessionsDone: number;
  /** Segments: taken in; here already; not what the box signed; not on the medium. */
  taken: number;
  takenBytes: number;
  had: number;
  damaged: number;
  missing: number;
  refused: { session: SessionId; reason: CarriedRefusal }[];
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
  /** Since when at the latest all that is at the hub was read again and found as recorded; null where not yet. */
  rereadAt: string | null;
  /** The same of the province's copies. */
  provinceRereadAt: string | null;
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

/** A session's whole bag as a ZIP file, to be carried away. */
export interface RecordingCopyView {
  path: string;
  sizeBytes: number;
}

/** What a list, a timeline and a player need of a recording: {@link RecordingView} with spans for segments. */
export interface RecordingOverview extends Omit<RecordingView, "rooms"> {
  rooms: RoomOverview[];
}

export type TrackOverview = Omit<TrackView, "segments"> & { spans: SpanView[] };
export type RoomOverview = Omit<RoomRecordingView, "segments" | "screen"> & {
  spans: SpanView[];
  screen: TrackOverview | null;
};

/** Segments of one take that follow each other without a hole and stand alike. */
export interface SpanView extends Pick<
  SegmentView,
  "startedAt" | "durationMs" | "sizeBytes" | "frames" | "playlistMs" | "hub" | "province"
> {
  segments: number;
}

/** One track of a room's recording. */
export interface TrackView {
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
}

/** A room's recording; what it has of {@link TrackView} is the room's own camera and microphone. */
export interface RoomRecordingView extends TrackView {
  point: { id: PointId; name: string };
  role: PointRole;
  /** Of both tracks. */
  copies: CopyView;
  /** What the room's screen showed and played; null in sessions that no other system carried. */
  screen: TrackView | null;
  /** What the box found wrong in the file while it was being written, and the hub at the line; oldest first. */
  alarms: AlarmView[];
  /** Its box was declared lost with what it had not yet sent; `filledAt`: the hub's copy stands in the holes. */
  lost: { at: string; by: string; filledAt: string | null } | null;
  hubCopies: HubCopyView[];
}

/** How loud it is in one track of a room's recording, for the eye. */
export interface LoudnessView {
  stepMs: number;
  /** Base64 of a byte for each step of the playlist: 0 is silence, 255 full scale, linear in dB. */
  levels: string;
  /** Everything that can be played has been measured; the rest follows by itself. */
  complete: boolean;
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
  snapshot: { rooms: RoomView[]; sessions: SessionView[]; stages: Stage[]; waitingBoxes: number; hubDisk: HubDiskView };
  room: RoomView;
  session: SessionView;
  /** Of a running session; when the session has ended, so has its stage. */
  stage: Stage;
  levels: LevelsView;
  /** Something in this session's recording changed; summary for lists, detail is fetched. */
  recording: RecordingSummaryView;
  waitingBoxes: { count: number };
  hubDisk: HubDiskView;
}

/** What the hub can say by itself of the stick that takes a new box into service. */
export interface StickDefaultsView {
  /** Names and addresses of this hub, the lasting ones first. */
  hosts: string[];
  port: number;
  /** SHA-256 of the hub's authority, `AB:CD:…`. */
  caSha256: string;
  fileName: string;
}

/** An encrypted disk of a point that the hub can open. */
export interface DiskView {
  box: BoxId;
  /** As the box whose disk stays shut shows it on its TV: `3F2A-91C4`. */
  code: string;
  /** Of the box that is in use now; else when that one was replaced or revoked. */
  revokedAt: string | null;
  keptAt: string;
}

/** The file to be put on the stick, as it is. */
export interface StickView {
  fileName: string;
  text: string;
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
    | "stageConflict"
    | "badStick"
    | "boxAway"
    | "resetRefused"
    | "releaseRefused"
    /** The role of who asks does not allow it. */
    | "notAllowed"
    | "loginTaken"
    /** Nobody would be left who may let people in. */
    | "lastAdministrator"
    | "internal";
  detail: string;
  /** With `releaseRefused`. */
  reason?: ReleaseRefusal;
  /** With `stageConflict`: who changed it meanwhile, and when. */
  by?: { name: string | null; at: string };
  /** With `badStick`: by field. */
  faults?: StickFault[];
  /** With `resetRefused`: what the box said. */
  reset?: ResetOutcome & { state: "refused" };
}

/** The hub works as far as it can tell itself. */
export interface HealthView {
  version: string;
}
