import { Hono } from "hono";
import { ROOM_EVENTS_PATH, ROOM_PICTURE_PATH, type RoomState } from "../../src/protocol/room.ts";
import { createStream, encodeEvent, listen, serveScreen } from "./screen-server.ts";

export interface RoomFixture extends AsyncDisposable {
  readonly url: string;
  show(state: RoomState): void;
  /** The agent goes away: its connections break and no new one is answered. */
  leave(): void;
}

/** The agent's page server with a given state; the picture is one still JPEG. */
export async function openRoomFixture(options: {
  screen: string;
  state: RoomState;
  still: Uint8Array;
}): Promise<RoomFixture> {
  const stream = createStream();
  let state = options.state;
  let away = false;
  const app = new Hono();
  app.get(ROOM_EVENTS_PATH, (c) => (away ? c.body(null, 503) : stream.open(encodeEvent("state", state))));
  app.get(ROOM_PICTURE_PATH, (c) => c.body(new Uint8Array(options.still), 200, { "content-type": "image/jpeg" }));
  serveScreen(app, options.screen);
  const { url, close } = await listen(app);
  return {
    url,
    show(next) {
      state = next;
      stream.tell(encodeEvent("state", next));
    },
    leave() {
      away = true;
      stream.drop();
    },
    [Symbol.asyncDispose]: close,
  };
}
