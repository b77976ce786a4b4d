import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LevelsView, SessionView } from "../../src/hub/http/views.ts";
import { systemClock } from "../../src/platform/platform.ts";
import { CLOSE_NOT_ON_STAGE, type SessionId, type Stage } from "../../src/protocol/protocol.ts";
import { DeskCaller } from "../support/desk-caller.ts";
import type { PairedPeer } from "../support/hub-door.ts";
import { makeHubFolder, type HubFolder, type RunningHub } from "../support/hub-process.ts";
import { openStagePeer, pairPeer, publishTone, watchFromDesk, watchFromRoom } from "../support/stage-peers.ts";
import { until } from "../support/until.ts";

/** A real hub; the boxes are real connections with real certificates, and FFmpeg's sound. */
const PASSWORD = "một mật khẩu đủ dài";
let folder: HubFolder;
let hub: RunningHub;
let desk: DeskCaller;
let peers: PairedPeer[];

beforeAll(async () => {
  folder = await makeHubFolder();
  hub = await folder.start();
  desk = new DeskCaller(hub.url);
  await desk.settle(hub.oneTimePassword()!, PASSWORD);
  peers = [];
  for (const name of ["Trung tâm", "Xã A", "Xã B", "Xã C"]) peers.push(await pairPeer(hub, desk, name));
});
afterAll(() => folder[Symbol.asyncDispose]());

async function begin(...rooms: number[]): Promise<SessionId> {
  const points = rooms.map((n, i) => ({ id: peers[n]!.point, role: i === 0 ? "central" : "delegate" }));
  const { id } = (await desk.post("/api/sessions", { name: "Định kỳ", points })).session();
  const started = await desk.post(`/api/sessions/${id}/start`);
  if (started.status !== 200) throw new Error(started.text);
  await until("there is a stage", async () => (await desk.get(`/api/sessions/${id}/stage`)).status === 200);
  return id;
}
const end = (session: SessionId) => desk.post(`/api/sessions/${session}/end`);
const stage = async (session: SessionId) =>
  JSON.parse((await desk.get(`/api/sessions/${session}/stage`)).text) as Stage;
const act = async (session: SessionId, n: number, body: object) => {
  const answer = await desk.post(`/api/sessions/${session}/stage/rooms/${peers[n]!.point}`, body);
  if (answer.status !== 200) throw new Error(answer.text);
};
/** A room's sound falls silent, and comes back, within this time. */
const WITHIN_MS = 300;

/** Sound of a room outside of any session, by which a test tells that time goes on and sound could come. */
async function metronome() {
  const tone = await publishTone(hub, peers[3]!);
  const heard = watchFromDesk(desk, peers[3]!.box, "audio");
  await heard.hears();
  return {
    /** Until a second after the moment, as this sound tells it. */
    until: (ms: number) => until("a second goes by", () => heard.heardMs.at(-1)! > ms + 1_000, { everyMs: 20 }),
    async [Symbol.asyncDispose]() {
      heard.socket.terminate();
      await tone[Symbol.asyncDispose]();
    },
  };
}

describe("sound", () => {
  test("of a muted or waiting room reaches no room and no desk, at once, and comes back without a new connection", async () => {
    await using _tone = await publishTone(hub, peers[1]!);
    await using time = await metronome();
    const session = await begin(0, 1, 2);
    const room = await watchFromRoom(hub, peers[0]!, peers[1]!.box, "audio");
    const atDesk = watchFromDesk(desk, peers[1]!.box, "audio");
    const sound = [room, atDesk];
    await Promise.all(sound.map((viewer) => viewer.hears()));
    for (const [shut, open] of [
      [{ act: "mute", reason: "ồn" }, { act: "unmute" }],
      [{ act: "standBy" }, { act: "callUp" }],
    ] as const) {
      const shutMs = systemClock.monotonicMs();
      await act(session, 1, shut);
      const quietMs = shutMs + WITHIN_MS;
      await time.until(quietMs);
      for (const { heardMs, aliveMs } of sound) {
        expect(heardMs.filter((ms) => ms > quietMs)).toEqual([]);
        // Or the player would take the connection for dead.
        expect(aliveMs.filter((ms) => ms > shutMs).length).toBeGreaterThan(0);
      }
      const openMs = systemClock.monotonicMs();
      await act(session, 1, open);
      await Promise.all(sound.map((viewer) => viewer.hears()));
      for (const { heardMs } of sound) expect(heardMs.find((ms) => ms > openMs)! - openMs).toBeLessThan(WITHIN_MS);
    }
    for (const { socket } of sound) expect(socket.readyState).toBe(socket.OPEN);
    await end(session);
    expect(await room.closed).toBe(CLOSE_NOT_ON_STAGE);
    atDesk.socket.terminate();
  });

  test("is carried to nobody while the session is paused", async () => {
    await using _tone = await publishTone(hub, peers[1]!);
    await using time = await metronome();
    const session = await begin(0, 1);
    const room = await watchFromRoom(hub, peers[0]!, peers[1]!.box, "audio");
    await room.hears();
    await desk.post(`/api/sessions/${session}/pause`, { reason: "chờ luật sư" });
    const quietMs = systemClock.monotonicMs() + WITHIN_MS;
    await time.until(quietMs);
    expect(room.heardMs.filter((ms) => ms > quietMs)).toEqual([]);
    expect((await stage(session)).paused).toMatchObject({ reason: "chờ luật sư", by: "Quản trị viên" });
    await desk.post(`/api/sessions/${session}/resume`);
    await room.hears();
    await end(session);
  });
});

