import { Hono } from "hono";
import { WebSocketServer } from "ws";
import type { DeskEvents, ErrorView, PointView, SessionView, UserView } from "../../src/hub/http/views.ts";
import { normalizePairingCode, type BoxId, type PointId, type SessionId } from "../../src/protocol/protocol.ts";
import { sendLive, type RoomMedia } from "./desk-media.ts";
import { health, pointId, sessionId, summaryOf, type World } from "./desk-worlds.ts";
import { createStream, encodeEvent, listen, serveScreen } from "./screen-server.ts";

export interface DeskFixture extends AsyncDisposable {
  readonly url: string;
  world: World;
  /** What the next password check finds. */
  user: UserView | null;
  mustChangePassword: boolean;
  /** The hub stops answering, as a pulled cable would have it, until `answer` is called. */
  fallSilent(): void;
  answer(): void;
  tell<K extends keyof DeskEvents>(event: K, data: DeskEvents[K]): void;
  /** Every request that would change something, in order. */
  readonly acts: string[];
}

export const ADMINISTRATOR: UserView = {
  id: "user-1",
  login: "quantri",
  name: "Nguyễn Thị Minh Nguyệt",
  role: "administrator",
  mustChangePassword: false,
};
export const PASSWORD = "mot-mat-khau-dai";
export const CODE = "BCDFGHJK";

const STATUS: Record<ErrorView["code"], 400 | 401 | 403 | 404 | 409 | 429 | 500> = {
  notSignedIn: 401,
  wrongCredentials: 401,
  tooManyTries: 429,
  mustChangePassword: 403,
  weakPassword: 400,
  badRequest: 400,
  notFound: 404,
  wrongPairingCode: 400,
  pairingLocked: 429,
  pointTaken: 409,
  wrongState: 409,
  roomBusy: 409,
  noRooms: 409,
  internal: 500,
};

class Refusal extends Error {
  readonly code: ErrorView["code"];
  constructor(code: ErrorView["code"]) {
    super(code);
    this.code = code;
  }
}

