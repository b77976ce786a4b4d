import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createSecureServer, type Http2SecureServer } from "node:http2";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import type { Duplex } from "node:stream";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import {
  ALPN,
  boxProof,
  CLOSE_NOT_ON_STAGE,
  CONTROL_PATH,
  formatPairingCode,
  hubProof,
  HUB_TLS_NAME,
  pairingKey,
  PAIRING_CA_PATH,
  PAIRING_REQUEST_PATH,
  PairingAnswer,
  PairingCa,
  PairingTicket,
  type BoxId,
  type BoxRecords,
  type EdgeProtocol,
  type HubHave,
  type HubMessage,
  type PairingRequest,
  type PointId,
} from "../../src/protocol/protocol.ts";
import { createLog, pairingCrypto, runChecked, systemClock, type Clock } from "../../src/platform/platform.ts";
import { openDatabase, type HubDatabase } from "../../src/hub/database/database.ts";
import {
  createFleet,
  openAuthority,
  type AlarmsPort,
  type Authority,
  type Fleet,
  type RecordsPort,
} from "../../src/hub/fleet/fleet.ts";
import { createGateway, type Gateway } from "../../src/hub/gateway/gateway.ts";
import { until } from "./until.ts";

/** A log line as the hub writes it. */
export type Line = { level: string; event: string } & Record<string, unknown>;

/** The hub's front: authority, fleet and gateway on a real port; what lies behind only notes what reaches it. */
export interface HubDoor extends AsyncDisposable {
  readonly directory: string;
  readonly inboxDirectory: string;
  readonly port: number;
  readonly db: HubDatabase;
  readonly authority: Authority;
  readonly fleet: Fleet;
  readonly gateway: Gateway;
  readonly lines: Line[];
  readonly rsyncArriving: BoxId[];
  readonly rsyncDone: BoxId[];
  readonly rtmp: { box: BoxId; socket: Duplex }[];
  /** Waits for a line with these fields. */
  logged(event: string, fields?: Record<string, unknown>): Promise<Line>;
}

export interface DoorOptions {
  clock?: Clock;
  records?: Partial<RecordsPort>;
  alarms?: AlarmsPort;
}

export const ACTOR = "Quản trị";

export async function openHubDoor({ clock = systemClock, records = {}, alarms }: DoorOptions = {}): Promise<HubDoor> {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-door-"));
  const inboxDirectory = join(directory, "inbox");
  const lines: Line[] = [];
  // Each line gets its own instant, so that none is folded into "repeated" and every refusal can be asserted.
  let instant = 0;
  const log = createLog({ wallMs: () => clock.wallMs(), monotonicMs: () => (instant += 2_000) }, (line) =>
    lines.push(JSON.parse(line) as Line),
  );
  const db = await openDatabase(":memory:");
  const authority = await openAuthority({
    directory: join(directory, "authority"),
    browserNames: ["localhost", "127.0.0.1"],
    clock,
    log,
  });
  const fleet = await createFleet({
    db,
    clock,
    log,
    authority,
    alarms: alarms ?? { accept: () => Promise.resolve([]) },
    stage: { connected() {}, hand() {}, level() {} },
    releases: { connected() {}, note: () => Promise.resolve() },
    assignments: {
      forBox: (box) =>
        Promise.resolve({
          type: "assignment",
          revision: 1,
          point: { id: fleet.pointOf(box)!, name: "Xã A" },
          sessions: [],
        }),
      adopt: () => Promise.resolve({ type: "adopted", sessions: [] }),
    },
    records: {
      accept: (_box, { session, take, firstN, items }: BoxRecords): Promise<HubHave> =>
        Promise.resolve({ type: "have", session, take, nextN: firstN + items.length }),
      have: () => Promise.resolve([]),
      receipts: () => Promise.resolve([]),
      ...records,
    },
  });
  const app = new Hono().get("/hello", (c) => c.text("xin chào")).route("/", fleet.pairing.routes);
  const webListener = createAdaptorServer({
    fetch: app.fetch,
    createServer: createSecureServer,
    serverOptions: {
      key: authority.browser.keyPem,
      cert: authority.browser.certificatePem,
      allowHTTP1: true,
    },
  }) as Http2SecureServer;
  const rsyncArriving: BoxId[] = [];
  const rsyncDone: BoxId[] = [];
  const rtmp: { box: BoxId; socket: Duplex }[] = [];
  const gateway = await createGateway({
    log,
    clock,
    caPem: authority.caPem,
    identity: authority.edge,
    authorize: (certificate) => fleet.authorize(certificate),
    handlers: {
      rtmp(socket, box) {
        rtmp.push({ box, socket });
        socket.on("data", (chunk: Buffer) => socket.write(chunk));
      },
      control: (ws, box) => fleet.attach(ws, box),
      live: (ws) => ws.close(CLOSE_NOT_ON_STAGE),
      release: (_request, response) => response.writeHead(404).end(),
      rsyncArriving: (box) => rsyncArriving.push(box),
      rsyncDone: (box) => rsyncDone.push(box),
      admitFiles: async () => ({ ok: true }),
    },
    webListener,
    directory: join(directory, "gateway"),
    inboxDirectory,
  });
  fleet.onRevoked((box) => gateway.dropBox(box));
  const { port } = await gateway.listen("127.0.0.1", 0);
  const fits = (line: Line, event: string, fields: Record<string, unknown>) =>
    line.event === event && Object.entries(fields).every(([name, value]) => line[name] === value);
  return {
    directory,
    inboxDirectory,
    port,
    db,
    authority,
    fleet,
    gateway,
    lines,
    rsyncArriving,
    rsyncDone,
    rtmp,
    logged: (event, fields = {}) =>
      until(`${event} ${JSON.stringify(fields)} in ${JSON.stringify(lines.slice(-5))}`, () =>
        lines.find((line) => fits(line, event, fields)),
      ),
    async [Symbol.asyncDispose]() {
      await fleet.close();
      await gateway.close();
      await db.destroy();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** HTTPS as an unpaired box or a browser speaks it; trusts whatever answers, as an unpaired box must. */
export function ask(
  door: Pick<HubDoor, "port">,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
): Promise<{ status: number; json: unknown }> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
    const outgoing = request(
      {
        host: "127.0.0.1",
        port: door.port,
        method,
        path,
        agent: false,
        rejectUnauthorized: false,
        headers: payload === undefined ? {} : { "content-type": "application/json" },
      },
      (incoming) => {
        let text = "";
        incoming.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        incoming.on("end", () => {
          let json: unknown = text;
          try {
            json = JSON.parse(text);
          } catch {
            // Plain text is shown as it is.
          }
          resolve({ status: incoming.statusCode ?? 0, json });
        });
        incoming.on("error", reject);
      },
    );
    outgoing.on("error", reject);
    outgoing.end(payload);
  });
}

