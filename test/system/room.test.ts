import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLog, systemClock } from "../../src/platform/platform.ts";
import { makeId, type SessionId } from "../../src/protocol/protocol.ts";
import type { LiveRequest } from "../../src/edge/uplink/uplink.ts";
import { openRoom, roomState, type Room, type RoomFacts } from "../../src/edge/room/room.ts";
import { until } from "../support/until.ts";

let directory: string;
let room: Room;
let facts: RoomFacts;
let acts: [string, SessionId | null][];
let asked: LiveRequest[];
let sounds: string[];

const jpeg = (id: number) => Buffer.from([0xff, 0xd8, id, id, id, 0xff, 0xd9]);
/** As ffmpeg does it: another file under the same name. */
async function picture(id: number): Promise<void> {
  await writeFile(join(directory, "next.jpg"), jpeg(id));
  await rename(join(directory, "next.jpg"), join(directory, "own.jpg"));
}

async function open(path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const request = get({ host: "127.0.0.1", port: room.port, path, headers, agent: false });
  request.on("error", () => {});
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.on("error", () => {});
  return response;
}

/** What has come so far, growing. */
function gather(response: IncomingMessage): () => Buffer {
  const chunks: Buffer[] = [];
  response.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks);
}

beforeEach(async () => {
  acts = [];
  asked = [];
  sounds = [];
  directory = await mkdtemp(join(tmpdir(), "diemcau-room-"));
  facts = {
    nowUtc: "2026-11-21T08:00:00.000Z",
    pairing: { state: "connecting" },
    identity: null,
    situation: {
      assignment: null,
      own: [],
      now: { utcMs: Date.parse("2026-11-21T08:00:00.000Z"), monotonicMs: 0, bootId: "b" },
      awayMs: null,
    },
    companion: null,
    last: null,
    connected: false,
    health: null,
    stage: null,
    watchedBy: [],
    unsynced: { segments: 0, bytes: 0 },
    hubAddress: "hub:8443",
    network: { trouble: null, macs: [], hubSource: "baked", pairingPage: null },
    stick: null,
    soundTest: { refused: null, running: null, result: null, broken: null },
    addresses: [],
    agentVersion: "1",
  };
  await writeFile(join(directory, "index.html"), "<!doctype html><title>room</title>");
  room = await openRoom({
    log: createLog(systemClock, () => {}),
    clock: systemClock,
    port: 0,
    ui: directory,
    state: () => roomState(facts),
    ownPicture: () => join(directory, "own.jpg"),
    begin: (session) => acts.push(["begin", session]) === 1,
    end: (session) => acts.push(["end", session]) === 1,
    hand: (session, raised) => acts.push([raised ? "raise" : "lower", session]) === 1,
    soundTest: (act) => sounds.push(act) === 1,
    openLive(request) {
      asked.push(request);
      request.socket.destroy();
    },
  });
});
afterEach(async () => {
  await room[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

describe("room page", () => {
  test("serves the built screen and the state", async () => {
    const page = await fetch(`http://127.0.0.1:${room.port}/`);
    expect(await page.text()).toContain("<title>room</title>");
    const state = await (await fetch(`http://127.0.0.1:${room.port}/api/room`)).json();
    expect(state).toMatchObject({ pairing: { state: "connecting" }, hubAddress: "hub:8443", recording: null });
    expect((await fetch(`http://127.0.0.1:${room.port}/nothing`)).status).toBe(404);
  });

  test("is not for a web page that reaches loopback under a name of its own", async () => {
    expect((await open("/api/room", { host: `evil.example:${room.port}` })).statusCode).toBe(403);
    expect((await open("/api/room", { host: `localhost:${room.port}` })).statusCode).toBe(200);
  });

  test("begins and ends a session for its own page only, and says when that is not on offer any more", async () => {
    const session = makeId("session", new Uint8Array(10));
    const origin = `http://127.0.0.1:${room.port}`;
    const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
      fetch(`${origin}/api/room/${path}`, {
        method: "POST",
        headers: { origin, "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      }).then(({ status }) => status);
    expect(await post("start", { session: null }, { origin: "http://evil.example" })).toBe(403);
    expect(await post("start", { session: null }, { "content-type": "text/plain" })).toBe(403);
    expect(await post("start", {})).toBe(400);
    expect(await post("stop", { session: null })).toBe(400);
    expect((await fetch(`${origin}/api/room/start`)).status).toBe(404);
    expect(acts).toEqual([]);
    expect(await post("start", { session: null })).toBe(204);
    expect(await post("stop", { session })).toBe(409);
    expect(acts).toEqual([
      ["begin", null],
      ["end", session],
    ]);
  });

  test("begins the test of sound for its own page only, and says when it may not be", async () => {
    const own = `http://127.0.0.1:${room.port}`;
    const post = (origin: string, body: unknown) =>
      fetch(`${own}/api/room/sound-test`, {
        ...{ method: "POST", body: JSON.stringify(body) },
        headers: { "content-type": "application/json", origin },
      }).then(({ status }) => status);
    expect(await post("http://evil.example", { act: "start" })).toBe(403);
    expect(await post(own, { act: "louder" })).toBe(400);
    expect(sounds).toEqual([]);
    expect(await post(own, { act: "start" })).toBe(204);
    expect(await post(own, { act: "start" })).toBe(409);
    expect(sounds).toEqual(["start", "start"]);
  });

  test("tells a change at once, and only changes", async () => {
    const said = gather(await open("/api/room/events"));
    const states = () =>
      said()
        .toString()
        .match(/^data: .*$/gm)
        ?.map((line) => JSON.parse(line.slice(6))) ?? [];
    await until("the first state", () => states().length === 1);
    facts = {
      ...facts,
      pairing: { state: "code", code: "BCDF-GHJK", expiresAt: facts.nowUtc, revoked: false, hubAnswers: true },
    };
    room.changed();
    room.changed();
    await until("the change", () => states().length === 2);
    facts = { ...facts, nowUtc: "2026-11-21T08:00:01.000Z", connected: true };
    room.changed();
    await until("the next change", () => states().at(-1).connected);
    expect(states().map(({ pairing }) => pairing.state)).toEqual(["connecting", "code", "code"]);
  });

  test("shows each new picture, to a viewer who was there before there was one too", async () => {
    const response = await open("/own.mjpeg");
    expect(response.headers["content-type"]).toBe("multipart/x-mixed-replace; boundary=picture");
    const shown = gather(response);
    for (const id of [1, 2, 3]) {
      await picture(id);
      await until(`picture ${id}`, () => shown().includes(jpeg(id)));
    }
    expect(
      shown()
        .toString("latin1")
        .match(/Content-Length: 7\r\n/g),
    ).toHaveLength(3);
  });

  test("a viewer who is gone makes room for the next, and too many are turned away", async () => {
    const viewers = await Promise.all(Array.from({ length: 8 }, () => open("/own.mjpeg")));
    expect(viewers.map(({ statusCode }) => statusCode)).toEqual(Array(8).fill(200));
    expect((await open("/own.mjpeg")).statusCode).toBe(503);
    for (const viewer of viewers) viewer.destroy();
    await until("there is room again", async () => {
      const response = await open("/own.mjpeg");
      response.destroy();
      return response.statusCode === 200;
    });
  });
});

describe("the conversation", () => {
  const session = makeId("session", new Uint8Array(10).fill(3));
  const box = makeId("box", new Uint8Array(10).fill(4));

  test("a hand is raised from the room's own page only", async () => {
    const hand = (origin: string, body: unknown) =>
      fetch(`http://127.0.0.1:${room.port}/api/room/hand`, {
        ...{ method: "POST", body: JSON.stringify(body) },
        headers: { "content-type": "application/json", origin },
      }).then(({ status }) => status);
    const own = `http://127.0.0.1:${room.port}`;
    expect(await hand(own, { session, raised: true })).toBe(204);
    expect(await hand(own, { session, raised: false })).toBe(409);
    expect(await hand("http://evil.example", { session, raised: true })).toBe(403);
    expect(await hand(own, { session })).toBe(400);
    expect(acts).toEqual([
      ["raise", session],
      ["lower", session],
    ]);
  });

  test("what the microphone hears is told as it comes", async () => {
    const heard = gather(await open("/api/room/events"));
    await until("the state", () => heard().toString().includes("event: state"));
    room.heard({ lufs: -23.4, speech: true });
    await until("the level", () => heard().toString().includes("event: level"));
    expect(heard().toString()).toContain('event: level\ndata: {"lufs":-23.4,"speech":true}\n');
  });

  test("other rooms' pictures are for its own page only, and for nothing that is no picture or sound", async () => {
    const wish = async (path: string, headers: Record<string, string> = {}) => {
      const own = `127.0.0.1:${room.port}`;
      const request = get({
        ...{ host: "127.0.0.1", port: room.port, path, agent: false },
        headers: {
          ...{ host: own, origin: `http://${own}`, connection: "Upgrade", upgrade: "websocket" },
          ...{ "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" },
          ...headers,
        },
      });
      return new Promise<number | "handed on">((resolve) => {
        request.on("response", ({ statusCode }) => resolve(statusCode!));
        request.on("error", () => resolve("handed on"));
      });
    };
    expect(await wish(`/live/${box}/video`)).toBe("handed on");
    expect(asked).toMatchObject([{ box, kind: "video", key: "dGhlIHNhbXBsZSBub25jZQ==" }]);
    expect(await wish(`/live/${box}/video`, { origin: "http://evil.example" })).toBe(403);
    expect(await wish(`/live/${box}/video`, { host: "evil.example", origin: "http://evil.example" })).toBe(403);
    expect(await wish(`/live/${box}/both`)).toBe(404);
    expect(await wish("/live/x/video")).toBe(404);
    expect(await wish("/control")).toBe(404);
    expect(await wish(`/live/${box}/video`, { "sec-websocket-key": "not a key" })).toBe(404);
    expect(asked).toHaveLength(1);
  });
});