/** A hub with the given world, which does what it is told as the real one would, and keeps it in memory. */
export async function openDeskFixture(options: {
  screen: string;
  world: World;
  signedIn?: boolean;
  media?: RoomMedia;
}): Promise<DeskFixture> {
  const { media } = options;
  const stream = createStream();
  const acts: string[] = [];
  let silent = false;
  const snapshot = (): DeskEvents["snapshot"] => ({
    rooms: fixture.world.rooms,
    sessions: fixture.world.sessions,
    waitingBoxes: fixture.world.waitingBoxes,
    hubDisk: fixture.world.hubDisk,
  });
  const signedIn = (): UserView => {
    if (!fixture.user) throw new Refusal("notSignedIn");
    return fixture.user;
  };
  const sessionOf = (id: string): SessionView => {
    const found = fixture.world.sessions.find((session) => session.id === id);
    if (!found) throw new Refusal("notFound");
    return found;
  };
  /** Puts a session in place of its older self and the rooms in it or out of it, and tells everybody. */
  const put = (session: SessionView): SessionView => {
    const others = fixture.world.sessions.filter(({ id }) => id !== session.id);
    const open = session.state === "live" || session.state === "paused";
    const rooms = fixture.world.rooms.map((room) => {
      const role = session.points.find(({ id }) => id === room.point.id)?.role;
      if (!role) return room;
      const growing = session.state === "live";
      return {
        ...room,
        session: open ? { id: session.id, name: session.name, role, state: session.state } : null,
        health:
          room.health &&
          health({ recording: { ...room.health.recording, session: open ? session.id : null, growing } }),
      };
    });
    fixture.world = { ...fixture.world, sessions: [session, ...others], rooms };
    fixture.tell("session", session);
    for (const room of rooms) fixture.tell("room", room);
    return session;
  };
  const event = (kind: SessionView["events"][number]["kind"]): SessionView["events"][number] => ({
    at: new Date().toISOString(),
    kind,
    actor: ADMINISTRATOR.name,
    point: null,
  });
  const next = {
    start: { from: ["draft"], state: "live", kind: "started" },
    pause: { from: ["live"], state: "paused", kind: "paused" },
    resume: { from: ["paused"], state: "live", kind: "resumed" },
    end: { from: ["live", "paused"], state: "ended", kind: "ended" },
  } as const;

  const app = new Hono();
  app.onError((error, c) => {
    const code = error instanceof Refusal ? error.code : "internal";
    return c.json<ErrorView>({ code, detail: error.message }, STATUS[code]);
  });
  app.use("/api/*", async (c, following) => {
    // Never answered; the connection is closed when the hub speaks again.
    if (silent) await new Promise<void>((resolve) => waiting.push(resolve));
    if (c.req.method === "POST") acts.push(c.req.path);
    await following();
  });
  const waiting: (() => void)[] = [];
  app.post("/api/sign-in", async (c) => {
    const { password } = await c.req.json<{ password: string }>();
    if (password !== PASSWORD) throw new Refusal("wrongCredentials");
    fixture.user = { ...ADMINISTRATOR, mustChangePassword: fixture.mustChangePassword };
    return c.json(fixture.user);
  });
  app.post("/api/sign-out", (c) => {
    fixture.user = null;
    return c.json({ ok: true });
  });
  app.post("/api/password", async (c) => {
    const { next } = await c.req.json<{ next: string }>();
    if (next === PASSWORD) throw new Refusal("weakPassword");
    fixture.user = ADMINISTRATOR;
    return c.json(fixture.user);
  });
  app.get("/api/me", (c) => c.json<UserView>(signedIn()));
  app.get("/api/events", () => {
    signedIn();
    return stream.open(encodeEvent("snapshot", snapshot()));
  });
  app.get("/api/points", (c) => c.json<PointView[]>(fixture.world.rooms.map(({ point, box }) => ({ ...point, box }))));
  app.post("/api/pairing", async (c) => {
    const body = await c.req.json<{ code: string; pointId?: PointId; pointName?: string; replace?: boolean }>();
    if (normalizePairingCode(body.code) !== CODE) throw new Refusal("wrongPairingCode");
    const known = fixture.world.rooms.find(({ point }) => point.id === body.pointId);
    if (known?.box && !body.replace) throw new Refusal("pointTaken");
    const name = known?.point.name ?? body.pointName!;
    const point = { id: pointId(name), name };
    return c.json({ box: "box-aaaaaaaaaaaaaaaa" as BoxId, point });
  });
  app.post("/api/boxes/:box/revoke", (c) => {
    const revoked = fixture.world.rooms.find(({ box }) => box === c.req.param("box"));
    if (!revoked) throw new Refusal("notFound");
    const room = { ...revoked, box: null, connected: false, health: null, live: [] };
    fixture.world = { ...fixture.world, rooms: fixture.world.rooms.map((r) => (r === revoked ? room : r)) };
    fixture.tell("room", room);
    return c.json({ ok: true });
  });
  app.post("/api/sessions", async (c) => {
    const body = await c.req.json<Pick<SessionView, "name" | "scheduledAt" | "plannedMinutes" | "points">>();
    const names = new Map(fixture.world.rooms.map(({ point }) => [point.id, point.name]));
    return c.json<SessionView>(
      put({
        id: sessionId(`${body.name} ${fixture.world.sessions.length}`),
        name: body.name,
        state: "draft",
        scheduledAt: body.scheduledAt,
        plannedMinutes: body.plannedMinutes,
        createdAt: new Date().toISOString(),
        startedAt: null,
        endedAt: null,
        adHoc: false,
        points: body.points.map(({ id, role }) => ({ id, role, name: names.get(id)! })),
        events: [event("created")],
      }),
    );
  });
  app.post("/api/sessions/:id/:act", (c) => {
    const session = sessionOf(c.req.param("id"));
    const { from, state, kind } = next[c.req.param("act") as keyof typeof next];
    if (!(from as readonly string[]).includes(session.state)) throw new Refusal("wrongState");
    const now = new Date().toISOString();
    return c.json<SessionView>(
      put({
        ...session,
        state,
        startedAt: session.startedAt ?? now,
        endedAt: state === "ended" ? now : null,
        events: [...session.events, event(kind)],
      }),
    );
  });
  app.get("/api/recordings", (c) => c.json(fixture.world.recordings.map(summaryOf)));
  app.get("/api/recordings/:session", (c) => {
    const found = fixture.world.recordings.find(({ session }) => session.id === (c.req.param("session") as SessionId));
    if (!found) throw new Refusal("notFound");
    return c.json(found);
  });
  app.get("/api/recordings/:session/:point/:file", (c) =>
    media ? c.body(media.playlist, 200, { "content-type": "application/vnd.apple.mpegurl" }) : c.body(null, 404),
  );
  app.get("/api/recordings/:session/:point/segment/:file", (c) => {
    const segment = media?.segments[Number.parseInt(c.req.param("file"), 10)];
    return segment ? c.body(new Uint8Array(segment), 200, { "content-type": "video/mp2t" }) : c.body(null, 404);
  });
  serveScreen(app, options.screen);

  const { server, url, close } = await listen(app);
  const sockets = new WebSocketServer({ noServer: true });
  const stopping = new AbortController();
  server.on("upgrade", (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (ws) => {
      ws.on("error", () => {});
      if (media && /\/(video|small)$/.test(request.url ?? "")) void sendLive(ws, media.live, stopping.signal);
    }),
  );
  const fixture: DeskFixture = {
    url,
    world: options.world,
    user: options.signedIn ? ADMINISTRATOR : null,
    mustChangePassword: false,
    acts,
    tell: (event, data) => stream.tell(encodeEvent(event, data)),
    fallSilent() {
      silent = true;
      stream.drop();
    },
    answer() {
      silent = false;
      for (const resolve of waiting.splice(0)) resolve();
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      for (const client of sockets.clients) client.terminate();
      fixture.answer();
      await close();
    },
  };
  return fixture;
}
