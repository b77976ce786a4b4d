import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RoomView, SessionView } from "../../src/hub/http/views.ts";
import type { BoxId, PointId } from "../../src/protocol/protocol.ts";
import { DeskCaller } from "../support/desk-caller.ts";
import { fetchAnswer, fetchCa, newPairingBox, openControlPeer, type PairedPeer } from "../support/hub-door.ts";
import { makeHubFolder, type HubFolder, type RunningHub } from "../support/hub-process.ts";
import { until } from "../support/until.ts";

let folder: HubFolder;
let hub: RunningHub;
let desk: DeskCaller;

beforeAll(async () => {
  folder = await makeHubFolder();
  hub = await folder.start();
  desk = new DeskCaller(hub.url);
  await desk.settle(hub.oneTimePassword()!, "một mật khẩu rất dài");
});
afterAll(() => folder[Symbol.asyncDispose]());

const room = async (box: BoxId): Promise<RoomView | undefined> =>
  (await desk.get("/api/rooms")).rooms().find((each) => each.box === box);
const roomNotes = async (session: SessionView): Promise<string[]> =>
  (await desk.get(`/api/sessions/${session.id}`))
    .session()
    .events.map((event) => event.kind)
    .filter((kind) => kind === "roomLost" || kind === "roomBack");

/** A box and a person at the desk, through the real hub's two doors. */
async function pair(pointName: string): Promise<PairedPeer> {
  const door = { port: hub.tlsPort };
  const waiting = await newPairingBox(await fetchCa(door));
  const ticket = await waiting.post(door);
  const paired = await desk.post("/api/pairing", { code: waiting.code.toLowerCase(), pointName });
  expect(paired.status).toBe(200);
  const { box, point } = JSON.parse(paired.text) as { box: BoxId; point: { id: PointId } };
  const verdict = waiting.judge(await fetchAnswer(door, ticket));
  if (!verdict.trusts) throw new Error(verdict.reason);
  return { box, point: point.id, keyPem: waiting.keyPem, caPem: waiting.caPem, certificatePem: verdict.certificatePem };
}

test("a room that goes and comes back during a session is noted, also when the hub was killed meanwhile", async () => {
  const peer = await pair("Trung tâm");
  expect(await room(peer.box)).toMatchObject({ connected: false, point: { name: "Trung tâm" } });
  let control = await openControlPeer({ port: hub.tlsPort }, peer);
  await until("the room is connected", async () => (await room(peer.box))?.connected);

  const made = await desk.post("/api/sessions", { name: "Buổi tiếp", points: [{ id: peer.point, role: "central" }] });
  const session = made.session();
  await desk.post(`/api/sessions/${session.id}/start`);
  await until("the box is told that the session is live", () =>
    control.received.some((message) => message.type === "assignment" && message.sessions[0]?.state === "live"),
  );
  expect(await roomNotes(session)).toEqual([]);

  control.ws.terminate();
  await until("the loss is noted", async () => (await roomNotes(session)).length === 1);
  control = await openControlPeer({ port: hub.tlsPort }, peer);
  await until("the return is noted", async () => (await roomNotes(session)).length === 2);

  await hub.end("SIGKILL");
  hub = await folder.start();
  desk = Object.assign(new DeskCaller(hub.url), { cookie: desk.cookie });
  await until("a room that stays away is noted", async () => (await roomNotes(session)).length === 3, {
    withinMs: 20_000,
    everyMs: 200,
  });
  await openControlPeer({ port: hub.tlsPort }, peer);
  await until("its return is noted too", async () => (await roomNotes(session)).length === 4);
  expect(await roomNotes(session)).toEqual(["roomLost", "roomBack", "roomLost", "roomBack"]);
});

test("a box whose certificate is damaged in the database is refused and alarmed; the hub starts, and it can be paired anew", async () => {
  const [sound, damaged] = [await pair("Sở B"), await pair("Sở C")];
  await hub.end("SIGTERM");
  const database = new DatabaseSync(join(folder.dataDirectory, "hub.db"));
  database.prepare("update box set certificatePem = substr(certificatePem, 1, 200) where id = ?").run(damaged.box);
  database.close();
  hub = await folder.start();
  desk = Object.assign(new DeskCaller(hub.url), { cookie: desk.cookie });
  const door = { port: hub.tlsPort };
  await (await openControlPeer(door, sound)).got("welcome");
  await expect(openControlPeer(door, damaged)).rejects.toThrow(/hang up|ECONNRESET/);
  expect(await room(damaged.box)).toMatchObject({ identityDamaged: true, connected: false });
  expect((await room(sound.box))?.identityDamaged).toBeUndefined();
  expect(hub.output()).toMatch(new RegExp(`fleet.certificateDamaged.*${damaged.box}`));
  expect((await desk.post(`/api/boxes/${damaged.box}/revoke`)).status).toBe(200);
  const again = await newPairingBox(await fetchCa(door));
  await again.post(door);
  expect((await desk.post("/api/pairing", { code: again.code, pointId: damaged.point })).status).toBe(200);
});

test("a point that has a box is taken, and a revoked box's channel ends at once", async () => {
  const peer = await pair("Sở A");
  const control = await openControlPeer({ port: hub.tlsPort }, peer);
  await control.got("welcome");
  const door = { port: hub.tlsPort };
  const other = await newPairingBox(await fetchCa(door));
  await other.post(door);
  const taken = await desk.post("/api/pairing", { code: other.code, pointId: peer.point });
  expect(taken).toMatchObject({ status: 409, code: "pointTaken" });
  expect((await desk.post(`/api/boxes/${peer.box}/revoke`)).status).toBe(200);
  await control.closed;
  expect((await desk.post(`/api/boxes/${peer.box}/revoke`)).code).toBe("notFound");
  await expect(openControlPeer(door, peer)).rejects.toThrow(/hang up|ECONNRESET/);
  const replaced = await desk.post("/api/pairing", { code: other.code, pointId: peer.point });
  expect(replaced.status).toBe(200);
});
