import type { Generated } from "kysely";
import type {
  BoxId,
  GapCause,
  PointId,
  PointRole,
  Role,
  SessionId,
  SessionState,
  TakeId,
  Track,
} from "../../protocol/protocol.ts";
import type { SessionEventView } from "../http/views.ts";

/** Times are ISO 8601 UTC text; flags are 0 or 1: the same code runs on SQLite and PostgreSQL. */
export interface Database {
  user: UserTable;
  signIn: SignInTable;
  bridgePoint: BridgePointTable;
  box: BoxTable;
  session: SessionTable;
  sessionPoint: SessionPointTable;
  sessionEvent: SessionEventTable;
  take: TakeTable;
  clockAnchor: ClockAnchorTable;
  record: RecordTable;
  segment: SegmentTable;
  gap: GapTable;
  auditEntry: AuditEntryTable;
  counter: CounterTable;
  bag: BagTable;
  lostRoom: LostRoomTable;
  hubCopy: HubCopyTable;
  storage: StorageTable;
  alarm: AlarmTable;
  stage: StageTable;
  release: ReleaseTable;
  boxUpdate: BoxUpdateTable;
  diskKey: DiskKeyTable;
  connectionTest: ConnectionTestTable;
}

/** A release of the boxes' system. Never removed: that it was published, and by whom, stays known. */
export interface ReleaseTable {
  /** SHA-256 of the manifest. */
  id: string;
  manifest: string;
  signature: string;
  addedAt: string;
  addedBy: string;
  publishedAt: string | null;
  /** withdrawn: superseded, and its files are gone. */
  state: "receiving" | "published" | "paused" | "held" | "withdrawn";
  /** JSON list of BoxId. */
  firstRing: string;
  opened: 0 | 1;
  attempt: number;
  /** JSON list of Failure. */
  failures: string;
}

/** What a box said last of its own system. */
export interface BoxUpdateTable {
  boxId: BoxId;
  /** JSON of BoxUpdate. */
  body: string;
  /** Null while what it runs is on trial. */
  healthySince: string | null;
  at: string;
}

/** What opens a box's encrypted disk in another PC. Kept after the box is revoked: its disk may hold what nothing else does. */
export interface DiskKeyTable {
  boxId: BoxId;
  volume: string;
  key: string;
  /** Since when the hub has had this one. */
  keptAt: string;
}

/** Of running sessions only; what was done on it is in the session's log. */
export interface StageTable {
  sessionId: SessionId;
  /** JSON of StageCore. */
  body: string;
}

export interface UserTable {
  id: string;
  login: string;
  name: string;
  role: Role;
  /** PHC string of argon2id. */
  passwordHash: string;
  mustChangePassword: 0 | 1;
  createdAt: string;
  /** Never removed: what they did stays somebody's. */
  closedAt: string | null;
}

export interface SignInTable {
  /** SHA-256 of the cookie's token: a stolen database opens no door. */
  tokenHash: string;
  userId: string;
  createdAt: string;
  expiresAt: string;
}

export interface BridgePointTable {
  id: PointId;
  name: string;
  createdAt: string;
  /** JSON of DeviceOrder; null where nobody has put its devices in order. */
  deviceOrder: string | null;
}

export interface BoxTable {
  id: BoxId;
  pointId: PointId;
  /** Serial number of its certificate, lower-case hex, as X509Certificate prints it. */
  serial: string;
  certificatePem: string;
  /** The one before the last renewal, until the new one has been seen. */
  formerSerial: Generated<string | null>;
  formerCertificatePem: Generated<string | null>;
  pairedAt: string;
  revokedAt: string | null;
  seenAt: string | null;
}

export interface SessionTable {
  id: SessionId;
  name: string;
  state: SessionState;
  scheduledAt: string | null;
  plannedMinutes: Generated<number>;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  /** The meeting system that carries the talk; null in both where this one does. */
  companionUrl: Generated<string | null>;
  companionName: Generated<string | null>;
  /** 1: begun in a room, and planned by nobody. */
  adHoc: Generated<0 | 1>;
}

export interface SessionPointTable {
  sessionId: SessionId;
  pointId: PointId;
  role: PointRole;
}

export interface SessionEventTable {
  id: Generated<number>;
  sessionId: SessionId;
  at: string;
  kind: SessionEventView["kind"];
  /** Name of the user at that time; null where the system noted it by itself. */
  actor: string | null;
  pointId: PointId | null;
  /** Of an alarm: its cause. */
  cause?: string | null;
  /** JSON of SessionEventDetail. */
  detail?: string | null;
}

/** What was found of a session's rooms before it began; never changed. */
export interface ConnectionTestTable {
  id: Generated<number>;
  sessionId: SessionId;
  /** Null: somebody asked for it. Unique in a session otherwise. */
  minutesBefore: number | null;
  dueAt: string | null;
  /** Null: it was missed. */
  at: string | null;
  /** Name of the user at that time; null where it was made by itself. */
  actor: string | null;
  /** JSON of TestedRoomView[]. */
  rooms: string;
}

