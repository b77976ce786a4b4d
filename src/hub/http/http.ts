import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { compress } from "hono/compress";
import { HTTPException } from "hono/http-exception";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createSecureServer, type Http2SecureServer } from "node:http2";
import { WebSocketServer } from "ws";
import { makeId, type SessionId } from "../../protocol/protocol.ts";
import { causeOf, randomId, type Clock, type Log } from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";
import type { Accounts } from "../accounts/accounts.ts";
import type { Archive, Carried } from "../archive/archive.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { HubCopy } from "../hub-copy/hub-copy.ts";
import type { Live } from "../live/live.ts";
import type { Provisioning } from "../provisioning/provisioning.ts";
import type { Releases } from "../releases/releases.ts";
import type { ConnectionTests, Reception } from "../reception/reception.ts";
import type { Stages } from "../stage/stage.ts";
import { createApi, RELEASE_PIECE_BYTES } from "./api.ts";
import { loopbackNamesOnly, ownOriginOnly, securityHeaders, type DeskEnv, type Side } from "./door.ts";
import { createEventStream } from "./events.ts";
import { sendPage } from "./files.ts";
import { createMedia } from "./media.ts";
import { HttpRefusal } from "./refusal.ts";
import type { ErrorView, HealthView, LevelsView } from "./views.ts";
import { createWall } from "./wall.ts";

/** For the desk's typed client, `hc<DeskApi>(…)`. */
export type DeskApi = ReturnType<typeof createApi>;

const MAX_BODY_BYTES = 64 * 1024;
/** Connections on which nothing moves; event streams show life every 15 s, WebSockets look after themselves. */
const IDLE_MS = 60_000;
const GOODBYE_MS = 500;

export interface DeskParts {
  db: HubDatabase;
  clock: Clock;
  log: Log;
  accounts: Accounts;
  reception: Reception;
  tests: ConnectionTests;
  live: Live;
  fleet: Pick<Fleet, "points" | "rooms" | "revoke" | "setDeviceOrder" | "pairing" | "disks">;
  carried: Carried;
  archive: Pick<
    Archive,
    | "summaries"
    | "summary"
    | "recording"
    | "overview"
    | "roomRecording"
    | "loudness"
    | "playlist"
    | "segmentFile"
    | "hubCopyFile"
    | "copyOf"
    | "room"
  >;
  hubCopy: Pick<HubCopy, "declareLost">;
  stages: Stages;
  provisioning: Provisioning;
  releases: Releases;
  /** Folder of the built desk. */
  ui: string;
  version: string;
}

export interface Desk {
  /** Plain HTTP, to listen on 127.0.0.1. */
  loopbackServer(): HttpServer;
  /** HTTP/2 and HTTP/1.1 for the gateway, which hands it connections: it never listens itself. */
  tlsServer(identity: { keyPem: string; certificatePem: string }): Http2SecureServer;
  roomsChanged(): void;
  sessionChanged(session: SessionId): void;
  stageChanged(session: SessionId): void;
  levels(levels: LevelsView): void;
  recordingChanged(session: SessionId): void;
  waitingBoxesChanged(): void;
  hubDiskChanged(): void;
  /** Ends event streams and WebSockets (1001); resolves when those have said goodbye, or soon after. */
  close(): Promise<void>;
}