describe("a room sees and hears", () => {
  test("other rooms of its own running session, and nobody else, nor itself", async () => {
    const refused = async (from: number, of: number) =>
      (await watchFromRoom(hub, peers[from]!, peers[of]!.box, "video")).closed;
    expect(await refused(0, 1)).toBe(CLOSE_NOT_ON_STAGE);
    const [mine, theirs] = [await begin(0, 1), await begin(2, 3)];
    const seen = await watchFromRoom(hub, peers[0]!, peers[1]!.box, "video");
    await until("it is seen", async () => (await stage(mine)).watchers.some(({ kind }) => kind === "room"));
    expect(seen.socket.readyState).toBe(seen.socket.OPEN);
    expect(await refused(0, 0)).toBe(CLOSE_NOT_ON_STAGE);
    expect(await refused(0, 2)).toBe(CLOSE_NOT_ON_STAGE);
    expect(await refused(2, 1)).toBe(CLOSE_NOT_ON_STAGE);
    await Promise.all([end(mine), end(theirs)]);
    expect(await seen.closed).toBe(CLOSE_NOT_ON_STAGE);
  });

  test("not after its box was revoked, and nobody goes on seeing that one", async () => {
    const lost = await pairPeer(hub, desk, "Xã D");
    peers.push(lost);
    const session = await begin(0, 4);
    const [own, others] = [
      await watchFromRoom(hub, lost, peers[0]!.box, "video"),
      await watchFromRoom(hub, peers[0]!, lost.box, "video"),
    ];
    await until("both stand", () => [own, others].every(({ socket }) => socket.readyState === socket.OPEN));
    await desk.post(`/api/boxes/${lost.box}/revoke`);
    expect(await own.closed).toBe(1006);
    expect(await others.closed).toBe(CLOSE_NOT_ON_STAGE);
    await end(session);
  });
});

test("nobody watches unseen: the session's rooms and the room itself are told who does", async () => {
  const session = await begin(0, 1, 2);
  const room = await openStagePeer(hub, peers[1]!);
  const watched = watchFromDesk(desk, peers[1]!.box, "small");
  const names = async () => (await stage(session)).watchers.map(({ name, kind }) => `${kind} ${name}`);
  await until("the desk is listed", async () => (await names()).includes("desk Quản trị viên"));
  await until("the room is told", () => room.watchedBy()?.includes("Quản trị viên"));
  const other = await watchFromRoom(hub, peers[2]!, peers[1]!.box, "small");
  await until("the room is listed", async () => (await names()).includes("room Xã B"));
  expect(room.stage()!.watchers).toContainEqual({ name: "Quản trị viên", kind: "desk" });
  watched.socket.terminate();
  await until("the desk is gone", () => room.watchedBy()?.length === 0, { withinMs: 15_000 });
  await until("and listed no more", async () => !(await names()).includes("desk Quản trị viên"));
  other.socket.terminate();
  room.control.ws.terminate();
  await end(session);
});

test("a hand is raised in the room, its level is heard, and who speaks takes the screen", async () => {
  const session = await begin(0, 1, 2);
  const [a, b] = [await openStagePeer(hub, peers[1]!), await openStagePeer(hub, peers[2]!)];
  await until("both are on the stage", () => a.stage() && b.stage());
  a.control.say({ type: "hand", session, raised: true });
  await until("the hand is seen", async () => (await stage(session)).rooms[1]!.hand !== null);
  a.control.say({ type: "hand", session, raised: false });
  await until("the room knows", () => a.stage()!.own.hand === null);
  const reader = (await fetch(`${hub.url}/api/events`, { headers: { cookie: desk.cookie } })).body!.getReader();
  const speak = setIntervalUntil(() => b.control.say({ type: "levels", lufs: -21.5, speech: true }));
  const levels = await eventOf<LevelsView>(reader, "levels");
  expect(levels.rooms).toEqual([{ point: peers[2]!.point, lufs: -21.5, speech: true }]);
  await until("the speaker is large", () => a.stage()!.rooms[0]!.point.id === peers[2]!.point);
  expect(a.stage()!.rooms[0]).toMatchObject({ size: "large", speaking: true });
  expect((await stage(session)).speakers).toEqual([peers[2]!.point]);
  speak.stop();
  await until("and is quiet again", () => !a.stage()!.rooms[0]!.speaking);
  await reader.cancel();
  a.control.ws.terminate();
  b.control.ws.terminate();
  await end(session);
  const { events } = (await desk.get(`/api/sessions/${session}`)).session() satisfies SessionView;
  expect(events.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["handRaised", "handLowered"]));
});

