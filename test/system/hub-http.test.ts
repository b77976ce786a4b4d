import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:http2";
import { dirname, join } from "node:path";
import { WebSocket } from "ws";
import { openDatabase } from "../../src/hub/database/database.ts";
import type { RoomView } from "../../src/hub/http/views.ts";
import { archiveTakePath, makeId, type PointId } from "../../src/protocol/protocol.ts";
import { randomId } from "../../src/platform/platform.ts";
import { DeskCaller } from "../support/desk-caller.ts";
import { findOneTimePassword, makeHubFolder, type HubFolder, type RunningHub } from "../support/hub-process.ts";

const PASSWORD = "một mật khẩu rất dài";
const NOTHING = "aaaaaaaaaaaaaaaa";
const LARGE = `export default ${JSON.stringify("điểm cầu ".repeat(2_000))};`;

let folder: HubFolder;
let hub: RunningHub;
let desk: DeskCaller;
const points: PointId[] = [];

beforeAll(async () => {
  folder = await makeHubFolder();
  await mkdir(join(folder.uiDirectory, "assets"), { recursive: true });
  await writeFile(join(folder.uiDirectory, "index.html"), "<!doctype html><title>Điểm Cầu</title>");
  await writeFile(join(folder.uiDirectory, "assets/app-1a2b3c.js"), "export {};");
  await writeFile(join(folder.uiDirectory, "assets/large-4d5e6f.js"), LARGE);
  await writeFile(join(folder.uiDirectory, ".secret"), "secret");
  hub = await folder.start();
  desk = new DeskCaller(hub.url);
  // Points come into being when boxes are paired; that has tests of its own.
  const db = await openDatabase(join(folder.dataDirectory, "hub.db"));
  for (const name of ["Trung tâm", "Sở A", "Xã B"]) {
    const id = makeId("point", randomId());
    points.push(id);
    await db.insertInto("bridgePoint").values({ id, name, createdAt: new Date().toISOString() }).execute();
  }
  await db.destroy();
});
afterAll(() => folder[Symbol.asyncDispose]());

const create = async (name: string, ...ids: PointId[]) =>
  desk.post("/api/sessions", { name, points: ids.map((id, i) => ({ id, role: i === 0 ? "central" : "delegate" })) });

/** Reads a stream of events until one of that name about that thing comes. */
async function eventOf(reader: ReadableStreamDefaultReader<Uint8Array>, name: string, about = ""): Promise<string> {
  let text = "";
  for (;;) {
    const found = [...text.matchAll(/event: (\w+)\ndata: (.*)\n\n/g)].find(
      ([, event, data]) => event === name && data!.includes(about),
    );
    if (found) return found[2]!;
    const { value, done } = await reader.read();
    if (done) throw new Error(`the stream ended before ${name}`);
    text += new TextDecoder().decode(value);
  }
}

