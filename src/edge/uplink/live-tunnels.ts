import type { Socket } from "node:net";
import { causeOf, type Log } from "../../platform/platform.ts";
import { HUB_TLS_NAME, roomLivePath, type BoxId, type LiveKind } from "../../protocol/protocol.ts";
import type { Dial, HubSocket } from "./dial.ts";

/** A WebSocket that the room's own page has asked for, before any answer to it. */
export interface LiveRequest {
  box: BoxId;
  kind: LiveKind;
  /** Its Sec-WebSocket-Key: hub and page shake hands with each other. */
  key: string;
  socket: Socket;
  /** What has come behind the request already. */
  head: Buffer;
}

/** Other rooms' pictures and sound for the room's page. */
export interface LiveTunnels {
  setDial(dial: Dial | undefined): void;
  dropAll(): void;
  open(request: LiveRequest): void;
}

/** Picture and sound of 40 rooms, and as many that have not been noticed to be gone. */
const MAX_TUNNELS = 160;
const REFUSED = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/**
 * Hands such WebSockets on to the hub, which decides by the stage what this room may see. The agent neither parses nor
 * gathers what flows: each piece goes on as it comes, so nothing is delayed, and close codes arrive as they were sent.
 *
 * INVARIANTS
 * - Nothing is buffered beyond the sockets' own high-water marks: a page that does not read stops the reading from the hub,
 *   and the hub drops for it.
 * - Both ends of a tunnel end together.
 */
export function createLiveTunnels({ log }: { log: Log }): LiveTunnels {
  let dial: Dial | undefined;
  const tunnels = new Set<{ near: Socket; far: HubSocket | undefined }>();

  const dropAll = () => {
    for (const { near, far } of tunnels) {
      far?.reset();
      near.destroy();
    }
  };
  return {
    dropAll,
    setDial(next) {
      dial = next;
      dropAll();
    },
    open({ box, kind, key, socket: near, head }) {
      near.on("error", () => {});
      if (!dial || tunnels.size >= MAX_TUNNELS) {
        near.end(REFUSED);
        return;
      }
      const tunnel: { near: Socket; far: HubSocket | undefined } = { near, far: undefined };
      const gone = new AbortController();
      tunnels.add(tunnel);
      near.once("close", () => {
        gone.abort(new Error("the page closed its connection"));
        if (tunnel.far) tunnel.far.destroySoon();
        else tunnels.delete(tunnel);
      });
      dial("http", gone.signal).then(
        (far) => {
          if (near.destroyed) {
            far.destroy();
            return;
          }
          tunnel.far = far;
          far.on("error", () => {});
          far.once("close", () => {
            tunnels.delete(tunnel);
            // Close frames of the hub are still on their way.
            near.destroySoon();
          });
          far.write(
            `GET ${roomLivePath(box, kind)} HTTP/1.1\r\nHost: ${HUB_TLS_NAME}\r\nConnection: Upgrade\r\n` +
              `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
          );
          if (head.length > 0) far.write(head);
          far.pipe(near);
          near.pipe(far);
        },
        (error: unknown) => {
          if (!near.destroyed) log.info("live.notReached", { box, kind, cause: causeOf(error) });
          near.end(REFUSED);
        },
      );
    },
  };
}
