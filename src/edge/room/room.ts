import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { serve, type ServerType } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono, type Context } from "hono";
import { streamSSE } from "hono/streaming";
import type { IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { z } from "zod";
import { causeOf, type Clock, type Log } from "../../platform/platform.ts";
import {
  parseRoomLivePath,
  ROOM_EVENTS_PATH,
  ROOM_HAND_PATH,
  ROOM_LEVEL_EVENT,
  ROOM_PICTURE_PATH,
  ROOM_START_PATH,
  ROOM_STATE_PATH,
  ROOM_SOUND_TEST_PATH,
  ROOM_STOP_PATH,
  SessionId,
  type RoomHand,
  type RoomLevel,
  type RoomSoundAct,
  type RoomState,
} from "../../protocol/protocol.ts";
import type { LiveRequest } from "../uplink/uplink.ts";
import { Pictures } from "./pictures.ts";

export { roomState, type RoomFacts } from "./room-state.ts";
export { adHocName } from "./ad-hoc-name.ts";
export { keepScreen } from "./screen-power.ts";

/** The page and the facts for the room's TV; on loopback only, so it needs neither sign-in nor certificate. */
export interface Room extends AsyncDisposable {
  readonly port: number;
  /** Something in the state may have changed: tell the screens. */
  changed(): void;
  /** What the microphone hears; told to the screens that keep up. */
  heard(this: void, level: RoomLevel): void;
}

export interface RoomOptions {
  log: Log;
  clock: Clock;
  /** 0: any free one. */
  port: number;
  /** Folder of the built room screen. */
  ui: string;
  state: () => RoomState;
  /** Path of the JPEG that the encoder keeps rewriting. */
  ownPicture: () => string;
  /** @returns false where that is not on offer now; `null` is a session that the box makes itself */
  begin: (session: SessionId | null) => boolean;
  end: (session: SessionId) => boolean;
  /** @returns false where the room is not on that session's stage */
  hand: (session: SessionId, raised: boolean) => boolean;
  /** @returns false where the test cannot be begun now */
  soundTest: (act: RoomSoundAct["act"]) => boolean;
  openLive: (request: LiveRequest) => void;
}

const Begin = z.strictObject({ session: SessionId.nullable() });
const End = z.strictObject({ session: SessionId });
const Hand = z.strictObject({ session: SessionId, raised: z.boolean() }) satisfies z.ZodType<RoomHand>;
const SoundAct = z.strictObject({ act: z.enum(["start", "stop"]) }) satisfies z.ZodType<RoomSoundAct>;

/** A TV, a technician's browser and a few reloads that have not been noticed yet. */
const MAX_STREAMS = 8;
const LOOK_EVERY_MS = 500;
const SAY_AGAIN_MS = 10_000;
const BOUNDARY = "picture";

const NOT_BUILT = "The room screen has not been built (npm run build). State: /api/room\n";

export async function openRoom(options: RoomOptions): Promise<Room> {
  const { log, clock, state } = options;
  const stopping = new AbortController();
  const pictures = new Pictures({ clock, path: options.ownPicture, stat: statPicture, read: readFile });
  let bell = Promise.withResolvers<void>();
  let streams = 0;
  const levelListeners = new Set<(level: RoomLevel) => void>();

  const limited = async (use: () => Promise<void>) => {
    streams++;
    try {
      await use();
    } finally {
      streams--;
    }
  };

  const app = new Hono();
  // A name that resolves to 127.0.0.1 would let any web page read what only this machine may (DNS rebinding).
  app.use(async (c, next) => {
    if (!isOwnName(c.req.header("host"))) return c.text("only by the loopback address\n", 403);
    await next();
    return undefined;
  });
  /** Only what the page itself sends: another site can neither set this type of content nor leave out its origin. */
  const act = async (c: Context, perform: (body: unknown) => boolean | undefined) => {
    const host = c.req.header("host") ?? "";
    const json = /^application\/json\b/.test(c.req.header("content-type") ?? "");
    if (c.req.header("origin") !== `http://${host}` || !json) return c.text("only from the room's own page\n", 403);
    const done = perform(await c.req.json().catch(() => undefined));
    if (done === undefined) return c.text("not understood\n", 400);
    return done ? c.body(null, 204) : c.text("not on offer any more\n", 409);
  };
  app.post(ROOM_START_PATH, (c) =>
    act(c, (body) => {
      const begin = Begin.safeParse(body);
      return begin.success ? options.begin(begin.data.session) : undefined;
    }),
  );
  app.post(ROOM_STOP_PATH, (c) =>
    act(c, (body) => {
      const end = End.safeParse(body);
      return end.success ? options.end(end.data.session) : undefined;
    }),
  );
  app.post(ROOM_HAND_PATH, (c) =>
    act(c, (body) => {
      const hand = Hand.safeParse(body);
      return hand.success ? options.hand(hand.data.session, hand.data.raised) : undefined;
    }),
  );
  app.post(ROOM_SOUND_TEST_PATH, (c) =>
    act(c, (body) => {
      const wanted = SoundAct.safeParse(body);
      return wanted.success ? options.soundTest(wanted.data.act) : undefined;
    }),
  );
  app.get(ROOM_STATE_PATH, (c) => c.json(state()));
  app.get(ROOM_EVENTS_PATH, (c) => {
    if (streams >= MAX_STREAMS) return c.text("too many screens\n", 503);
    return streamSSE(c, (stream) =>
      limited(async () => {
        const gone = new AbortController();
        stream.onAbort(() => gone.abort());
        const signal = AbortSignal.any([gone.signal, stopping.signal]);
        let isBusy = false;
        const tellLevel = (level: RoomLevel) => {
          if (isBusy) return;
          isBusy = true;
          const { lufs, speech } = level;
          void stream
            .writeSSE({ event: ROOM_LEVEL_EVENT, data: JSON.stringify({ lufs, speech } satisfies RoomLevel) })
            .finally(() => (isBusy = false));
        };
        levelListeners.add(tellLevel);
        signal.addEventListener("abort", () => levelListeners.delete(tellLevel), { once: true });
        let said = "";
        let saidMs = -Infinity;
        while (!signal.aborted) {
          const rung = bell.promise;
          const now = state();
          const text = JSON.stringify({ ...now, at: "" });
          if (text !== said || clock.monotonicMs() - saidMs >= SAY_AGAIN_MS) {
            said = text;
            saidMs = clock.monotonicMs();
            await stream.writeSSE({ event: "state", data: JSON.stringify(now) });
          }
          await Promise.race([rung, clock.sleep(LOOK_EVERY_MS, signal).catch(() => {})]);
        }
      }),
    );
  });
  app.get(ROOM_PICTURE_PATH, (c) => {
    if (streams >= MAX_STREAMS) return c.text("too many screens\n", 503);
    streams++;
    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, stopping.signal]);
    let seen = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        // Asked for only when the last picture has been taken: a slow client skips pictures, and queues none.
        async pull(controller) {
          const next = await pictures.after(seen, signal);
          if (!next) {
            controller.close();
            return;
          }
          seen = next.number;
          const head = `--${BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: ${next.jpeg.length}\r\n\r\n`;
          controller.enqueue(Buffer.concat([Buffer.from(head), next.jpeg, Buffer.from("\r\n")]));
        },
        cancel: () => gone.abort(),
      },
      { highWaterMark: 1 },
    );
    signal.addEventListener("abort", () => streams--, { once: true });
    return c.body(body, 200, {
      "content-type": `multipart/x-mixed-replace; boundary=${BOUNDARY}`,
      "cache-control": "no-store",
    });
  });
  if (existsSync(options.ui)) app.get("*", serveStatic({ root: options.ui }));
  else log.warn("room.notBuilt", { folder: options.ui });
  app.notFound((c) => (c.req.path === "/" ? c.text(NOT_BUILT, 503) : c.text("no such page\n", 404)));
  app.onError((error, c) => {
    log.error("room.failed", { path: c.req.path, cause: causeOf(error) });
    return c.text("internal\n", 500);
  });

  const server = await listen(app, options.port);
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const { host, origin, upgrade, "sec-websocket-key": key } = request.headers;
    const wanted = parseRoomLivePath(request.url ?? "");
    // Browsers send Origin with every WebSocket: no page elsewhere can look into this room's session.
    if (!isOwnName(host) || origin !== `http://${host}`) socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    else if (!wanted || upgrade?.toLowerCase() !== "websocket" || !key || !WEBSOCKET_KEY.test(key))
      socket.end("HTTP/1.1 404 Not Found\r\n\r\n");
    else options.openLive({ ...wanted, key, socket, head });
  });
  const { port } = server.address() as AddressInfo;
  log.info("room.listening", { url: `http://127.0.0.1:${port}/` });
  return {
    port,
    heard(level) {
      for (const listener of levelListeners) listener(level);
    },
    changed() {
      bell.resolve();
      bell = Promise.withResolvers();
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ("closeAllConnections" in server) server.closeAllConnections();
      });
    },
  };
}

const isOwnName = (host: string | undefined): boolean =>
  ["127.0.0.1", "localhost", "[::1]"].includes((host ?? "").replace(/:\d+$/, ""));

/** 16 bytes in base64 (RFC 6455, 4.1); it goes into a request to the hub. */
const WEBSOCKET_KEY = /^[A-Za-z0-9+/]{22}==$/;

function listen(app: Hono, port: number): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port }, () => resolve(server));
    server.once("error", reject);
  });
}

async function statPicture(path: string): Promise<string | undefined> {
  try {
    const { mtimeMs, ino, size } = await stat(path);
    return `${ino}:${mtimeMs}:${size}`;
  } catch {
    return undefined;
  }
}

/** This machine's own addresses, for the technician who looks for it; without loopback and link-local ones. */
export function ownAddresses(interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces()): string[] {
  return Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:") && !address.startsWith("169.254."))
    .map(({ address }) => address);
}
