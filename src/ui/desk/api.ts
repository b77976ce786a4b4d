import { hc, type ClientResponse } from "hono/client";
import type { DeskApi } from "../../hub/http/http.ts";
import type {
  AccountView,
  CarriedView,
  DiskView,
  ErrorView,
  LoudnessView,
  OneTimePasswordView,
  PointView,
  RecordingCopyView,
  RecordingSummaryView,
  RecordingOverview,
  ReleasesView,
  ReleaseView,
  RoomRecordingView,
  SessionView,
  StickDefaultsView,
  StickView,
  UserView,
} from "../../hub/http/views.ts";
import type {
  BoxId,
  DeviceOrder,
  LayoutMode,
  PointId,
  PointRole,
  Role,
  SessionId,
  Stage,
  Track,
  Unsynced,
} from "../../protocol/protocol.ts";

/** A refusal of the hub, or no answer at all. */
export type Refusal = ErrorView["code"] | "noAnswer";
export type Answer<T> =
  | { ok: true; value: T }
  | ({ ok: false; code: Refusal } & Pick<ErrorView, "by" | "faults" | "reset" | "reason">);

export type SessionAct = "start" | "resume" | "end";
/** What the desk can do to one room of a running session. */
export type RoomAct =
  | { act: "mute"; reason: string | null }
  | { act: "unmute" | "callUp" | "standBy" | "lowerHand" }
  | { act: "gain"; gainDb: number }
  | { act: "message"; text: string | null };
export interface LayoutWish {
  mode: LayoutMode;
  onScreen: PointId[];
  /** Revision of the stage that was on the screen when the button was pressed. */
  seen: number;
}
export type PairingTarget = { pointId: PointId; replace: boolean } | { pointName: string };
export interface NewSession {
  name: string;
  scheduledAt: string | null;
  plannedMinutes: number;
  points: { id: PointId; role: PointRole }[];
  companion: { url: string; name: string } | null;
}

/** As typed. */
export interface StickWish {
  host: string;
  port: string;
  network: { address: string; gateway: string; dns: string[]; vlan: string; proxy: string };
  ntp: string[];
}

