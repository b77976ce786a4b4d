import { rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { WebSocketServer, type WebSocket } from "ws";
import { makeDirectory, randomId, type Log } from "../../platform/platform.ts";
import { COMPANION_FEED, makeId } from "../../protocol/protocol.ts";
import { JpegParts } from "./jpeg-parts.ts";
import { SHARE_FOLDER } from "./share.ts";

/** Takes what the encoder hands over and gives it to the page. */
export interface Feed extends AsyncDisposable {
  /** Address of the WebSocket, with a secret that nobody else on this machine knows. */
  readonly address: string;
}

/** A page that has not taken this much is shown newer pictures later; a second of pictures. */
const PICTURES_WAIT_BYTES = 1_000_000;
/** It does not even take its sound: it connects again. */
const GIVE_UP_BYTES = 4_000_000;
/** Samples are sent in whole ones. */
const SAMPLE_BYTES = 2;

/**
 * INVARIANTS: nothing is held for a page that does not read; the encoder is always read from, so that it never waits.
 */
export async function openFeed({ runDirectory, log }: { runDirectory: string; log: Log }): Promise<Feed> {
  const directory = join(runDirectory, SHARE_FOLDER);
  await makeDirectory(directory);
  const stack = new AsyncDisposableStack();
  try {
    const path = `/${makeId("take", randomId())}`;
    const http = createHttpServer((_request, response) => response.writeHead(404).end());
    const pages = new WebSocketServer({ server: http, path, maxPayload: 1_024, perMessageDeflate: false });
    pages.on("connection", (page: WebSocket) => {
      log.info("companion.pageConnected", {});
      page.on("error", () => {});
    });
    await listening(http, () => http.listen(0, "127.0.0.1"));
    stack.defer(async () => {
      for (const page of pages.clients) page.terminate();
      pages.close();
      http.closeAllConnections();
      await new Promise<void>((resolve) => http.close(() => resolve()));
    });
    const give = (kind: number, bytes: Buffer, mayWaitBytes: number) => {
      const message = Buffer.concat([Buffer.of(kind), bytes]);
      for (const page of pages.clients)
        if (page.bufferedAmount > GIVE_UP_BYTES) page.terminate();
        else if (page.bufferedAmount <= mayWaitBytes) page.send(message);
    };

    const takeFrom = async (name: string, onSocket: (socket: Socket) => void) => {
      const socketPath = join(directory, name);
      // Of an earlier life that was killed.
      await rm(socketPath, { force: true });
      const sockets = new Set<Socket>();
      const server: Server = createServer((socket) => {
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket)).on("error", () => {});
        onSocket(socket);
      });
      await listening(server, () => server.listen(socketPath));
      stack.defer(async () => {
        for (const socket of sockets) socket.destroy();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      });
    };
    await takeFrom("picture", (socket) => {
      const parts = new JpegParts();
      socket.on("data", (bytes: Buffer) => {
        try {
          // Only the newest of those that came at once.
          const picture = parts.push(bytes).at(-1);
          if (picture) give(COMPANION_FEED.picture, picture, PICTURES_WAIT_BYTES);
        } catch (error) {
          socket.destroy(error as Error);
        }
      });
    });
    await takeFrom("sound", (socket) => {
      let odd: Buffer = Buffer.alloc(0);
      socket.on("data", (bytes: Buffer) => {
        const all = odd.length === 0 ? bytes : Buffer.concat([odd, bytes]);
        const whole = all.length - (all.length % SAMPLE_BYTES);
        odd = all.subarray(whole);
        if (whole > 0) give(COMPANION_FEED.sound, all.subarray(0, whole), GIVE_UP_BYTES);
      });
    });
    const { port } = http.address() as AddressInfo;
    const resources = stack.move();
    return { address: `ws://127.0.0.1:${port}${path}`, [Symbol.asyncDispose]: () => resources.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject).once("listening", () => resolve());
    listen();
  });
}
