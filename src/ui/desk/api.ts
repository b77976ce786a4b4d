import { hc, type ClientResponse } from "hono/client";
import type { DeskApi } from "../../hub/http/http.ts";
import type {
  ErrorView,
  PointView,
  RecordingSummaryView,
  RecordingView,
  SessionView,
  UserView,
} from "../../hub/http/views.ts";
import type { BoxId, PointId, PointRole, SessionId } from "../../protocol/protocol.ts";

/** A refusal of the hub, or no answer at all. */
export type Refusal = ErrorView["code"] | "noAnswer";
export type Answer<T> = { ok: true; value: T } | { ok: false; code: Refusal };

export type SessionAct = "start" | "pause" | "resume" | "end";
export type PairingTarget = { pointId: PointId; replace: boolean } | { pointName: string };
export interface NewSession {
  name: string;
  scheduledAt: string | null;
  plannedMinutes: number;
  points: { id: PointId; role: PointRole }[];
}

export interface Api {
  signIn(login: string, password: string): Promise<Answer<UserView>>;
  signOut(): Promise<Answer<unknown>>;
  me(): Promise<Answer<UserView>>;
  changePassword(current: string, next: string): Promise<Answer<UserView>>;
  points(): Promise<Answer<PointView[]>>;
  pair(code: string, target: PairingTarget): Promise<Answer<{ point: { id: PointId; name: string } }>>;
  revoke(box: BoxId): Promise<Answer<unknown>>;
  createSession(session: NewSession): Promise<Answer<SessionView>>;
  act(session: SessionId, act: SessionAct): Promise<Answer<SessionView>>;
  recordings(): Promise<Answer<RecordingSummaryView[]>>;
  recording(session: SessionId): Promise<Answer<RecordingView>>;
  declareLost(session: SessionId, point: PointId): Promise<Answer<unknown>>;
}

/** Longer than any answer takes on a line that works; then the desk says that the hub is silent. */
const PATIENCE_MS = 8_000;

interface Listeners {
  /** The hub's clock minus this machine's, from each answer's Date (RFC 9110, 6.6.1; whole seconds). */
  onClock: (offsetMs: number) => void;
  /** The hub does not know us any more. */
  onSignedOut: () => void;
}

export function createApi({ onClock, onSignedOut }: Listeners): Api {
  const client = hc<DeskApi>(location.origin, {
    fetch: (input: RequestInfo | URL, init?: RequestInit) =>
      fetch(input, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) }),
  }).api;

  async function ask<T>(request: Promise<ClientResponse<T>>): Promise<Answer<T>> {
    try {
      const response = await request;
      const date = Date.parse(response.headers.get("date") ?? "");
      if (!Number.isNaN(date)) onClock(date + 500 - Date.now());
      if (response.ok) return { ok: true, value: (await response.json()) as T };
      const { code } = (await response.json()) as ErrorView;
      if (code === "notSignedIn") onSignedOut();
      return { ok: false, code };
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
    createSession: (session) => ask(client.sessions.$post({ json: session })),
    act: (id, act) => ask(client.sessions[":id"][":act"].$post({ param: { id, act } })),
    recordings: () => ask(client.recordings.$get()),
    declareLost: (session, point) =>
      ask(client.recordings[":session"][":point"].lost.$post({ param: { session, point } })),
    recording: (session) => ask(client.recordings[":session"].$get({ param: { session } })),
  };
}
