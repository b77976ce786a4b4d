import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, test } from "vitest";
import { layCable } from "../support/cable.ts";

/** More than the buffers of four sockets hold. */
const MUCH = Buffer.alloc(32 << 20);

/** What other tests lean on: a line that is cut tells nobody, and can be taken away in any state. */
test("a cable whose far end is gone while it is cut tells nobody, and can be taken away", async () => {
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cable = await layCable({ host: "127.0.0.1", port: (server.address() as AddressInfo).port });
  const arriving = once(server, "connection") as Promise<[Socket]>;
  const near = connect(cable.port, "127.0.0.1");
  near.on("error", () => {});
  near.write(MUCH);
  const [far] = await arriving;
  cable.cut();
  // With bytes for it under way, so that its end is noticed although nothing is read.
  far.resetAndDestroy();
  await once(far, "close");
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(near.destroyed).toBe(false);
  const heard = new Promise((resolve) => near.once("close", resolve));
  await cable[Symbol.asyncDispose]();
  await heard;
  server.close();
});
