import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttpsServer } from "node:https";
import type { Duplex } from "node:stream";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import {
  CLOSE_NOT_ON_STAGE,
  type BoxId,
  type HubAssignment,
  type HubMessage,
  type PointId,
  type SessionId,
} from "../../src/protocol/protocol.ts";
import { createLog, makeDirectory, systemClock, type Clock } from "../../src/platform/platform.ts";
import { createAlarms } from "../../src/hub/alarms/alarms.ts";
import { createArchive } from "../../src/hub/archive/archive.ts";
import { openDatabase, type HubDatabase } from "../../src/hub/database/database.ts";
import { createFleet, openAuthority, type Authority, type Fleet } from "../../src/hub/fleet/fleet.ts";
import { createReception, type Reception } from "../../src/hub/reception/reception.ts";
import { createGateway } from "../../src/hub/gateway/gateway.ts";

/** The hub's own gateway, fleet and archive on a loopback port, without the desk: what a box's uplink talks to. */
export interface UplinkHub extends AsyncDisposable {
  readonly port: number;
  readonly db: HubDatabase;
  readonly fleet: Fleet;
  readonly reception: Reception;
  readonly authority: Authority;
  readonly inbox: string;
  readonly rtmp: { box: BoxId; socket: Duplex }[];
  readonly logged: { event: string; [field: string]: unknown }[];
  /** May be changed at any time. */
  readonly limits: { keepFreeBytes: number; inboxBytesPerBox: number };
  /** What the next question for a box's sessions is answered. */
  assignment: Pick<HubAssignment, "revision" | "sessions">;
  newSession(id: SessionId, point: PointId): Promise<void>;
  /** Says something to a box that the archive would not say. */
  say(box: BoxId, message: HubMessage): void;
}

interface UplinkHubOptions {
  port?: number;
  clock?: Clock;
  /** Instead of a temporary one; it is not removed. */
  directory?: string;
  /** "reception": the sessions are those of the database, not those that the test says. */
  schedule?: "reception";
}

export async function startUplinkHub(options: UplinkHubOptions = {}): Promise<UplinkHub> {
  const { clock = systemClock } = options;
  const resources = new AsyncDisposableStack();
  const root = options.directory ?? (await mkdtemp(join(tmpdir(), "diemcau-uplink-hub-")));
  await makeDirectory(root);
  if (options.directory === undefined) resources.defer(() => rm(root, { recursive: true, force: true }));
  const folder = (name: string) => join(root, name);
  const logged: UplinkHub["logged"] = [];
  const log = createLog(clock, (line) => logged.push(JSON.parse(line)), "debug");
  const db = await openDatabase(folder("hub.db"));
  resources.defer(() => db.destroy());
  const limits: UplinkHub["limits"] = { keepFreeBytes: 0, inboxBytesPerBox: 8e9 };
  const authority = await openAuthority({ directory: folder("authority"), browserNames: ["localhost"], clock, log });
  const archive = createArchive({
    db,
    log,
    clock,
    directories: {
      inbox: folder("inbox"),
      archive: folder("archive"),
      quarantine: folder("quarantine"),
      filled: folder("filled"),
    },
    signer: authority.signer,
    trust: { caPem: authority.caPem, receiptKeyPem: authority.receiptKeyPem },
    boxKey: (box) => fleet.boxKey(box),
    send: (box, message) => void fleet.send(box, message),
    limits,
    rereadEveryMs: 1e12,
  });
  const reception = createReception({ db, clock, log });
  const hub = { assignment: { revision: 1, sessions: [] } as UplinkHub["assignment"] };
  const fleet = await createFleet({
    db,
    clock,
    log,
    authority,
    records: archive.records,
    alarms: createAlarms({ db, clock, log }),
    stage: { connected() {}, hand() {}, level() {} },
    releases: { connected() {}, note: () => Promise.resolve() },
    assignments: {
      adopt: (box, message) => reception.adopt(box, message),
      async forBox(box) {
        if (options.schedule === "reception") return reception.forBox(box);
        const { id, name } = await db
          .selectFrom("bridgePoint")
          .selectAll()
          .where("id", "=", fleet.pointOf(box)!)
          .executeTakeFirstOrThrow();
        return { type: "assignment", ...hub.assignment, point: { id, name } };
      },
    },
  });
  const { keyPem, certificatePem } = authority.browser;
  const web = createHttpsServer({ key: keyPem, cert: certificatePem });
  const answer = getRequestListener(fleet.pairing.routes.fetch);
  web.on("request", (request, response) => void answer(request, response));
  const rtmp: UplinkHub["rtmp"] = [];
  const gateway = await createGateway({
    log,
    clock,
    caPem: authority.caPem,
    identity: authority.edge,
    authorize: (certificate) => fleet.authorize(certificate),
    handlers: {
      rtmp: (socket, box) => void rtmp.push({ socket, box }),
      control: (ws, box) => fleet.attach(ws, box),
      live: (ws) => ws.close(CLOSE_NOT_ON_STAGE),
      release: (_request, response) => response.writeHead(404).end(),
      rsyncArriving: (box) => archive.inboxChanged(box),
      rsyncDone: (box) => archive.inboxChanged(box),
      admitFiles: (box) => archive.admit(box),
    },
    webListener: web,
    directory: folder("run"),
    inboxDirectory: folder("inbox"),
  });
  fleet.onRevoked((box) => gateway.dropBox(box));
  reception.onChange(() => fleet.broadcastAssignments());
  const stop = new AbortController();
  const running = archive.run(stop.signal);
  resources.defer(async () => {
    stop.abort(new Error("stopped"));
    await running;
  });
  resources.defer(async () => {
    await fleet.close();
    await gateway.close();
  });
  const { port } = await gateway.listen("127.0.0.1", options.port ?? 0);
  return Object.assign(hub, {
    reception,
    limits,
    port,
    db,
    fleet,
    authority,
    inbox: folder("inbox"),
    rtmp,
    logged,
    async newSession(id: SessionId, point: PointId) {
      const at = new Date(clock.wallMs()).toISOString();
      await db
        .insertInto("session")
        .values({ id, name: "Thử", state: "live", scheduledAt: null, createdAt: at, startedAt: at, endedAt: null })
        .execute();
      await db.insertInto("sessionPoint").values({ sessionId: id, pointId: point, role: "delegate" }).execute();
    },
    say: (box: BoxId, message: HubMessage) => {
      if (!fleet.send(box, message)) throw new Error(`${box} is away`);
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  });
}
