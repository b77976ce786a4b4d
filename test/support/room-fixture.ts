import { Hono } from "hono";
import { WebSocketServer } from "ws";
import {
  ROOM_EVENTS_PATH,
  ROOM_HAND_PATH,
  ROOM_LEVEL_EVENT,
  ROOM_PICTURE_PATH,
  ROOM_SOUND_TEST_PATH,
  type RoomHand,
  type RoomLevel,
  type RoomSoundAct,
  type RoomState,
} from "../../src/protocol/room.ts";
import type { FlvTag } from "../../src/media/media.ts";
import { sendLive, type RoomMedia } from "./desk-media.ts";
import { createStream, encodeEvent, listen, serveScreen } from "./screen-server.ts";

export interface RoomFixture extends AsyncDisposable {
  readonly url: string;
  show(state: RoomState): void;
  /** What the microphone is said to hear. */
  hear(level: RoomLevel): void;
  /** Hands that were raised and lowered, in order. */
  readonly hands: RoomHand[];
  /** What was asked of the test of sound, in order. */
  readonly sounds: RoomSoundAct["act"][];
  /** The agent goes away: its connections break and no new one is answered. */
  leave(): void;
}

/** The agent's page server with a given state; the picture is one still JPEG. */
export async function openRoomFixture(options: {
  screen: string;
  state: RoomState;
  media: RoomMedia;
  /** Of the other rooms; what the media have live unless said otherwise. */
  remote?: FlvTag[];
}): Promise<RoomFixture> {
  const stream = createStream();
  let state = options.state;
  let away = false;
  const hands: RoomHand[] = [];
  const app = new Hono();
  app.get(ROOM_EVENTS_PATH, (c) => (away ? c.body(null, 503) : stream.open(encodeEvent("state", state))));
  app.get(ROOM_PICTURE_PATH, (c) => c.body(new Uint8Array(options.media.still), 200, { "content-type": "image/jpeg" }));
  app.post(ROOM_HAND_PATH, async (c) => {
    hands.push(await c.req.json<RoomHand>());
    return c.body(null, 204);
  });
  const sounds: RoomSoundAct["act"][] = [];
  app.post(ROOM_SOUND_TEST_PATH, async (c) => {
    sounds.push((await c.req.json<RoomSoundAct>()).act);
    return c.body(null, 204);
  });
  serveScreen(app, options.screen);
  const { server, url, close } = await listen(app);
  const sockets = new WebSocketServer({ noServer: true });
  const stopping = new AbortController();
  server.on("upgrade", (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (ws) => {
      ws.on("error", () => {});
      if (/\/(video|small)$/.test(request.url ?? ""))
        void sendLive(ws, options.remote ?? options.media.live, stopping.signal);
    }),
  );
  return {
    url,
    hands,
    sounds,
    show(next) {
      state = next;
      stream.tell(encodeEvent("state", next));
    },
    hear: (level) => stream.tell(encodeEvent(ROOM_LEVEL_EVENT, level)),
    leave() {
      away = true;
      stream.drop();
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      for (const client of sockets.clients) client.terminate();
      await close();
    },
  };
}
