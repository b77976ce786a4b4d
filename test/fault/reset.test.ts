import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StickView } from "../../src/hub/http/views.ts";
import {
  RESET_FILE,
  ROOM_START_PATH,
  ROOM_STOP_PATH,
  type RoomState,
  type SessionId,
} from "../../src/protocol/protocol.ts";
import { freePort } from "../support/free-port.ts";
import { raiseStand, standLogs, type RoomProcess, type Stand } from "../support/stand.ts";
import { supervise } from "../support/supervised.ts";
import { until } from "../support/until.ts";

/** One point through a box's whole life: recorded, refused to be forgotten, forgotten, paired again, replaced. */
describe("a box is taken out of service", () => {
  let directory: string;
  let stand: Stand;
  let room: RoomProcess;
  let sessions: SessionId[];

  const stick = () => join(directory, "stick");
  const plug = (text: string) => writeFile(join(stick(), RESET_FILE), text);
  const pull = () => rm(join(stick(), RESET_FILE), { force: true });
  const explained = async (error: unknown): Promise<never> => {
    throw new Error(await standLogs(directory), { cause: error });
  };
  const roomIs = (what: string, condition: (state: RoomState) => boolean, withinMs = 40_000, url = room.roomUrl) =>
    until(
      what,
      async () => {
        const state = (await (await fetch(`${url}/api/room`)).json()) as RoomState;
        return condition(state) && state;
      },
      { withinMs, everyMs: 100 },
    ).catch(explained);
  const resetStick = (acceptLoss: object | null) =>
    stand.desk.request<StickView>("POST", `/api/boxes/${room.box}/reset-stick`, { acceptLoss });
  const act = async (path: string, session: SessionId | null) => {
    const headers = { origin: room.roomUrl, "content-type": "application/json" };
    const body = JSON.stringify({ session });
    expect((await fetch(`${room.roomUrl}${path}`, { method: "POST", headers, body })).status).toBe(204);
  };
  const begin = async (name: string): Promise<SessionId> => {
    const { id } = await stand.desk.createSession(name, [{ id: room.point, role: "central" }]);
    await stand.desk.act(id, "start");
    await roomIs("it is recorded", ({ recording }) => (recording?.seconds ?? 0) > 3);
    return id;
  };
  const pairAgain = async (replace: boolean) => {
    const { pairing } = await roomIs("a new code is shown", ({ pairing }) => pairing.state === "code");
    const code = pairing.state === "code" ? pairing.code : "";
    const body = { code, pointId: room.point, replace };
    room.box = (await stand.desk.request<{ box: RoomProcess["box"] }>("POST", "/api/pairing", body)).box;
    await roomIs("it is connected", ({ connected }) => connected);
  };
  const verified = async (id: SessionId) => {
    const recording = await stand.desk.recording(id);
    return recording.rooms.find(({ point }) => point.id === room.point)?.copies;
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "diemcau-reset-"));
    await mkdir(stick());
    stand = await raiseStand({
      directory,
      rooms: [{ name: "UBND xã Sơn Kỳ", cable: true, config: { provisioning: { stickDirectory: stick() } } }],
    });
    [room] = stand.rooms as [RoomProcess];
    sessions = [];
  });
  afterAll(async () => {
    room?.cable?.mend();
    await stand?.[Symbol.asyncDispose]();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  test("not while it records, and not while recordings would be lost that nobody has given up", async () => {
    // A copy of the box as it is now: what somebody may have taken from its disk.
    await cp(join(room.dataDirectory, "identity"), join(directory, "old/data/identity"), { recursive: true });
    const session = await begin("Buổi thứ nhất");
    sessions.push(session);
    const reset = (acceptLoss: object | null) =>
      stand.desk.request("POST", `/api/boxes/${room.box}/reset`, { acceptLoss });
    await expect(reset({ segments: 1e6, bytes: 1e12 })).rejects.toThrow("resetRefused recording");
    await stand.desk.act(session, "end");
    await until("all of it is at the hub", async () => (await verified(session))?.hubComplete, {
      withinMs: 60_000,
      everyMs: 300,
    }).catch(explained);

    room.cable!.cut();
    const offer = await roomIs("the room may begin one itself", ({ start }) => start?.session === null);
    await act(ROOM_START_PATH, offer.start!.session);
    await roomIs("some of it is on this disk alone", ({ unsynced }) => unsynced.segments > 0);
    await expect(reset(null)).rejects.toThrow("boxAway");
    await act(ROOM_STOP_PATH, (await roomIs("the room may end it", ({ stop }) => stop !== null)).stop!.session);
    await roomIs("it has stopped", ({ recording, session }) => recording === null && session === null);

    const { text } = await resetStick(null);
    // The take is still being closed for a moment after the room has stopped, and a stick is judged once.
    await until("the stick is refused for what only this box has", async () => {
      await plug(text);
      const { stick } = await roomIs("the stick is judged", ({ stick }) => stick?.state === "reset");
      await pull();
      await roomIs("the stick is out", ({ stick }) => stick === null);
      expect(stick).toMatchObject({ outcome: { state: "refused" } });
      return stick?.state === "reset" && stick.outcome.state === "refused" && stick.outcome.reason === "unsynced";
    });
    room.cable!.mend();
    await roomIs("all of it is at the hub", ({ unsynced, connected }) => connected && unsynced.segments === 0, 60_000);
  });

  test("by a stick of the hub's: everything is gone, and the same stick never fits again", async () => {
    const { text } = await resetStick(null);
    await plug(text.replace('"record": "{', '"record": "{ '));
    const forged = await roomIs("what was changed is refused", ({ stick }) => stick?.state === "reset");
    expect(forged.stick).toMatchObject({ outcome: { reason: "signature" } });
    await pull();
    await roomIs("the stick is out", ({ stick }) => stick === null);
    await plug(text);
    await roomIs("it shows a code, as when it was new", ({ pairing }) => pairing.state === "code" && !pairing.revoked);
    expect(await readdir(join(room.dataDirectory, "recordings"))).toEqual([]);
    await pairAgain(true);
    await pull();
    await roomIs("the stick is out", ({ stick }) => stick === null);
    await plug(text);
    const again = await roomIs("the old order is refused", ({ stick }) => stick?.state === "reset");
    expect(again.stick).toMatchObject({ outcome: { state: "refused", reason: "wrongBox" } });
    await pull();
  });

  test("the point goes on with its new box; the old one's certificate opens nothing", async () => {
    const session = await begin("Buổi thứ hai");
    sessions.push(session);
    await stand.desk.act(session, "end");
    await until("all of it is at the hub", async () => (await verified(session))?.hubComplete, {
      withinMs: 60_000,
      everyMs: 300,
    }).catch(explained);
    const rooms = await Promise.all(sessions.map((id) => stand.desk.recording(id)));
    const points = rooms.map(({ rooms }) => rooms.map(({ point }) => [point.id, point.name]));
    expect(points).toEqual(sessions.map(() => [[room.point, "UBND xã Sơn Kỳ"]]));
    const boxes = rooms.map(({ rooms }) => new Set(rooms[0]!.segments.map(({ take }) => take)).size);
    expect(boxes.every((takes) => takes > 0)).toBe(true);

    const port = await freePort();
    const config = join(directory, "old/box.json");
    await writeFile(
      config,
      JSON.stringify({
        ...{ dataDirectory: "data", runDirectory: "run", hub: { host: "127.0.0.1", port: stand.hub.tlsPort } },
        ...{ capture: { source: { kind: "virtual", label: "old" } }, room: { port } },
      }),
    );
    const main = join(import.meta.dirname, "../../src/edge/start.js");
    const old = await supervise([process.execPath, main, "--config", config], {
      logFile: join(directory, "old/box.log"),
    });
    try {
      const url = `http://127.0.0.1:${port}`;
      const state = await roomIs("it is refused", ({ pairing }) => pairing.state === "code", 40_000, url);
      expect(state).toMatchObject({ pairing: { revoked: true }, connected: false });
    } finally {
      await old.stop();
    }
    expect((await stand.desk.rooms())[0]).toMatchObject({ box: room.box, connected: true });
  });

  test("by the hub's command: the point has no box any more, and the room shows a code", async () => {
    const before = room.process.restarts;
    await stand.desk.request("POST", `/api/boxes/${room.box}/reset`, {});
    expect((await stand.desk.points())[0]).toMatchObject({ id: room.point, box: null });
    await roomIs("it shows a code, as when it was new", ({ pairing }) => pairing.state === "code" && !pairing.revoked);
    expect(room.process.restarts).toBe(before + 1);
    await expect(stand.desk.request("POST", `/api/boxes/${room.box}/reset`, {})).rejects.toThrow("notFound");
    await pairAgain(false);
  });
});
