import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLog, systemClock } from "../../src/platform/platform.ts";
import { makeId, type SessionId } from "../../src/protocol/protocol.ts";
import { openRoom, roomState, type Room, type RoomFacts } from "../../src/edge/room/room.ts";
import { until } from "../support/until.ts";

let directory: string;
let room: Room;
let facts: RoomFacts;
let acts: [string, SessionId | null][];

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
    last: null,
    connected: false,
    health: null,
    unsynced: { segments: 0, bytes: 0 },
    hubAddress: "hub:8443",
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
