import type { ErrorView, PointView, RecordingView, RoomView, SessionView, UserView } from "../../src/hub/http/views.ts";
import type { PointRole, Stage } from "../../src/protocol/protocol.ts";

const words = ({ code, reason, detail }: ErrorView): string =>
  [code, reason, detail].filter((word) => word !== undefined).join(" ");

/** A person at the desk, by the hub's HTTP interface. */
export class DeskClient {
  readonly #base: string;
  cookie = "";

  constructor(base: string) {
    this.#base = base;
  }

  async request<T>(method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.#base}${path}`, {
      ...(method === "POST" && { method, body: JSON.stringify(body ?? {}) }),
      headers: { origin: this.#base, cookie: this.cookie, "content-type": "application/json" },
      signal: AbortSignal.timeout(10_000),
    });
    const set = response.headers.getSetCookie();
    if (set.length > 0) this.cookie = set.map((cookie) => cookie.split(";")[0]).join("; ");
    const text = await response.text();
    if (!response.ok) {
      const error = JSON.parse(text) as ErrorView;
      throw new Error(`${method} ${path}: ${response.status} ${words(error)}`);
    }
    return JSON.parse(text) as T;
  }

  async put<T>(path: string, bytes: Uint8Array<ArrayBuffer>): Promise<T> {
    const response = await fetch(`${this.#base}${path}`, {
      ...{ method: "PUT", body: bytes },
      headers: { origin: this.#base, cookie: this.cookie, "content-type": "application/octet-stream" },
      signal: AbortSignal.timeout(10_000),
    });
    const answer = (await response.json()) as T & ErrorView;
    if (!response.ok) throw new Error(`PUT ${path}: ${words(answer)}`);
    return answer;
  }

  signIn = (login: string, password: string) => this.request<UserView>("POST", "/api/sign-in", { login, password });
  changePassword = (current: string, next: string) =>
    this.request<UserView>("POST", "/api/password", { current, next });
  me = () => this.request<UserView>("GET", "/api/me");
  rooms = () => this.request<RoomView[]>("GET", "/api/rooms");
  points = () => this.request<PointView[]>("GET", "/api/points");
  pair = (code: string, pointName: string) =>
    this.request<{ box: string; point: { id: string; name: string } }>("POST", "/api/pairing", { code, pointName });
  revoke = (box: string) => this.request<unknown>("POST", `/api/boxes/${box}/revoke`);
  createSession = (
    name: string,
    points: { id: string; role: PointRole }[],
    scheduledAt?: string,
    companion?: { url: string; name: string },
  ) =>
    this.request<SessionView>("POST", "/api/sessions", {
      name,
      points,
      companion,
      ...(scheduledAt && { scheduledAt }),
    });
  sessions = () => this.request<SessionView[]>("GET", "/api/sessions");
  session = (id: string) => this.request<SessionView>("GET", `/api/sessions/${id}`);
  act = (id: string, act: "start" | "pause" | "resume" | "end") =>
    this.request<SessionView>("POST", `/api/sessions/${id}/${act}`);
  stage = (id: string) => this.request<Stage>("GET", `/api/sessions/${id}/stage`);
  setLayout = (id: string, wish: Pick<Stage["layout"], "mode" | "onScreen"> & { seen: number }) =>
    this.request<Stage>("POST", `/api/sessions/${id}/stage/layout`, wish);
  recording = (id: string) => this.request<RecordingView>("GET", `/api/recordings/${id}`);
}
