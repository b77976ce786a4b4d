import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Carriage } from "../../src/edge/uplink/carriage.ts";
import type { HubSocket } from "../../src/edge/uplink/dial.ts";
import { until } from "../support/until.ts";

let resources: AsyncDisposableStack;
let isThrifty = false;
beforeEach(() => {
  resources = new AsyncDisposableStack();
  isThrifty = false;
});
afterEach(() => resources.disposeAsync());

/** Both ends; the second as the relay accepts it. */
async function connection(): Promise<[Socket, Socket]> {
  const server = createServer({ noDelay: true, pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const one = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", noDelay: true });
  const [[other]] = (await Promise.all([once(server, "connection"), once(one, "connect")])) as [[Socket], unknown];
  server.close();
  for (const end of [one, other]) {
    end.on("error", () => {});
    resources.defer(() => void end.destroy());
  }
  return [one, other];
}

/** A program that publishes, and the hub; what the agent writes to it, by length. */
async function way() {
  const [program, accepted] = await connection();
  const [far, hub] = await connection();
  const pieces: number[] = [];
  const write = far.write.bind(far);
  far.write = (bytes: Buffer) => {
    pieces.push(bytes.length);
    return write(bytes);
  };
  const carriage = new Carriage(accepted, () => isThrifty);
  resources.defer(() => void carriage.from.destroy());
  carriage.join(far as HubSocket);
  return { program, carriage, far, hub, pieces };
}

test("the head of a message waits for what it heads, and nothing else waits", async () => {
  const { program, carriage, hub, pieces } = await way();
  const arrived: Buffer[] = [];
  hub.on("data", (chunk: Buffer) => arrived.push(chunk)).resume();
  for (const size of [3_000, 80, 90_000]) {
    const [head, body] = [randomBytes(8), randomBytes(size)];
    program.write(head);
    await until("the head is held", () => carriage.heldBytes === head.length);
    expect(pieces).toEqual([]);
    program.write(body);
    await until("all of it is at the hub", () => Buffer.concat(arrived).length === head.length + size);
    expect(Buffer.concat(arrived.splice(0))).toEqual(Buffer.concat([head, body]));
    expect(pieces.splice(0)[0]).toBeGreaterThan(head.length);
    expect(carriage.heldBytes).toBe(0);
  }
  program.end(randomBytes(4));
  await once(hub, "end");
  expect(Buffer.concat(arrived)).toHaveLength(4);
});

test("on a narrow line messages that come close together travel together", async () => {
  const { program, carriage, hub, pieces } = await way();
  isThrifty = true;
  let bytes = 0;
  hub.on("data", (chunk: Buffer) => (bytes += chunk.length)).resume();
  program.write(randomBytes(80));
  await until("the first is held", () => carriage.heldBytes === 80);
  program.write(randomBytes(90));
  await until("both are at the hub", () => bytes === 170);
  expect(pieces).toEqual([170]);
  program.write(randomBytes(5_000));
  await until("a large one does not wait", () => bytes === 5_170);
});

test("a hub that does not read is waited for in the kernel; then all arrives, in order, and the end with it", async () => {
  const { program, carriage, far, hub } = await way();
  const sent = randomBytes(24 << 20);
  program.end(sent);
  let most = 0;
  await until("nothing moves any more", async () => {
    const before = carriage.from.bytesRead;
    for (let turn = 0; turn < 200; turn++) {
      most = Math.max(most, carriage.heldBytes + far.writableLength);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return before > 0 && carriage.from.bytesRead === before;
  });
  expect(carriage.from.bytesRead).toBeLessThan(sent.length);
  expect(most).toBeLessThan(256 * 1024);
  const hash = createHash("sha256");
  hub.on("data", (chunk: Buffer) => hash.update(chunk)).resume();
  await once(hub, "end");
  expect(hash.digest("hex")).toBe(createHash("sha256").update(sent).digest("hex"));
});