export interface Api {
  signIn(login: string, password: string): Promise<Answer<UserView>>;
  signOut(): Promise<Answer<unknown>>;
  me(): Promise<Answer<UserView>>;
  changePassword(current: string, next: string): Promise<Answer<UserView>>;
  points(): Promise<Answer<PointView[]>>;
  pair(code: string, target: PairingTarget): Promise<Answer<{ point: { id: PointId; name: string } }>>;
  revoke(box: BoxId): Promise<Answer<unknown>>;
  /** With what may be lost at most; null: nothing. */
  reset(box: BoxId, acceptLoss: Unsynced | null): Promise<Answer<object>>;
  resetStick(box: BoxId, acceptLoss: Unsynced | null): Promise<Answer<StickView>>;
  /** Of which the hub has the key. */
  disks(point: PointId): Promise<Answer<DiskView[]>>;
  diskKeyStick(box: BoxId): Promise<Answer<StickView>>;
  stickDefaults(): Promise<Answer<StickDefaultsView>>;
  makeStick(wish: StickWish): Promise<Answer<StickView>>;
  /** An empty list: as the box thinks best. */
  orderDevices(point: PointId, change: Partial<DeviceOrder>): Promise<Answer<unknown>>;
  createSession(session: NewSession): Promise<Answer<SessionView>>;
  act(session: SessionId, act: SessionAct): Promise<Answer<SessionView>>;
  /** Looks at each of its rooms now, and keeps what it finds. */
  testConnections(session: SessionId): Promise<Answer<SessionView>>;
  pause(session: SessionId, reason: string | null): Promise<Answer<SessionView>>;
  setLayout(session: SessionId, wish: LayoutWish): Promise<Answer<Stage>>;
  actOnRoom(session: SessionId, point: PointId, act: RoomAct): Promise<Answer<Stage>>;
  /** Null ends the one that was noted. */
  interrupt(session: SessionId, reason: string | null): Promise<Answer<Stage>>;
  mark(session: SessionId, label: string): Promise<Answer<Stage>>;
  accounts(): Promise<Answer<AccountView[]>>;
  createAccount(account: { login: string; name: string; role: Role }): Promise<Answer<OneTimePasswordView>>;
  changeAccount(id: string, change: { name?: string; role?: Role; closed?: boolean }): Promise<Answer<AccountView>>;
  renewPassword(id: string): Promise<Answer<OneTimePasswordView>>;
  /** What lies in the hub's import folder, and what of it was taken in last. */
  carried(): Promise<Answer<CarriedView>>;
  takeInCarried(folder: string): Promise<Answer<CarriedView>>;
  recordings(): Promise<Answer<RecordingSummaryView[]>>;
  recording(session: SessionId): Promise<Answer<RecordingOverview>>;
  /** Where its whole bag can be had as one file. */
  recordingCopy(session: SessionId): Promise<Answer<RecordingCopyView>>;
  /** With every segment. */
  roomRecording(session: SessionId, point: PointId): Promise<Answer<RoomRecordingView>>;
  loudness(session: SessionId, point: PointId, track: Track): Promise<Answer<LoudnessView>>;
  declareLost(session: SessionId, point: PointId): Promise<Answer<unknown>>;
  releases(): Promise<Answer<ReleasesView>>;
  beginRelease(signed: { manifest: string; signature: string }): Promise<Answer<ReleaseView>>;
  sendPiece(id: string, name: string, atByte: number, piece: Blob): Promise<Answer<ReleaseView>>;
  importRelease(folder: string): Promise<Answer<ReleaseView>>;
  publishRelease(id: string, firstRing: BoxId[]): Promise<Answer<ReleaseView>>;
  pauseRelease(id: string): Promise<Answer<ReleaseView>>;
  continueRelease(id: string, wish: { retry?: boolean; openToAll?: boolean }): Promise<Answer<ReleaseView>>;
}

/** Longer than any answer takes on a line that works; then the desk says that the hub is silent. */
const PATIENCE_MS = 8_000;
/** Of what the hub copies, or takes in, and then reads through. */
const LONG_PATIENCE_MS = 10 * 60_000;

interface Listeners {
  /** The hub's clock minus this machine's, from each answer's Date (RFC 9110, 6.6.1; whole seconds). */
  onClock: (offsetMs: number) => void;
  /** The hub does not know us any more. */
  onSignedOut: () => void;
}