test("two operators: the second of two layouts is refused with who was first, room acts never are; all is logged", async () => {
  const session = await begin(0, 1, 2);
  const base = `/api/sessions/${session}/stage`;
  const { revision: seen } = await stage(session);
  const wish = (mode: string, n: number) => ({ mode, onScreen: [peers[n]!.point], seen });
  const both = await Promise.all([
    desk.post(`${base}/layout`, wish("spotlight", 1)),
    desk.post(`${base}/layout`, wish("grid", 2)),
  ]);
  expect(new Set(both.map(({ status }) => status))).toEqual(new Set([200, 409]));
  const refused = JSON.parse(both.find(({ status }) => status === 409)!.text) as unknown;
  expect(refused).toMatchObject({ code: "stageConflict", by: { name: "Quản trị viên" } });
  await Promise.all([1, 2, 3].map(() => act(session, 2, { act: "mute", reason: "ồn" })));
  await desk.post(`${base}/interruption`, { reason: "mất điện" });
  await desk.post(`${base}/interruption/end`);
  await desk.post(`/api/sessions/${session}/marks`, { label: "Kiến nghị thứ nhất" });
  await desk.post(`/api/sessions/${session}/pause`, { reason: "chờ luật sư" });
  expect((await desk.post(`${base}/rooms/${peers[3]!.point}`, { act: "unmute" })).code).toBe("notFound");
  expect((await desk.post(`${base}/rooms/${peers[1]!.point}`, { act: "gain", gainDb: 3 })).code).toBe("badRequest");
  await end(session);
  expect((await desk.post(`${base}/rooms/${peers[1]!.point}`, { act: "unmute" })).code).toBe("wrongState");
  expect((await desk.get(base)).status).toBe(404);
  const { events } = (await desk.get(`/api/sessions/${session}`)).session();
  const acts = events.filter(({ kind }) => !["roomLost", "roomBack"].includes(kind));
  expect(acts.map(({ kind }) => kind)).toEqual([
    ...["created", "started", "layoutChanged", "muted", "interrupted", "interruptionEnded", "marked", "paused"],
    "ended",
  ]);
  expect(acts.every(({ actor }) => actor === "Quản trị viên")).toBe(true);
  expect(acts.slice(3, 8).map(({ detail }) => detail?.text)).toEqual([
    ...["ồn", "mất điện", undefined, "Kiến nghị thứ nhất", "chờ luật sư"],
  ]);
});

test("a killed hub comes back with the stage as it was, and tells the rooms", async () => {
  const session = await begin(0, 1, 2);
  await act(session, 1, { act: "mute", reason: "ồn" });
  await act(session, 2, { act: "message", text: "Mời nói gần micrô" });
  const before = await stage(session);
  await hub.end("SIGKILL");
  hub = await folder.start();
  const { cookie } = desk;
  desk = new DeskCaller(hub.url);
  desk.cookie = cookie;
  const after = await stage(session);
  // Whoever watched the sessions before may still be listed for a moment.
  const decided = (stage: Stage) => ({ ...stage, revision: 0, watchers: [] });
  expect(decided(after)).toEqual(decided(before));
  expect(after.revision).toBeGreaterThan(before.revision);
  const room = await openStagePeer(hub, peers[2]!);
  await until("the room is told", () => room.stage()?.own.message?.text === "Mời nói gần micrô");
  expect(room.stage()!.rooms.find(({ point }) => point.id === peers[1]!.point)).toMatchObject({ audible: false });
  await end(session);
  await until("and of the end", () => room.stage() === null);
  room.control.ws.terminate();
});

/** Says something five times a second, as a box does. */
function setIntervalUntil(say: () => void) {
  const stopped = new AbortController();
  void until(
    "stopped",
    () => {
      if (!stopped.signal.aborted) say();
      return stopped.signal.aborted;
    },
    { withinMs: 60_000, everyMs: 200 },
  );
  return { stop: () => stopped.abort() };
}

async function eventOf<T>(reader: ReadableStreamDefaultReader<Uint8Array>, name: string): Promise<T> {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const found = new RegExp(`event: ${name}\\ndata: (.*)\\n\\n`).exec(text);
    if (found) return JSON.parse(found[1]!) as T;
    const { value, done } = await reader.read();
    if (done) throw new Error("the stream ended");
    text += decoder.decode(value, { stream: true });
  }
}
