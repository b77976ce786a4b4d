import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer as createHttpServer } from "node:http";
import { WebSocketServer } from "ws";
import { createIngest } from "../../src/hub/ingest/ingest.ts";
import { createLive } from "../../src/hub/live/live.ts";
import { createLog, systemClock } from "../../src/platform/platform.ts";
import { BoxId, type LiveKind } from "../../src/protocol/protocol.ts";

/**
 * The hub's ingest and fan-out alone in a process: arguments are boxes, each gets an RTMP port of its own (in the
 * hub the certificate tells them apart). Prints the ports as one line of JSON and serves until it is ended.
 */
const log = createLog(systemClock, undefined, "warn");
const live = createLive({ log, clock: systemClock });
const ingest = createIngest({ log, clock: systemClock, sink: live.sink });

const rtmpPorts: Record<string, number> = {};
for (const argument of process.argv.slice(2)) {
  const box = BoxId.parse(argument);
  const server = createServer({ noDelay: true }, (socket) => ingest.accept(socket, box));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  rtmpPorts[box] = (server.address() as AddressInfo).port;
}
const web = createHttpServer();
new WebSocketServer({ server: web, perMessageDeflate: false }).on("connection", (socket, request) => {
  const [, box, kind] = request.url!.split("/");
  live.addViewer(socket, BoxId.parse(box), kind as LiveKind);
});
web.listen(0, "127.0.0.1");
await once(web, "listening");
console.log(JSON.stringify({ rtmpPorts, webPort: (web.address() as AddressInfo).port }));