export interface TakeTable {
  id: TakeId;
  boxId: BoxId;
  sessionId: SessionId;
  pointId: PointId;
  track: Generated<Track>;
  /** End of the chain, as checkNextRecord wants it. */
  nextN: number;
  tipHash: string | null;
  nextSeq: number;
  ended: 0 | 1;
  startedAt: string;
  /** `prev` of its first record. Null, like the five below, in takes that came before hubs kept it. */
  prevHash: string | null;
  /** All clocks of the box at the first frame, as its first segment's record states them; without media at its start. */
  firstFrameAt: string | null;
  bootId: string | null;
  firstMonotonicMs: number | null;
  /** Null also where the box did not know it yet. */
  hubOffsetMs: number | null;
  hubOffsetErrorMs: number | null;
  /** Running totals of its segments and gaps; the number of its segments is nextSeq. */
  sizeBytes: Generated<number>;
  hubSegments: Generated<number>;
  provinceSegments: Generated<number>;
  /** Refused at least once and not yet verified. */
  refusedSegments: Generated<number>;
  /** Of which the box has signed that they are lost. */
  damagedSegments: Generated<number>;
  /** When all its files in the archive were last read again; null where they were not since they came. */
  rereadAt: Generated<string | null>;
  /** The same at the province. */
  provinceRereadAt: Generated<string | null>;
  gaps: Generated<number>;
  durationMs: Generated<number>;
}

/** Moments of a box in the hub's time: the most exact of each ten minutes of a boot. */
export interface ClockAnchorTable {
  boxId: BoxId;
  bootId: string;
  /** monotonicMs in units of ten minutes. */
  bucket: number;
  monotonicMs: number;
  utcMs: number;
  errorMs: number;
}

/** Every evidence record as it came, with the hub's countersignature over the same bytes. Never changed. */
export interface RecordTable {
  takeId: TakeId;
  n: number;
  kind: "takeStart" | "segment" | "gap" | "takeEnd";
  record: string;
  signature: string;
  countersignature: string;
  receivedAt: string;
}

export interface SegmentTable {
  takeId: TakeId;
  seq: number;
  /** Of its record. */
  n: number;
  sessionId: SessionId;
  pointId: PointId;
  boxId: BoxId;
  sizeBytes: number;
  sha256: string;
  frames: number;
  streamStartMs: number;
  streamEndMs: number;
  startedAt: string;
  /** damaged: the box has signed that it cannot read it back, and no whole copy has come. */
  hubState: "waiting" | "verified" | "damaged";
  /** How often bytes came that did not match the record. */
  refusals: Generated<number>;
  hubReceipt: string | null;
  hubReceiptSignature: string | null;
  provinceState: "waiting" | "verified";
  provinceReceipt: string | null;
  provinceReceiptSignature: string | null;
}

export interface GapTable {
  takeId: TakeId;
  n: number;
  sessionId: SessionId;
  pointId: PointId;
  cause: GapCause;
  fromAt: string;
  toAt: string;
  durationMs: number;
  detail: string;
}

/** Acts outside sessions that must have an actor: pairing, revoking, signing in, playing back. */
export interface AuditEntryTable {
  id: Generated<number>;
  at: string;
  actor: string | null;
  act: string;
  detail: string;
}

/** Of the counter that a backup's restoration moves on. */
export const MEMORY = "memory";

export interface CounterTable {
  name: "assignmentRevision" | typeof MEMORY;
  value: number;
}

/** How far a session's BagIt bag is. The row exists from the session's first record on. */
export interface BagTable {
  sessionId: SessionId;
  /** Changes since the bag was last finished; 0: its tag files state all there is. */
  additions: number;
  manifestSha256: string | null;
  tagManifestSha256: string | null;
  /** 1: every room's viewing copy shows all that the manifest names. */
  viewing: Generated<0 | 1>;
  /** The tag manifest that was verified at the province. */
  provinceTagManifestSha256: string | null;
}

/** Which storage was met the first time: an unmounted directory or a swapped disk is never taken for it. */
export interface StorageTable {
  name: "archive" | "province";
  target: string;
  uuid: string;
}

/** What a box raised an alarm for, as it told it. */
export interface AlarmTable {
  boxId: BoxId;
  /** The box's own. */
  id: string;
  pointId: PointId;
  /** Null outside of sessions. */
  sessionId: SessionId | null;
  cause: string;
  raisedAt: string;
  receivedAt: string;
  clearedAt: string | null;
  facts: string;
}

/** A room of a session whose box an administrator has declared lost. */
export interface LostRoomTable {
  sessionId: SessionId;
  pointId: PointId;
  declaredAt: string;
  declaredBy: string;
  /** LostStatement and the hub's signature over it. */
  statement: string;
  signature: string;
  /** When its holes had been filled as far as the hub's copy goes. */
  filledAt: string | null;
}

/** Pieces of the hub's copy of the live stream that stand in a lost room's holes. Never changed. */
export interface HubCopyTable {
  sessionId: SessionId;
  pointId: PointId;
  n: number;
  startedAt: string;
  durationMs: number;
  sizeBytes: number;
  sha256: string;
  /** HubCopyStatement and the hub's signature over it. */
  statement: string;
  signature: string;
}
