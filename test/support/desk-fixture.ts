import { Hono } from "hono";
import { WebSocketServer } from "ws";
import { roomOverview } from "../../src/hub/archive/overview.ts";
import { HttpRefusal } from "../../src/hub/http/refusal.ts";
import type {
  AccountView,
  CarriedView,
  DiskView,
  LoudnessView,
  OneTimePasswordView,
  DeskEvents,
  ErrorView,
  PointView,
  RecordingCopyView,
  RecordingOverview,
  ReleasesView,
  ReleaseView,
  SessionView,
  StickDefaultsView,
  StickView,
  UserView,
} from "../../src/hub/http/views.ts";
import {
  DISK_KEY_FILE,
  judgeStick,
  normalizePairingCode,
  RESET_FILE,
  STICK_FILE,
  stickText,
  type BoxId,
  type PointId,
  type SessionId,
  type Stage,
  type StageRoom,
} from "../../src/protocol/protocol.ts";
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

type Why = Pick<ErrorView, "by" | "faults" | "reset" | "reason">;
const refusal = (code: ErrorView["code"], why: Why = {}): HttpRefusal => new HttpRefusal(code, code, why);

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
    stages: fixture.world.stages,
    waitingBoxes: fixture.world.waitingBoxes,
    hubDisk: fixture.world.hubDisk,
  });
  const signedIn = (): UserView => {
    if (!fixture.user) throw refusal("notSignedIn");
    return fixture.user;
  };
  const sessionOf = (id: string): SessionView => {
    const found = fixture.world.sessions.find((session) => session.id === id);
    if (!found) throw refusal("notFound");
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
    const refused = error instanceof HttpRefusal ? error : new HttpRefusal("internal", error.message);
    return c.json<ErrorView>(refused.view(), refused.status);
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
    if (password !== PASSWORD) throw refusal("wrongCredentials");
    fixture.user = { ...ADMINISTRATOR, mustChangePassword: fixture.mustChangePassword };
    return c.json(fixture.user);
  });
  app.post("/api/sign-out", (c) => {
    fixture.user = null;
    return c.json({ ok: true });
  });
  app.post("/api/password", async (c) => {
    const { next } = await c.req.json<{ next: string }>();
    if (next === PASSWORD) throw refusal("weakPassword");
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
    if (normalizePairingCode(body.code) !== CODE) throw refusal("wrongPairingCode");
    const known = fixture.world.rooms.find(({ point }) => point.id === body.pointId);
    if (known?.box && !body.replace) throw refusal("pointTaken");
    const name = known?.point.name ?? body.pointName!;
    const point = { id: pointId(name), name };
    return c.json({ box: "box-aaaaaaaaaaaaaaaa" as BoxId, point });
  });
  app.post("/api/boxes/:box/revoke", (c) => {
    const revoked = fixture.world.rooms.find(({ box }) => box === c.req.param("box"));
    if (!revoked) throw refusal("notFound");
    const room = { ...revoked, box: null, connected: false, health: null, live: [] };
    fixture.world = { ...fixture.world, rooms: fixture.world.rooms.map((r) => (r === revoked ? room : r)) };
    fixture.tell("room", room);
    return c.json({ ok: true });
  });
  app.post("/api/boxes/:box/reset", async (c) => {
    const { acceptLoss } = await c.req.json<{ acceptLoss: object | null }>();
    const refused = { state: "refused", reason: "unsynced", unsynced: { segments: 12, bytes: 36e6 } } as const;
    if (!acceptLoss) throw refusal("resetRefused", { reset: refused });
    return c.json({ ok: true });
  });
  app.post("/api/boxes/:box/reset-stick", (c) =>
    c.json<StickView>({ fileName: RESET_FILE, text: JSON.stringify({ box: c.req.param("box") }) }),
  );
  app.get("/api/points/:point/disks", (c) => {
    const box = fixture.world.rooms.find(({ point }) => point.id === c.req.param("point"))?.box;
    const former = "box-bbbbbbbbbbbbbbbb" as BoxId;
    return c.json<DiskView[]>(
      box
        ? [
            { box, code: "3F2A-91C4", revokedAt: null, keptAt: "2026-08-03T02:10:00.000Z" },
            {
              box: former,
              code: "77E0-4B1D",
              revokedAt: "2026-08-03T01:58:00.000Z",
              keptAt: "2026-02-16T03:00:00.000Z",
            },
          ]
        : [],
    );
  });
  app.post("/api/boxes/:box/disk-key", (c) =>
    c.json<StickView>({ fileName: DISK_KEY_FILE, text: `# ${c.req.param("box")}` }),
  );
  app.get("/api/stick", (c) =>
    c.json<StickDefaultsView>({
      ...{ hosts: ["diemcau.quangngai.gov.vn", "10.24.0.5"], port: 443 },
      ...{ caSha256: "A1:".repeat(31) + "B2", fileName: STICK_FILE },
    }),
  );
  app.post("/api/stick", async (c) => {
    const { host, port, network } = await c.req.json<{ host: string; port: string; network: object }>();
    const typed = Object.entries(network).filter(([, value]) => (value as string | string[]).length > 0);
    const hub = { host, port, caSha256: "a1".repeat(32) };
    const judged = judgeStick({ v: 1, hub, ...(typed.length > 0 && { network: Object.fromEntries(typed) }) });
    if (!judged.ok) throw refusal("badStick", { faults: judged.faults });
    return c.json<StickView>({ fileName: STICK_FILE, text: stickText(judged.stick) });
  });
  app.post("/api/sessions", async (c) => {
    const body =
      await c.req.json<Pick<SessionView, "name" | "scheduledAt" | "plannedMinutes" | "points" | "companion">>();
    const names = new Map(fixture.world.rooms.map(({ point }) => [point.id, point.name]));
    return c.json<SessionView>(
      put({
        id: sessionId(`${body.name} ${fixture.world.sessions.length}`),
        name: body.name,
        state: "draft",
        scheduledAt: body.scheduledAt,
        plannedMinutes: body.plannedMinutes,
        companion: body.companion ?? null,
        createdAt: new Date().toISOString(),
        startedAt: null,
        endedAt: null,
        adHoc: false,
        points: body.points.map(({ id, role }) => ({ id, role, name: names.get(id)! })),
        events: [event("created")],
        tests: [],
        testsToCome: [],
      }),
    );
  });
  const putStage = (id: string, change: (stage: Stage) => Stage): Stage => {
    const found = fixture.world.stages.find(({ session }) => session === id);
    if (!found) throw refusal("notFound");
    const stage = { ...change(found), revision: found.revision + 1 };
    fixture.world = {
      ...fixture.world,
      stages: fixture.world.stages.map((other) => (other === found ? stage : other)),
    };
    fixture.tell("stage", stage);
    return stage;
  };
  app.post("/api/sessions/:id/stage/layout", async (c) => {
    const { mode, onScreen, seen } = await c.req.json<Pick<Stage["layout"], "mode" | "onScreen"> & { seen: number }>();
    const { layout } = fixture.world.stages.find(({ session }) => session === c.req.param("id"))!;
    if (seen < layout.revision) throw refusal("stageConflict", { by: { name: layout.by, at: layout.at } });
    return c.json(
      putStage(c.req.param("id"), (stage) => ({
        ...stage,
        layout: { mode, onScreen, by: ADMINISTRATOR.name, at: new Date().toISOString(), revision: stage.revision + 1 },
      })),
    );
  });
  app.post("/api/sessions/:id/stage/rooms/:point", async (c) => {
    const { act, reason } = await c.req.json<{ act: string; reason?: string }>();
    const note = { at: new Date().toISOString(), reason: reason ?? null, by: ADMINISTRATOR.name };
    const seat: Partial<StageRoom> =
      act === "mute"
        ? { muted: note }
        : act === "unmute"
          ? { muted: null }
          : act === "callUp"
            ? { place: "in", hand: null }
            : { hand: null };
    return c.json(
      putStage(c.req.param("id"), (stage) => ({
        ...stage,
        rooms: stage.rooms.map((room) => (room.point.id === c.req.param("point") ? { ...room, ...seat } : room)),
      })),
    );
  });
  app.post("/api/sessions/:id/marks", (c) => c.json(putStage(c.req.param("id"), (stage) => stage)));
  app.post("/api/sessions/:id/test", (c) => {
    const session = sessionOf(c.req.param("id"));
    if (session.state !== "draft") throw refusal("wrongState");
    const tested = event("tested");
    const detail = {
      test: { minutesBefore: null, clear: session.points.length, rooms: session.points.length, others: [] },
    };
    const rooms = session.points.map(({ id, name }) => ({
      ...{ point: { id, name }, clear: true, troubles: [], soundTest: "passed" as const },
    }));
    const test = { minutesBefore: null, dueAt: null, at: tested.at, actor: tested.actor, rooms };
    const events = [...session.events, { ...tested, detail }];
    return c.json<SessionView>(put({ ...session, tests: [...session.tests, test], events }));
  });
  app.post("/api/sessions/:id/:act", (c) => {
    const session = sessionOf(c.req.param("id"));
    const { from, state, kind } = next[c.req.param("act") as keyof typeof next];
    if (!(from as readonly string[]).includes(session.state)) throw refusal("wrongState");
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
  app.get("/api/releases", (c) => c.json<ReleasesView>(fixture.world.releases));
  const putRelease = (id: string, change: Partial<ReleaseView>): ReleaseView => {
    const found = fixture.world.releases.releases.find((release) => release.id === id);
    if (!found) throw refusal("notFound");
    const release = { ...found, ...change };
    const releases = fixture.world.releases.releases.map((other) => (other === found ? release : other));
    fixture.world = { ...fixture.world, releases: { ...fixture.world.releases, releases } };
    return release;
  };
  app.post("/api/releases", () => {
    throw refusal("releaseRefused", { reason: "unknownKey" });
  });
  app.post("/api/releases/:id/publish", async (c) => {
    const { firstRing } = await c.req.json<Pick<ReleaseView, "firstRing">>();
    return c.json(putRelease(c.req.param("id"), { state: "published", firstRing, opened: firstRing.length === 0 }));
  });
  app.post("/api/releases/:id/pause", (c) => c.json(putRelease(c.req.param("id"), { state: "paused" })));
  app.post("/api/releases/:id/continue", (c) => c.json(putRelease(c.req.param("id"), { state: "published" })));
  const password = "K3XM-92FA-7TQW-PB4D";
  const putAccount = (account: AccountView): AccountView => {
    const others = fixture.world.accounts.filter(({ id }) => id !== account.id);
    fixture.world = { ...fixture.world, accounts: [...others, account] };
    return account;
  };
  const accountIn = (id: string): AccountView => {
    const found = fixture.world.accounts.find((account) => account.id === id);
    if (!found) throw refusal("notFound");
    return found;
  };
  app.get("/api/users", (c) => c.json<AccountView[]>(fixture.world.accounts));
  app.post("/api/users", async (c) => {
    const body = await c.req.json<Pick<AccountView, "login" | "name" | "role">>();
    if (fixture.world.accounts.some(({ login }) => login === body.login)) throw refusal("loginTaken");
    const more = { mustChangePassword: true, createdAt: new Date().toISOString(), closedAt: null };
    const account = putAccount({ ...body, ...more, id: `user-${fixture.world.accounts.length + 1}` });
    return c.json<OneTimePasswordView>({ account, password });
  });
  app.post("/api/users/:id", async (c) => {
    const { closed, ...change } = await c.req.json<{ name?: string; closed?: boolean; role?: AccountView["role"] }>();
    const account = accountIn(c.req.param("id"));
    if (account.id === ADMINISTRATOR.id && change.name === undefined) throw refusal("lastAdministrator");
    const closedAt = closed === undefined ? account.closedAt : closed ? new Date().toISOString() : null;
    return c.json<AccountView>(putAccount({ ...account, ...change, closedAt }));
  });
  app.post("/api/users/:id/password", (c) => {
    const account = putAccount({ ...accountIn(c.req.param("id")), mustChangePassword: true });
    return c.json<OneTimePasswordView>({ account, password });
  });
  app.get("/api/carried", (c) => c.json<CarriedView>(fixture.world.carried));
  app.post("/api/carried", async (c) => {
    const { folder } = await c.req.json<{ folder: string }>();
    const counts = {
      waiting: false,
      sessions: 2,
      sessionsDone: 2,
      taken: 40,
      takenBytes: 2e8,
      had: 3,
      damaged: 0,
      missing: 0,
    };
    const at = new Date().toISOString();
    const carried = { ...fixture.world.carried, run: { folder, startedAt: at, endedAt: at, ...counts, refused: [] } };
    fixture.world = { ...fixture.world, carried };
    return c.json<CarriedView>(carried);
  });
  app.get("/api/recordings", (c) => c.json(fixture.world.recordings.map(summaryOf)));
  app.get("/api/copies/:session", (c) => {
    const session = c.req.param("session");
    return c.json<RecordingCopyView>({ path: `/api/copies/${session}/file`, sizeBytes: 6_442_450_944 });
  });
  app.get("/api/copies/:session/file", (c) =>
    c.body("PK", 200, { "content-type": "application/zip", "content-disposition": 'attachment; filename="copy.zip"' }),
  );
  const recordingOf = (id: string) => {
    const found = fixture.world.recordings.find(({ session }) => session.id === (id as SessionId));
    if (!found) throw refusal("notFound");
    return found;
  };
  app.get("/api/recordings/:session/overview", (c) => {
    const found = recordingOf(c.req.param("session"));
    return c.json<RecordingOverview>({ ...found, rooms: found.rooms.map(roomOverview) });
  });
  app.get("/api/recordings/:session/:point", (c) => {
    const room = recordingOf(c.req.param("session")).rooms.find(({ point }) => point.id === c.req.param("point"));
    if (!room) throw refusal("notFound");
    return c.json(room);
  });
  app.get("/api/recordings/:session/:point/loudness/:track", (c) => {
    const room = recordingOf(c.req.param("session")).rooms.find(({ point }) => point.id === c.req.param("point"));
    if (!room) throw refusal("notFound");
    return c.json<LoudnessView>(madeLoudness(room.playableMs, room.point.id));
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

/** People who take turns: words for some seconds, breaths, and pauses in which others speak. */
function madeLoudness(playableMs: number, seed: string): LoudnessView {
  const phase = [...seed].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  const levels = Uint8Array.from({ length: Math.ceil(playableMs / 250) }, (_, i) => {
    const speaks = Math.sin(i / 90 + phase) > 0.1;
    const word = Math.abs(Math.sin(i * 1.7 + phase) * Math.sin(i / 5.3));
    return Math.round(speaks ? 90 + 110 * word : 35 + 8 * word);
  });
  return { stepMs: 250, levels: Buffer.from(levels).toString("base64"), complete: true };
}