/** An unpaired box, straight after protocol/enrolment. */
export interface PairingBox {
  readonly code: string;
  readonly keyPem: string;
  readonly csrPem: string;
  readonly caPem: string;
  readonly request: PairingRequest;
  /** Posts the request; gives the ticket. */
  post(door: Pick<HubDoor, "port">): Promise<string>;
  /** What the box believes after it has checked an answer; "refused" with the reason otherwise. */
  judge(answer: PairingAnswer): { trusts: true; certificatePem: string } | { trusts: false; reason: string };
}

/** Key and request (PEM) made by the real openssl. */
export async function newRequest(algorithm: readonly string[] = ["EC", "ec_paramgen_curve:P-256"]) {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-csr-"));
  try {
    const [name, option] = algorithm;
    const genpkey = ["openssl", "genpkey", "-algorithm", name!, ...(option ? ["-pkeyopt", option] : [])];
    const keyPem = (await runChecked(genpkey)).stdout;
    await writeFile(join(directory, "key"), keyPem, { mode: 0o600 });
    const req = ["openssl", "req", "-new", "-key", join(directory, "key")];
    // A hostile box asks for more than a key: the hub must take none of it.
    const wishes = ["-subj", "/CN=hub.diemcau.internal", "-addext", "basicConstraints=critical,CA:true"];
    const csrPem = (await runChecked([...req, ...wishes])).stdout;
    return { keyPem, csrPem };
  } finally {
    await rm(directory, { recursive: true });
  }
}

export async function newPairingBox(caPem: string): Promise<PairingBox> {
  const { keyPem, csrPem } = await newRequest();
  const code = formatPairingCode([...randomBytes(8)].map((byte) => byte % 20));
  const salt = randomBytes(16);
  const key = pairingKey(pairingCrypto, code, salt);
  const request: PairingRequest = {
    csrPem,
    salt: salt.toString("base64"),
    proof: Buffer.from(boxProof(pairingCrypto, key, csrPem, caPem)).toString("base64"),
    agentVersion: "test",
    description: "thử nghiệm",
  };
  return {
    code,
    keyPem,
    csrPem,
    caPem,
    request,
    async post(door) {
      const answer = await ask(door, "POST", PAIRING_REQUEST_PATH, request);
      return PairingTicket.parse(answer.json).ticket;
    },
    judge(answer) {
      if (answer.state !== "accepted") return { trusts: false, reason: answer.state };
      const proof = hubProof(pairingCrypto, key, csrPem, caPem, answer.certificatePem);
      if (!pairingCrypto.equal(proof, Buffer.from(answer.proof, "base64")))
        return { trusts: false, reason: "the hub does not know the code" };
      const certificate = new X509Certificate(answer.certificatePem);
      if (!certificate.checkPrivateKey(createPrivateKey(keyPem)))
        return { trusts: false, reason: "not this box's key" };
      if (!certificate.verify(new X509Certificate(caPem).publicKey)) return { trusts: false, reason: "not by the CA" };
      return { trusts: true, certificatePem: answer.certificatePem };
    },
  };
}

