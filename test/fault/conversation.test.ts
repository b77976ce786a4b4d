import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import {
  CLOSE_NOT_ON_STAGE,
  roomLivePath,
  type LiveKind,
  type RoomState,
  type Stage,
} from "../../src/protocol/protocol.ts";
import { systemClock } from "../../src/platform/platform.ts";
import { raiseStand, type RoomProcess, type Stand } from "../support/stand.ts";
import { viewer } from "../support/stage-peers.ts";
import { until } from "../support/until.ts";

/** Real agents with real encoders: what the stage does to the talk, and does not do to the recording. */
let directory: string;
let stand: Stand;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "conversation-"));
  stand = await raiseStand({ directory, rooms: [{ name: "Trung tâm" }, { name: "Xã A" }] });
}, 120_000);
afterAll(async () => {
  await stand?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const stateOf = async ({ roomUrl }: RoomProcess) => (await (await fetch(`${roomUrl}/api/room`)).json()) as RoomState;
const roomIs = (what: string, room: RoomProcess, is: (state: RoomState) => boolean) =>
  until(what, async () => is(await stateOf(room)), { withinMs: 30_000 });
/** As the room's own page does it. */
const watch = ({ roomUrl }: RoomProcess, of: RoomProcess, kind: LiveKind) =>
  viewer(new WebSocket(`${roomUrl.replace("http", "ws")}${roomLivePath(of.box, kind)}`, { origin: roomUrl }));
const recorded = async (room: RoomProcess) => {
  const { health } = await stateOf(room);
  return { seconds: health!.recording.seconds, frames: health!.encoder.frames, growing: health!.recording.growing };
};

test("rooms talk through their agents; acts of the desk change what is heard and nothing of what is recorded", async () => {
  const { desk, rooms } = stand;
  const [central, commune] = rooms as [RoomProcess, RoomProcess];
  const session = await desk.createSession("Định kỳ", [
    { id: central.point, role: "central" },
    { id: commune.point, role: "delegate" },
  ]);
  await desk.act(session.id, "start");
  await roomIs("the room is on the stage", commune, ({ stage }) => stage?.session === session.id);
  await roomIs("both record", central, ({ recording }) => recording !== null);
  await roomIs("both record", commune, ({ recording }) => recording !== null);

  // Who asks for the small picture before it is there is shown the large one, and sent away when the small one comes.
  const isLive = async () => (await desk.rooms()).find(({ point }) => point.id === commune.point)!.live.length === 3;
  await until("all of the room arrives", isLive, { withinMs: 30_000 });
  const { frames } = await recorded(commune);
  await roomIs("for a second", commune, ({ health }) => health!.encoder.frames > frames + 25);

  const sound = watch(central, commune, "audio");
  const picture = watch(central, commune, "small");
  await Promise.all([sound.hears(), picture.hears()]);
  const stage = () => desk.request<Stage>("GET", `/api/sessions/${session.id}/stage`);
  const seat = `/api/sessions/${session.id}/stage/rooms/${commune.point}`;

  const began = await recorded(commune);
  for (const [shut, open] of [
    [{ act: "mute", reason: "ồn" }, { act: "unmute" }],
    [{ act: "standBy" }, { act: "callUp" }],
  ]) {
    const before = await recorded(commune);
    await desk.request("POST", seat, shut);
    const quietMs = systemClock.monotonicMs() + 300;
    await roomIs("the room knows", commune, ({ stage }) => stage!.own.muted !== null || stage!.own.place === "standby");
    await roomIs("it records on", commune, ({ health }) => health!.recording.seconds > before.seconds + 3);
    // What a room says of itself may be seconds old, so those three can be over at once.
    await until("the picture goes on", () => picture.heardMs.at(-1)! > quietMs + 1_000);
    expect(sound.heardMs.filter((ms) => ms > quietMs)).toEqual([]);
    await desk.request("POST", seat, open);
    await sound.hears();
  }
  for (const mode of ["grid", "spotlight", "auto"])
    await desk.request("POST", `/api/sessions/${session.id}/stage/layout`, {
      ...{ mode, onScreen: [central.point] },
      seen: (await stage()).revision,
    });
  const now = await recorded(commune);
  expect(now).toMatchObject({ growing: true });
  // One unbroken run of the encoder, in real time.
  expect(now.frames - began.frames).toBeGreaterThan((now.seconds - began.seconds) * 25 * 0.9);
  expect(sound.socket.readyState).toBe(sound.socket.OPEN);

  const raised = await fetch(`${commune.roomUrl}/api/room/hand`, {
    ...{ method: "POST", headers: { origin: commune.roomUrl, "content-type": "application/json" } },
    body: JSON.stringify({ session: session.id, raised: true }),
  });
  expect(raised.status).toBe(204);
  await until("the desk sees the hand", async () => (await stage()).rooms[1]!.hand !== null);

  await desk.act(session.id, "pause");
  await roomIs("a pause stops the recording", commune, ({ recording }) => recording === null);
  await desk.act(session.id, "resume");
  await roomIs("and its end begins it anew", commune, ({ recording }) => recording !== null);

  stand.hub.process.kill("SIGKILL");
  await roomIs("without its hub the room knows of no stage", commune, ({ stage }) => stage === null);
  await roomIs("and records on", commune, ({ recording }) => recording !== null);
  await roomIs("the stage comes back with the hub", commune, ({ stage }) => stage?.own.hand != null);
  await roomIs(
    "so it does in the other room",
    central,
    ({ stage }) => stage?.rooms[0]?.live.includes("audio") === true,
  );
  const again = watch(central, commune, "audio");
  await again.hears();
  await desk.act(session.id, "end");
  expect(await again.closed).toBe(CLOSE_NOT_ON_STAGE);
  await roomIs("there is no stage any more", commune, ({ stage }) => stage === null);
});

test("what speaks in a room is heard at the desk as a level", async () => {
  const { desk, rooms, hub } = stand;
  const session = await desk.createSession(
    "Đột xuất",
    rooms.map(({ point }, i) => ({ id: point, role: i === 0 ? ("central" as const) : ("delegate" as const) })),
  );
  await desk.act(session.id, "start");
  const response = await fetch(`${hub.url}/api/events`, { headers: { cookie: desk.cookie } });
  const reader = response.body!.getReader();
  const speaking = new Set<string>();
  let text = "";
  await until(
    "both rooms have spoken",
    async () => {
      const { value } = await reader.read();
      text += new TextDecoder().decode(value);
      const events = text.split("\n\n");
      text = events.pop()!;
      for (const event of events) {
        if (!event.startsWith("event: levels\n")) continue;
        const { rooms } = JSON.parse(event.slice(event.indexOf("data: ") + 6)) as {
          rooms: { point: string; speech: boolean }[];
        };
        for (const { point, speech } of rooms) if (speech) speaking.add(point);
      }
      return speaking.size === 2;
    },
    { withinMs: 60_000, everyMs: 0 },
  );
  await reader.cancel();
  await until(
    "somebody's speech has the screen",
    async () => (await desk.request<Stage>("GET", `/api/sessions/${session.id}/stage`)).speakers.length > 0,
    { withinMs: 60_000 },
  );
  await desk.act(session.id, "end");
  expect(speaking).toEqual(new Set(rooms.map(({ point }) => point as string)));
});