describe("signing in", () => {
  test("without a cookie every path but sign-in, pairing and pages is refused, those that do not exist too", async () => {
    const session = `session-${NOTHING}`;
    const room = `${session}/point-${NOTHING}`;
    const gets = [
      "/api/me",
      "/api/events",
      "/api/rooms",
      "/api/points",
      "/api/stick",
      "/api/sessions",
      `/api/sessions/${session}`,
      "/api/recordings",
      `/api/recordings/${session}`,
      `/api/recordings/${session}/overview`,
      `/api/recordings/${room}`,
      `/api/recordings/${room}/index.m3u8`,
      `/api/recordings/${room}/take-${NOTHING}/000000.ts`,
      `/live/box-${NOTHING}/video`,
      `/hls/box-${NOTHING}/index.m3u8`,
      "/api/nothing",
    ];
    const posts = [
      "/api/sign-out",
      "/api/password",
      "/api/pairing",
      "/api/stick",
      `/api/boxes/box-${NOTHING}/revoke`,
      `/api/boxes/box-${NOTHING}/reset`,
      `/api/boxes/box-${NOTHING}/reset-stick`,
      "/api/sessions",
      `/api/sessions/${session}/start`,
    ];
    const stranger = new DeskCaller(hub.url);
    for (const path of gets) expect([path, (await stranger.get(path)).status]).toEqual([path, 401]);
    for (const path of posts) expect([path, (await stranger.post(path, {})).status]).toEqual([path, 401]);
    for (const cookie of ["diemcau=x", `diemcau=${"A".repeat(43)}`, "__Host-diemcau=x", "diemcau="])
      expect((await stranger.get("/api/me", { headers: { cookie } })).code).toBe("notSignedIn");
  });

  test("a request from another origin, or from none, is refused before anything is looked at", async () => {
    const body = { login: "admin", password: hub.oneTimePassword() };
    for (const origin of ["http://evil.example", "null", hub.url.replace("http:", "https:"), "http://127.0.0.1:1"])
      expect((await desk.post("/api/sign-in", body, { headers: { origin } })).status).toBe(403);
    const none = await desk.post("/api/sign-in", body, { bare: true });
    expect(none.status).toBe(403);
    expect(none.headers["set-cookie"]).toBeUndefined();
  });

  test("the one-time password opens nothing but its own change, and then works no more", async () => {
    const oneTime = hub.oneTimePassword()!;
    const signedIn = await desk.post("/api/sign-in", { login: "admin", password: oneTime });
    expect(signedIn.user()).toMatchObject({ login: "admin", mustChangePassword: true });
    expect(signedIn.headers["set-cookie"]![0]).toMatch(
      /^diemcau=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    const first = desk.cookie;
    for (const path of ["/api/rooms", "/api/events", "/api/recordings", `/hls/box-${NOTHING}/index.m3u8`])
      expect((await desk.get(path)).code).toBe("mustChangePassword");
    expect((await desk.get("/api/me")).status).toBe(200);
    expect((await desk.post("/api/password", { current: oneTime, next: "short" })).code).toBe("weakPassword");
    const changed = await desk.post("/api/password", { current: oneTime, next: PASSWORD });
    expect(changed.user().mustChangePassword).toBe(false);
    expect((await desk.get("/api/rooms")).status).toBe(200);
    expect((await desk.get("/api/me", { headers: { cookie: first } })).code).toBe("notSignedIn");
    expect(
      (await desk.post("/api/sign-in", { login: "admin", password: oneTime }, { headers: { cookie: "" } })).code,
    ).toBe("wrongCredentials");
  });

  test("who signs out is out", async () => {
    const other = new DeskCaller(hub.url);
    await other.post("/api/sign-in", { login: "ADMIN", password: PASSWORD });
    const { cookie } = other;
    expect((await other.get("/api/me")).status).toBe(200);
    const out = await other.post("/api/sign-out");
    expect(out.headers["set-cookie"]![0]).toContain("Max-Age=0");
    expect((await other.get("/api/me", { headers: { cookie } })).status).toBe(401);
    expect((await desk.get("/api/me")).status).toBe(200);
  });
});

describe("what is sent", () => {
  test.each([
    ["not JSON", "{"],
    ["an unknown key", { name: "x", points: [], extra: 1 }],
    ["no name", { points: [] }],
    ["a name of two lines", { name: "a\nb", points: [] }],
    ["points of another kind", { name: "x", points: ["point"] }],
    ["an id that is none", { name: "x", points: [{ id: "point-1", role: "central" }] }],
    ["a time that is none", { name: "x", scheduledAt: "tomorrow", points: [] }],
    ["a body of 70 kB", { name: "x".repeat(70_000), points: [] }],
  ])("%s is refused as a bad request", async (_, body) => {
    const answer = await desk.post("/api/sessions", body);
    expect(answer).toMatchObject({ status: 400, code: "badRequest" });
  });

  test("JSON that says it is a form is refused", async () => {
    const answer = await desk.call("POST", "/api/sessions", {
      body: JSON.stringify({ name: "x", points: [{ id: points[0], role: "central" }] }),
      headers: { "content-type": "text/plain" },
    });
    expect(answer.code).toBe("badRequest");
  });

  test("ids and paths that name nothing are not found", async () => {
    for (const path of [
      "/api/nothing",
      "/api/sessions/x",
      `/api/sessions/session-${NOTHING}`,
      `/api/recordings/session-${NOTHING}/point-${NOTHING}/take-${NOTHING}/..%2f..%2fhub.db`,
      `/hls/box-${NOTHING}/..%2f..%2fhub.db`,
    ])
      expect([path, (await desk.get(path)).code]).toEqual([path, "notFound"]);
    expect((await desk.post(`/api/sessions/session-${NOTHING}/start`)).code).toBe("notFound");
    expect((await desk.post(`/api/boxes/box-${NOTHING}/revoke`)).code).toBe("notFound");
  });

  test("a wrong pairing code is refused", async () => {
    const answer = await desk.post("/api/pairing", { code: "BCDF-GHJK", pointName: "Xã C" });
    expect(answer).toMatchObject({ status: 400, code: "wrongPairingCode" });
  });
});

test("a session's life: made, started, paused, resumed, ended, and what does not fit refused", async () => {
  const session = (await create("Buổi tiếp 1", points[0]!, points[1]!)).session();
  const act = (name: string) => desk.post(`/api/sessions/${session.id}/${name}`);
  expect(session).toMatchObject({ state: "draft", scheduledAt: null, startedAt: null });
  expect((await act("pause")).code).toBe("wrongState");
  expect((await act("start")).session().state).toBe("live");
  expect((await act("start")).status).toBe(200);
  const rooms = (await desk.get("/api/rooms")).rooms();
  expect(rooms.find((room) => room.point.id === points[1])?.session).toMatchObject({
    id: session.id,
    role: "delegate",
  });
  expect(rooms.find((room) => room.point.id === points[2])?.session).toBeNull();
  const other = (await create("Buổi tiếp 2", points[1]!)).session();
  const busy = await desk.post(`/api/sessions/${other.id}/start`);
  expect(busy).toMatchObject({ status: 409, code: "roomBusy" });
  expect(busy.text).toContain("Sở A");
  expect((await act("pause")).session().state).toBe("paused");
  expect((await act("resume")).session().state).toBe("live");
  const ended = (await act("end")).session();
  expect(ended.state).toBe("ended");
  expect(ended.events.filter((event) => event.actor !== null).map((event) => event.kind)).toEqual([
    "created",
    "started",
    "paused",
    "resumed",
    "ended",
  ]);
  // No box is paired to these points, so both were missing from the start.
  const lost = ended.events.filter((event) => event.kind === "roomLost").map((event) => event.point?.name);
  expect(new Set(lost)).toEqual(new Set(["Sở A", "Trung tâm"]));
  expect(lost).toHaveLength(2);
  expect((await act("resume")).code).toBe("wrongState");
  const all = (await desk.get("/api/sessions")).sessions();
  expect(all.map((each) => each.name)).toEqual(["Buổi tiếp 2", "Buổi tiếp 1"]);
  expect((await create("no rooms")).code).toBe("noRooms");
});

test("another meeting system is given by an https address without a password in it", async () => {
  const ask = (companion: unknown) =>
    desk.post("/api/sessions", { name: "Họp", points: [{ id: points[0], role: "central" }], companion });
  const companion = { url: "https://hop.vn/phong/1?ma=2", name: "Hội nghị" };
  expect((await ask(companion)).session().companion).toEqual(companion);
  expect((await ask(null)).session().companion).toBeNull();
  for (const url of ["http://hop.vn/", "https://", "https://ai:bimat@hop.vn/", "file:///etc/passwd", "javascript:1"])
    expect([url, (await ask({ ...companion, url })).code]).toEqual([url, "badRequest"]);
  expect((await ask({ ...companion, name: " " })).code).toBe("badRequest");
  expect((await ask({ ...companion, password: "x" })).code).toBe("badRequest");
});

test("events begin with a snapshot and tell of a session that somebody else makes", async () => {
  const response = await fetch(`${hub.url}/api/events`, { headers: { cookie: desk.cookie } });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const reader = response.body!.getReader();
  const snapshot = JSON.parse(await eventOf(reader, "snapshot")) as { rooms: RoomView[]; waitingBoxes: number };
  expect(snapshot.rooms).toHaveLength(3);
  expect(snapshot.waitingBoxes).toBe(0);
  const made = (await create("Buổi tiếp 3", points[2]!)).session();
  expect(JSON.parse(await eventOf(reader, "session", made.id))).toMatchObject({ id: made.id, state: "draft" });
  await desk.post(`/api/sessions/${made.id}/start`);
  expect(JSON.parse(await eventOf(reader, "room", made.id))).toMatchObject({ session: { id: made.id, state: "live" } });
  await desk.post(`/api/sessions/${made.id}/end`);
  await reader.cancel();
});

describe("live sockets", () => {
  const path = `/live/box-${NOTHING}/video`;
  const refused = async (headers: Record<string, string>, at = path): Promise<number> => {
    const socket = new WebSocket(`${hub.url.replace("http", "ws")}${at}`, { headers });
    const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
    socket.on("error", () => {});
    socket.terminate();
    return response.statusCode;
  };

  test("need the cookie and the hub's own origin", async () => {
    expect(await refused({ origin: hub.url })).toBe(401);
    expect(await refused({ cookie: desk.cookie })).toBe(403);
    expect(await refused({ cookie: desk.cookie, origin: "http://evil.example" })).toBe(403);
    expect(await refused({ cookie: desk.cookie, origin: hub.url }, `/live/box-${NOTHING}/both`)).toBe(404);
    expect(await refused({ cookie: desk.cookie, origin: hub.url }, "/live/x/video")).toBe(404);
    expect(await refused({ cookie: desk.cookie, origin: hub.url }, "/api/rooms")).not.toBe(101);
  });

  test("stay open while nothing is published", async () => {
    const socket = new WebSocket(`${hub.url.replace("http", "ws")}${path}`, {
      headers: { cookie: desk.cookie, origin: hub.url },
    });
    await once(socket, "open");
    socket.ping();
    await once(socket, "pong");
    expect(socket.readyState).toBe(WebSocket.OPEN);
    socket.terminate();
  });
});

describe("pages", () => {
  test("carry headers that keep other pages out", async () => {
    const { headers } = await desk.get("/", { bare: true });
    expect(headers["content-security-policy"]).toContain("default-src 'self'");
    expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    expect(headers).toMatchObject({ "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });
    expect((await desk.get("/api/me")).headers["cache-control"]).toBe("no-store");
  });

  test("hashed assets are kept for ever, the page is asked for anew, and places in the desk get the page", async () => {
    const asset = await desk.get("/assets/app-1a2b3c.js", { bare: true });
    expect(asset.headers).toMatchObject({
      "cache-control": "public, max-age=31536000, immutable",
      "content-type": "text/javascript; charset=utf-8",
    });
    for (const path of ["/", "/rooms", "/sessions/session-x"]) {
      const page = await desk.get(path, { bare: true });
      expect([path, page.text, page.headers["cache-control"]]).toEqual([
        path,
        "<!doctype html><title>Điểm Cầu</title>",
        "no-cache",
      ]);
    }
    const again = await desk.get("/", { headers: { "if-none-match": (await desk.get("/")).headers.etag! } });
    expect(again.status).toBe(304);
  });

  test("text goes over the line compressed to whoever can read it so", async () => {
    const path = "/assets/large-4d5e6f.js";
    const packed = await desk.get(path, { bare: true, headers: { "accept-encoding": "gzip" } });
    expect(packed.headers["content-encoding"]).toBe("gzip");
    expect(packed.body.length).toBeLessThan(LARGE.length / 10);
    expect(gunzipSync(packed.body).toString("utf8")).toBe(LARGE);
    expect((await desk.get(path, { bare: true })).text).toBe(LARGE);
  });

  test("nothing outside the folder, hidden or missing is sent", async () => {
    for (const path of [
      "/.secret",
      "/../hub.json",
      "/..%2fhub.json",
      "/%2e%2e/hub.json",
      "/assets/nothing.js",
      "/a%00.js",
    ])
      expect([path, (await desk.get(path)).status]).toEqual([path, 404]);
  });
});

test("the loopback listener answers to its own names only", async () => {
  expect((await desk.get("/api/me", { headers: { host: "evil.example" } })).status).toBe(403);
  const port = new URL(hub.url).port;
  expect((await desk.get("/", { headers: { host: `localhost:${port}` } })).status).toBe(200);
});

test("a sealed segment is sent whole, in part and by name, and its playing back is noted once", async () => {
  const ids = {
    box: makeId("box", randomId()),
    session: makeId("session", randomId()),
    take: makeId("take", randomId()),
  };
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
  const db = await openDatabase(join(folder.dataDirectory, "hub.db"));
  const at = new Date().toISOString();
  // Any certificate will do: this box is out of force and never connects.
  const certificatePem = await readFile(join(folder.dataDirectory, "authority/ca.pem"), "utf8");
  await db
    .insertInto("box")
    .values({
      id: ids.box,
      pointId: points[0]!,
      serial: "f1",
      certificatePem,
      pairedAt: at,
      revokedAt: at,
      seenAt: null,
    })
    .execute();
  await db
    .insertInto("session")
    .values({
      id: ids.session,
      name: "Cũ",
      state: "ended",
      scheduledAt: null,
      createdAt: "2020",
      startedAt: at,
      endedAt: at,
    })
    .execute();
  await db
    .insertInto("take")
    .values({
      id: ids.take,
      boxId: ids.box,
      sessionId: ids.session,
      pointId: points[0]!,
      nextN: 2,
      tipHash: "",
      nextSeq: 1,
      ended: 1,
      startedAt: at,
    })
    .execute();
  await db
    .insertInto("segment")
    .values({
      takeId: ids.take,
      seq: 0,
      n: 1,
      sessionId: ids.session,
      pointId: points[0]!,
      boxId: ids.box,
      sizeBytes: bytes.length,
      sha256: "",
      frames: 250,
      streamStartMs: 0,
      streamEndMs: 10_000,
      startedAt: at,
      hubState: "verified",
      hubReceipt: null,
      hubReceiptSignature: null,
      provinceState: "waiting",
      provinceReceipt: null,
      provinceReceiptSignature: null,
    })
    .execute();
  const file = join(folder.dataDirectory, "archive", ids.session, archiveTakePath(points[0]!, ids.take), "000000.ts");
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, bytes);

  const path = `/api/recordings/${ids.session}/${points[0]}/${ids.take}/000000.ts`;
  const whole = await desk.get(path);
  expect(whole.body.equals(bytes)).toBe(true);
  expect(whole.headers).toMatchObject({
    "content-type": "video/mp2t",
    "accept-ranges": "bytes",
    "cache-control": "private, max-age=31536000, immutable",
  });
  const part = await desk.get(path, { headers: { range: "bytes=1000-200999" } });
  expect([part.status, part.headers["content-range"]]).toEqual([206, `bytes 1000-200999/${bytes.length}`]);
  expect(part.body.equals(bytes.subarray(1_000, 201_000))).toBe(true);
  expect((await desk.get(path, { headers: { range: "bytes=300000-" } })).status).toBe(416);
  const head = await desk.call("HEAD", path);
  expect([head.status, head.headers["content-length"], head.body.length]).toEqual([200, String(bytes.length), 0]);
  expect((await desk.get(path.replace("000000", "000001"))).code).toBe("notFound");
  const audit = await db.selectFrom("auditEntry").selectAll().where("act", "=", "playedBack").execute();
  expect(audit).toMatchObject([{ actor: "Quản trị viên", detail: ids.session }]);
  await db.destroy();
});

test("the TLS side has its own cookie, marked Secure, and speaks HTTP/2 to browsers", async () => {
  const ca = await readFile(join(folder.dataDirectory, "authority/ca.pem"), "utf8");
  const tls = new DeskCaller(`https://localhost:${hub.tlsPort}`, ca);
  expect((await tls.get("/api/me", { headers: { cookie: desk.cookie } })).code).toBe("notSignedIn");
  const signedIn = await tls.post("/api/sign-in", { login: "admin", password: PASSWORD });
  expect(signedIn.headers["set-cookie"]![0]).toMatch(/^__Host-diemcau=.*; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
  expect((await tls.post("/api/sign-out", undefined, { headers: { origin: hub.url } })).status).toBe(403);
  const socket = new WebSocket(`wss://localhost:${hub.tlsPort}/live/box-${NOTHING}/audio`, {
    ca,
    headers: { cookie: tls.cookie, origin: tls.base },
  });
  await once(socket, "open");
  socket.close();

  const h2 = connect(tls.base, { ca });
  const stream = h2.request({ ":path": "/api/events", cookie: tls.cookie });
  let text = "";
  stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await once(stream, "data");
  expect(text).toMatch(/^event: snapshot\n/);
  const second = h2.request({ ":path": "/api/me", cookie: tls.cookie });
  const [headers] = (await once(second, "response")) as [{ ":status": number }];
  expect(headers[":status"]).toBe(200);
  h2.destroy();
});

test("a viewer whose user signed out is shut out soon, and others stay", async () => {
  const leaver = new DeskCaller(hub.url);
  await leaver.post("/api/sign-in", { login: "admin", password: PASSWORD });
  const [left, stays] = [leaver, desk].map(
    ({ cookie }) =>
      new WebSocket(`${hub.url.replace("http", "ws")}/live/box-${NOTHING}/video`, {
        headers: { cookie, origin: hub.url },
      }),
  ) as [WebSocket, WebSocket];
  const closed = once(left, "close");
  await Promise.all([once(left, "open"), once(stays, "open")]);
  await leaver.post("/api/sign-out");
  expect(((await closed) as [number])[0]).toBe(1008);
  expect(stays.readyState).toBe(WebSocket.OPEN);
  stays.terminate();
});

describe("a hub that ends and comes back", () => {
  test("tells its viewers and readers, ends at once, and knows its users and sessions afterwards", async () => {
    const live = (await create("Buổi tiếp dài", points[2]!)).session();
    await desk.post(`/api/sessions/${live.id}/start`);
    const socket = new WebSocket(`${hub.url.replace("http", "ws")}/live/box-${NOTHING}/video`, {
      headers: { cookie: desk.cookie, origin: hub.url },
    });
    await once(socket, "open");
    const closed = once(socket, "close");
    const events = await fetch(`${hub.url}/api/events`, { headers: { cookie: desk.cookie } });
    const reader = events.body!.getReader();
    await eventOf(reader, "snapshot");
    const exit = await hub.end("SIGTERM");
    expect(exit).toMatchObject({ code: 0, signal: null });
    expect(exit.afterMs).toBeLessThan(5_000);
    expect([1001, 1012]).toContain(((await closed) as [number])[0]);
    await expect(eventOf(reader, "never")).rejects.toThrow("ended");

    hub = await folder.start();
    expect(hub.oneTimePassword()).toBeUndefined();
    const again = new DeskCaller(hub.url);
    again.cookie = desk.cookie;
    expect((await again.get(`/api/sessions/${live.id}`)).session().state).toBe("live");

    const paused = again.post(`/api/sessions/${live.id}/pause`);
    expect((await paused).status).toBe(200);
    await hub.end("SIGKILL");
    hub = await folder.start();
    desk = new DeskCaller(hub.url);
    desk.cookie = again.cookie;
    expect((await desk.get(`/api/sessions/${live.id}`)).session().state).toBe("paused");
  });

  test("is alone in its folder", async () => {
    const { code, output } = await folder.run();
    expect(code).toBe(1);
    expect(output).toContain(`another hub runs in this folder (process ${hub.pid})`);
    expect((await desk.get("/api/me")).status).toBe(200);
  });

  test("gives the administrator a new one-time password while it runs, and ends the old sign-ins", async () => {
    const { code, output } = await folder.run("--reset-administrator");
    expect(code).toBe(0);
    expect((await desk.get("/api/me")).code).toBe("notSignedIn");
    await desk.settle(findOneTimePassword(output)!, `${PASSWORD} mới`);
    expect((await desk.get("/api/rooms")).status).toBe(200);
  });
});

describe("people", () => {
  interface Given {
    account: { id: string };
    password: string;
  }
  const given = async (login: string, role: string): Promise<Given & { caller: DeskCaller }> => {
    const made = await desk.post("/api/users", { login, name: `Người ${login}`, role });
    expect(made.status).toBe(200);
    const { account, password } = JSON.parse(made.text) as Given;
    const caller = new DeskCaller(hub.url);
    expect((await caller.post("/api/sign-in", { login, password })).user().mustChangePassword).toBe(true);
    expect((await caller.get("/api/rooms")).code).toBe("mustChangePassword");
    await caller.post("/api/password", { current: password, next: PASSWORD });
    return { account, password, caller };
  };

  test("who only looks sees everything, and whatever would change something is refused", async () => {
    const { caller, account } = await given("thanhtra", "observer");
    for (const path of ["/api/rooms", "/api/sessions", "/api/recordings", "/api/points"])
      expect([path, (await caller.get(path)).status]).toEqual([path, 200]);
    for (const path of [
      "/api/users",
      "/api/releases",
      "/api/stick",
      `/api/copies/session-${NOTHING}/file`,
      "/api/carried",
    ])
      expect([path, (await caller.get(path)).code]).toEqual([path, "notAllowed"]);
    for (const path of ["/api/sessions", `/api/sessions/session-${NOTHING}/start`, "/api/pairing", "/api/users"])
      expect([path, (await caller.post(path, {})).code]).toEqual([path, "notAllowed"]);
    // As an operator from the next request on, and what boxes and people are is still not theirs.
    await desk.post(`/api/users/${account.id}`, { role: "operator" });
    expect((await caller.post("/api/sessions", {})).code).toBe("badRequest");
    expect((await caller.post("/api/pairing", {})).code).toBe("notAllowed");
    expect((await caller.post(`/api/users/${account.id}`, { role: "administrator" })).code).toBe("notAllowed");
  });

  test("what each does bears their own name, and a closed account is out at once", async () => {
    const { caller, account } = await given("hoa.lt", "operator");
    const body = { name: "Của Hoa", points: [{ id: points[0], role: "central" }] };
    const { events, id } = (await caller.post("/api/sessions", body)).session();
    expect(events.map(({ actor }) => actor)).toEqual(["Người hoa.lt"]);
    expect((await desk.post(`/api/users/${account.id}`, { closed: true })).status).toBe(200);
    expect((await caller.get("/api/me")).code).toBe("notSignedIn");
    expect((await desk.get(`/api/sessions/${id}`)).session().events[0]!.actor).toBe("Người hoa.lt");
  });

  test("logins that are taken or cannot be typed, and the last administrator, are refused", async () => {
    expect((await desk.post("/api/users", { login: "ADMIN", name: "Hai", role: "observer" })).code).toBe("loginTaken");
    for (const login of ["nguyệt", "a", "hai tên", ".x"])
      expect([login, (await desk.post("/api/users", { login, name: "Hai", role: "observer" })).code]).toEqual([
        login,
        "badRequest",
      ]);
    const { id } = (await desk.get("/api/me")).user();
    expect((await desk.post(`/api/users/${id}`, { closed: true })).code).toBe("lastAdministrator");
    expect((await desk.post(`/api/users/${id}`, { role: "operator" })).code).toBe("lastAdministrator");
    expect((await desk.post("/api/users/nobody/password")).code).toBe("notFound");
  });
});

test("five wrong passwords close the door, to the right one too, and say for how long", async () => {
  const login = { login: "admin", password: "wrong" };
  const stranger = new DeskCaller(hub.url);
  for (let i = 0; i < 5; i++) expect((await stranger.post("/api/sign-in", login)).code).toBe("wrongCredentials");
  const closed = await stranger.post("/api/sign-in", { login: "admin", password: `${PASSWORD} mới` });
  expect(closed).toMatchObject({ status: 429, code: "tooManyTries" });
  expect(Number(closed.headers["retry-after"])).toBeGreaterThan(800);
  expect((await desk.get("/api/me")).status).toBe(200);
});

test("a desk that was not built says so in plain words", async () => {
  await using other = await makeHubFolder();
  const { url } = await other.start();
  const page = await new DeskCaller(url).get("/");
  expect(page.status).toBe(503);
  expect(page.text).toContain("npm run build");
});

test("a configuration that does not fit stops the start with file, key and page", async () => {
  await using other = await makeHubFolder({ loopback: { port: "8080" } });
  const { code, output } = await other.run();
  expect(code).toBe(2);
  expect(output).toMatch(/hub\.json: loopback\.port: .*docs\/ref\/hub-config\.md/);
  expect((await other.run("--nonsense")).output).toContain("usage:");
});