export function createApi({ onClock, onSignedOut }: Listeners): Api {
  const within = (ms: number) => (input: RequestInfo | URL, init?: RequestInit) =>
    fetch(input, { ...init, signal: AbortSignal.timeout(ms) });
  const client = hc<DeskApi>(location.origin, { fetch: within(PATIENCE_MS) }).api;
  const patient = hc<DeskApi>(location.origin, { fetch: within(LONG_PATIENCE_MS) }).api;

  async function ask<T>(
    request: Promise<Pick<ClientResponse<T>, "headers" | "ok"> & { json(): Promise<unknown> }>,
  ): Promise<Answer<T>> {
    try {
      const response = await request;
      const date = Date.parse(response.headers.get("date") ?? "");
      if (!Number.isNaN(date)) onClock(date + 500 - Date.now());
      if (response.ok) return { ok: true, value: (await response.json()) as T };
      const { code, by, faults, reset, reason } = (await response.json()) as ErrorView;
      if (code === "notSignedIn") onSignedOut();
      const more = { ...(by && { by }), ...(faults && { faults }), ...(reset && { reset }), ...(reason && { reason }) };
      return { ok: false, code, ...more };
    } catch {
      return { ok: false, code: "noAnswer" };
    }
  }

  return {
    signIn: (login, password) => ask(client["sign-in"].$post({ json: { login, password } })),
    signOut: () => ask(client["sign-out"].$post()),
    me: () => ask(client.me.$get()),
    changePassword: (current, next) => ask(client.password.$post({ json: { current, next } })),
    points: () => ask(client.points.$get()),
    pair: (code, target) => ask(client.pairing.$post({ json: { code, ...target } })),
    revoke: (box) => ask(client.boxes[":box"].revoke.$post({ param: { box } })),
    reset: (box, acceptLoss) => ask(client.boxes[":box"].reset.$post({ param: { box }, json: { acceptLoss } })),
    resetStick: (box, acceptLoss) =>
      ask(client.boxes[":box"]["reset-stick"].$post({ param: { box }, json: { acceptLoss } })),
    disks: (point) => ask(client.points[":point"].disks.$get({ param: { point } })),
    diskKeyStick: (box) => ask(client.boxes[":box"]["disk-key"].$post({ param: { box } })),
    stickDefaults: () => ask(client.stick.$get()),
    makeStick: (wish) => ask(client.stick.$post({ json: wish })),
    orderDevices: (point, change) => ask(client.points[":point"].devices.$post({ param: { point }, json: change })),
    createSession: (session) => ask(client.sessions.$post({ json: session })),
    act: (id, act) => ask(client.sessions[":id"][":act"].$post({ param: { id, act } })),
    testConnections: (id) => ask(client.sessions[":id"].test.$post({ param: { id } })),
    pause: (id, reason) => ask(client.sessions[":id"].pause.$post({ param: { id }, json: { reason } })),
    setLayout: (id, wish) => ask(client.sessions[":id"].stage.layout.$post({ param: { id }, json: wish })),
    actOnRoom: (id, point, act) =>
      ask(client.sessions[":id"].stage.rooms[":point"].$post({ param: { id, point }, json: act })),
    interrupt: (id, reason) =>
      ask(
        reason === null
          ? client.sessions[":id"].stage.interruption.end.$post({ param: { id } })
          : client.sessions[":id"].stage.interruption.$post({ param: { id }, json: { reason } }),
      ),
    mark: (id, label) => ask(client.sessions[":id"].marks.$post({ param: { id }, json: { label } })),
    accounts: () => ask(client.users.$get()),
    createAccount: (account) => ask(client.users.$post({ json: account })),
    changeAccount: (id, change) => ask(client.users[":id"].$post({ param: { id }, json: change })),
    renewPassword: (id) => ask(client.users[":id"].password.$post({ param: { id } })),
    carried: () => ask(client.carried.$get()),
    takeInCarried: (folder) => ask(client.carried.$post({ json: { folder } })),
    recordings: () => ask(client.recordings.$get()),
    declareLost: (session, point) =>
      ask(client.recordings[":session"][":point"].lost.$post({ param: { session, point } })),
    recording: (session) => ask(client.recordings[":session"].overview.$get({ param: { session } })),
    loudness: (session, point, track) =>
      ask(client.recordings[":session"][":point"].loudness[":track"].$get({ param: { session, point, track } })),
    releases: () => ask(client.releases.$get()),
    beginRelease: (signed) => ask(client.releases.$post({ json: signed })),
    sendPiece: (id, name, atByte, piece) =>
      ask<ReleaseView>(
        within(LONG_PATIENCE_MS)(`/api/releases/${id}/files/${name}?at=${atByte}`, { method: "PUT", body: piece }),
      ),
    importRelease: (folder) => ask(patient.releases.import.$post({ json: { folder } })),
    publishRelease: (id, firstRing) =>
      ask(client.releases[":id"].publish.$post({ param: { id }, json: { firstRing } })),
    pauseRelease: (id) => ask(client.releases[":id"].pause.$post({ param: { id } })),
    continueRelease: (id, wish) => ask(client.releases[":id"].continue.$post({ param: { id }, json: wish })),
    recordingCopy: (session) => ask(patient.copies[":session"].$get({ param: { session } })),
    roomRecording: (session, point) => ask(client.recordings[":session"][":point"].$get({ param: { session, point } })),
  };
}