export const fetchAnswer = async (door: Pick<HubDoor, "port">, ticket: string): Promise<PairingAnswer> =>
  PairingAnswer.parse((await ask(door, "GET", `${PAIRING_REQUEST_PATH}/${ticket}`)).json);

export const fetchCa = async (door: Pick<HubDoor, "port">): Promise<string> =>
  PairingCa.parse((await ask(door, "GET", PAIRING_CA_PATH)).json).caPem;

export interface PairedPeer {
  box: BoxId;
  point: PointId;
  keyPem: string;
  certificatePem: string;
  caPem: string;
}

/** Pairs a new box through the network, as a box and an administrator would. */
export async function pairBox(door: HubDoor, pointName: string, replace = false): Promise<PairedPeer> {
  const box = await newPairingBox(await fetchCa(door));
  const ticket = await box.post(door);
  const outcome = await door.fleet.pairing.typeCode(box.code, { pointName, replace }, ACTOR);
  if (!outcome.ok) throw new Error(`not paired: ${outcome.code} ${outcome.detail}`);
  const verdict = box.judge(await fetchAnswer(door, ticket));
  if (!verdict.trusts) throw new Error(verdict.reason);
  return {
    box: outcome.box,
    point: outcome.point.id,
    keyPem: box.keyPem,
    certificatePem: verdict.certificatePem,
    caPem: box.caPem,
  };
}

export const tlsOptions = (
  door: Pick<HubDoor, "port">,
  peer: Pick<PairedPeer, "caPem"> & Partial<PairedPeer>,
  protocol: string,
): ConnectionOptions => ({
  host: "127.0.0.1",
  port: door.port,
  servername: HUB_TLS_NAME,
  ca: peer.caPem,
  ALPNProtocols: [protocol],
  minVersion: "TLSv1.3",
  ...(peer.keyPem ? { key: peer.keyPem } : {}),
  ...(peer.certificatePem ? { cert: peer.certificatePem } : {}),
});

/** A connection of this box; rejects where the hub does not let the handshake end. */
export async function dial(door: Pick<HubDoor, "port">, peer: PairedPeer, protocol: EdgeProtocol): Promise<TLSSocket> {
  const socket = connect(tlsOptions(door, peer, ALPN[protocol]));
  await once(socket, "secureConnect");
  socket.on("error", () => {});
  return socket;
}

/** A control channel with the box's end in the test's hands. */
export interface ControlPeer {
  readonly ws: WebSocket;
  readonly received: HubMessage[];
  readonly closed: Promise<number>;
  say(message: unknown): void;
  got<T extends HubMessage["type"]>(type: T): Promise<Extract<HubMessage, { type: T }>>;
}

export async function openControlPeer(door: Pick<HubDoor, "port">, peer: PairedPeer): Promise<ControlPeer> {
  const socket = await dial(door, peer, "http");
  const ws = new WebSocket(`ws://${HUB_TLS_NAME}${CONTROL_PATH}`, { createConnection: () => socket });
  const received: HubMessage[] = [];
  ws.on("message", (data) => received.push(JSON.parse((data as Buffer).toString("utf8")) as HubMessage));
  ws.on("error", () => {});
  const closed = new Promise<number>((resolve) => ws.once("close", resolve));
  await once(ws, "open");
  return {
    ws,
    received,
    closed,
    say: (message) => ws.send(typeof message === "string" ? message : JSON.stringify(message)),
    got: async <T extends HubMessage["type"]>(type: T) =>
      (await until(`a ${type}`, () => received.find((message) => message.type === type))) as Extract<
        HubMessage,
        { type: T }
      >,
  };
}

/** Resolves when the peer's socket is gone. */
export const gone = (socket: Duplex): Promise<void> =>
  socket.destroyed ? Promise.resolve() : new Promise((resolve) => socket.once("close", () => resolve()));