/** What browsers reach: sign-in, JSON interface, events, live, playback and the desk's own pages. */
export function createDesk(parts: DeskParts): Desk {
  const { clock, log, accounts, reception, tests, fleet, archive, carried, hubCopy, live, stages, releases } = parts;
  const wall = createWall({ db: parts.db, reception, live, fleet, releases });
  const events = createEventStream({
    clock,
    log,
    sources: {
      rooms: () => wall.rooms(),
      sessions: () => reception.sessions(),
      session: (id) => reception.session(id),
      stages: () => stages.all(),
      stage: (id) => stages.stage(id),
      recording: (id) => archive.summary(id),
      waitingBoxes: () => fleet.pairing.waiting(),
      hubDisk: () => {
        const { state, freeBytes } = archive.room();
        return { state, freeBytes };
      },
    },
  });

  const limit = (maxSize: number) =>
    bodyLimit({ maxSize, onError: () => refusePlainly("badRequest", "the body is too large") });
  const [body, piece] = [limit(MAX_BODY_BYTES), limit(RELEASE_PIECE_BYTES)];
  const app = new Hono<DeskEnv>()
    .use(securityHeaders)
    .use(loopbackNamesOnly)
    .use((c, next) => (c.req.method === "PUT" && c.req.path.startsWith("/api/releases/") ? piece : body)(c, next))
    // Boxes that are being paired are no browsers: no cookie, no Origin.
    .route("/", fleet.pairing.routes)
    // For the installer's look at a hub that it has just started: on the machine itself, and no data in it.
    .get("/api/health", async (c, next) => {
      if (c.env.side !== "loopback") return next();
      await parts.db.selectFrom("counter").select("name").limit(1).execute();
      return c.json<HealthView>({ version: parts.version });
    })
    .use(ownOriginOnly)
    // Pages and JSON; pictures, fonts, segments and event streams are passed over by their types.
    .use(compress())
    .route(
      "/",
      createApi({
        ...{ accounts, reception, tests, wall, fleet, archive, carried, hubCopy, stages, releases },
        provisioning: parts.provisioning,
      }),
    )
    .route("/", createMedia({ clock, log, accounts, events, live, stages, archive }))
    .get("*", async (c, next) => {
      if (/^\/(api|live|hls|pairing)(\/|$)/.test(c.req.path)) return next();
      return (await sendPage(c, parts.ui)) ?? next();
    });
  app.notFound((c) => c.json<ErrorView>({ code: "notFound", detail: "there is nothing here" }, 404));
  app.onError((error, c) => {
    if (error instanceof HttpRefusal) {
      if (error.retryAfterS !== undefined) c.header("retry-after", String(error.retryAfterS));
      return c.json<ErrorView>(error.view(), error.status);
    }
    if (error instanceof HTTPException && error.status < 500)
      return c.json<ErrorView>({ code: "badRequest", detail: error.message }, 400);
    const id = makeId("take", randomId()).slice("take-".length);
    log.error("http.failed", { id, method: c.req.method, path: c.req.path, cause: causeOf(error) });
    return c.json<ErrorView>({ code: "internal", detail: `an unexpected fault; the hub's log has it as ${id}` }, 500);
  });

  // Viewers send nothing; tags are compressed already.
  const webSockets = new WebSocketServer({ noServer: true, maxPayload: 1_024, perMessageDeflate: false });
  const common = (side: Side) => ({
    // The adapter keeps its own marks on env, so it is added to and not copied.
    fetch: (request: Request, env: object) => app.fetch(request, Object.assign(env, { side })),
    websocket: { server: webSockets },
    overrideGlobalObjects: false,
  });
  return {
    loopbackServer: () => createAdaptorServer({ ...common("loopback"), createServer: createHttpServer }) as HttpServer,
    tlsServer({ keyPem, certificatePem }) {
      const server = createAdaptorServer({
        ...common("tls"),
        createServer: createSecureServer,
        serverOptions: { key: keyPem, cert: certificatePem, allowHTTP1: true, minVersion: "TLSv1.2" },
      }) as Http2SecureServer;
      server.setTimeout(IDLE_MS);
      // Node watches over slow request heads only from this event on, and a server that never listens never has it.
      server.emit("listening");
      return server;
    },
    roomsChanged: () => events.roomsChanged(),
    sessionChanged(session) {
      wall.sessionsChanged();
      events.sessionChanged(session);
    },
    levels: (levels) => events.levels(levels),
    stageChanged: (session) => events.stageChanged(session),
    recordingChanged(session) {
      wall.recordingsChanged();
      events.recordingChanged(session);
    },
    waitingBoxesChanged: () => events.waitingBoxesChanged(),
    hubDiskChanged: () => events.hubDiskChanged(),
    async close() {
      events.close();
      const gone = [...webSockets.clients].map((socket) => new Promise((resolve) => socket.once("close", resolve)));
      for (const socket of webSockets.clients) socket.close(1001, "the hub is stopping");
      await Promise.race([Promise.all(gone), clock.sleep(GOODBYE_MS)]);
      for (const socket of webSockets.clients) socket.terminate();
    },
  };
}

function refusePlainly(code: ErrorView["code"], detail: string): never {
  throw new HttpRefusal(code, detail);
}
