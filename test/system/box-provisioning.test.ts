import { X509Certificate } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, connect, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runChecked, startProcess, type Child } from "../../src/platform/platform.ts";
import { STICK_FILE, stickText, type RoomState, type Stick } from "../../src/protocol/protocol.ts";
import { freePort } from "../support/free-port.ts";
import { startUplinkHub, type UplinkHub } from "../support/uplink-hub.ts";
import { until } from "../support/until.ts";

const root = join(import.meta.dirname, "../..");

let directory: string;
let hub: UplinkHub;
let caSha256: string;
let roomPort: number;
let agent: Child | undefined;

const at = (name: string) => join(directory, name);
const plug = (content: string | Uint8Array) => writeFile(at(`stick/${STICK_FILE}`), content);
const stick = (changes: Partial<Stick> = {}): Stick => ({
  v: 1,
  hub: { host: "127.0.0.1", port: hub.port, caSha256 },
  ...changes,
});

async function startAgent(config: object = {}): Promise<void> {
  await writeFile(
    at("box.json"),
    JSON.stringify({
      ...{ dataDirectory: "data", runDirectory: "run", room: { port: roomPort } },
      capture: { source: { kind: "virtual", label: "Xã A" } },
      provisioning: { stickDirectory: "stick", requestDirectory: "request" },
      ...config,
    }),
  );
  const log = openSync(at("box.log"), "a", 0o600);
  const argv = [process.execPath, join(root, "src/edge/start.js"), "--config", at("box.json")];
  agent = await startProcess(argv, { stdio: ["ignore", log, log] });
  closeSync(log);
}

const roomIs = (what: string, condition: (state: RoomState) => boolean) =>
  until(
    what,
    async () => {
      const state = (await (await fetch(`http://127.0.0.1:${roomPort}/api/room`)).json()) as RoomState;
      return condition(state) && state;
    },
    { withinMs: 30_000, everyMs: 50 },
  );

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "diemcau-provisioning-"));
  for (const name of ["stick", "request"]) await mkdir(at(name));
  hub = await startUplinkHub();
  caSha256 = new X509Certificate(hub.authority.caPem).fingerprint256.replaceAll(":", "").toLowerCase();
  roomPort = await freePort();
});
afterEach(async () => {
  await agent?.stop(20_000);
  agent = undefined;
  await hub[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

describe("a box that knows no hub", () => {
  test("says so, finds the hub by a stick that is plugged in, asks for its network, and shows a code", async () => {
    await startAgent();
    await roomIs("it says that nobody named a hub", ({ network }) => network?.trouble === "hubUnknown");
    await plug(Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(stickText(stick()), "utf16le")]));
    const { network } = await roomIs(
      "a code is shown",
      (state) => state.pairing.state === "code" && state.stick?.state === "taken",
    );
    expect(network).toMatchObject({
      hubSource: "stick",
      trouble: null,
      pairingPage: `https://127.0.0.1:${hub.port}/ghep-thiet-bi`,
    });
    expect(await readFile(at("request/network"), "utf8")).toMatch(/^\d+\n$/);

    const state = await roomIs("still a code", (state) => state.pairing.state === "code");
    const outcome = await hub.fleet.pairing.typeCode(
      state.pairing.state === "code" ? state.pairing.code : "",
      { pointName: "Xã A" },
      "test",
    );
    expect(outcome.ok).toBe(true);
    await roomIs("it is paired", ({ connected }) => connected);

    // Of another hub, which this box was never paired with.
    await plug(stickText(stick({ hub: { host: "127.0.0.1", port: 1, caSha256: "0".repeat(64) } })));
    await roomIs("the other hub's stick is refused", (state) => state.stick?.state === "otherHub" && state.connected);
    expect(await readFile(at("data/provisioning/stick.json"), "utf8")).toContain(caSha256);
  });

  test("shows by field what is wrong on a stick, keeps nothing of it, and takes the mended one", async () => {
    await startAgent();
    await plug(stickText(stick({ network: { address: "10.24.3.17" } })));
    const { stick: seen } = await roomIs("the fault is shown", ({ stick }) => stick?.state === "faulty");
    expect(seen).toEqual({
      state: "faulty",
      faults: [{ code: "invalid", field: "network.address", found: "10.24.3.17" }],
    });
    await expect(stat(at("data/provisioning/stick.json"))).rejects.toThrow("ENOENT");
    await plug(new Uint8Array([0xc3, 0x28]));
    await roomIs(
      "what is no text is told as such",
      ({ stick }) => stick?.state === "faulty" && stick.faults[0]!.code === "notText",
    );
    await plug(`\uFEFF${stickText(stick())}`);
    await roomIs("a code is shown", (state) => state.pairing.state === "code");
    await rm(at(`stick/${STICK_FILE}`));
    await roomIs("the stick is pulled", (state) => state.stick === null && state.pairing.state === "code");
  });

  test("pairs with no hub but the one whose fingerprint the stick has", async () => {
    await plug(stickText(stick({ hub: { host: "127.0.0.1", port: hub.port, caSha256: "0".repeat(64) } })));
    await startAgent();
    const { network } = await roomIs("it is another hub", ({ pairing }) => pairing.state === "wrongHub");
    expect(network).toMatchObject({ hubSource: "stick", trouble: null });
  });

  test("goes through a proxy where the stick names one, and sees a proxy that refuses as a hub that is silent", async () => {
    const proxy = await startProxy();
    const { port } = proxy.server.address() as AddressInfo;
    await plug(stickText(stick({ network: { proxy: `127.0.0.1:${port}` } })));
    await startAgent();
    const { hubAddress } = await roomIs("a code is shown", (state) => state.pairing.state === "code");
    expect(hubAddress).toBe(`127.0.0.1:${hub.port}`);
    expect(new Set(proxy.asked)).toEqual(new Set([`127.0.0.1:${hub.port}`]));
    proxy.refuse();
    await roomIs("nothing answers any more", ({ pairing }) => pairing.state === "code" && !pairing.hubAnswers);
    await new Promise<void>((resolve) => proxy.server.close(() => resolve()));
  });
});

test("root's part writes the network of the kept stick, and takes back what no stick asks for any more", async () => {
  await mkdir(at("data/provisioning"), { recursive: true });
  const apply = () =>
    runChecked([
      ...[process.execPath, join(root, "src/edge/provisioning/apply-network-main.ts")],
      ...["--data", at("data"), "--root", at("root")],
    ]);
  const kept = (content: Stick) => writeFile(at("data/provisioning/stick.json"), stickText(content));
  expect((await apply()).stdout.trim()).toBe("");
  await kept(stick({ network: { address: "10.24.3.17/24", vlan: 120 }, ntp: ["10.24.0.1"] }));
  expect((await apply()).stdout.trim().split("\n").sort()).toEqual([
    "run/chrony-dhcp/20-diem-cau.sources",
    "run/systemd/network/20-diem-cau-vlan.netdev",
    "run/systemd/network/20-diem-cau-vlan.network",
    "run/systemd/network/20-diem-cau.network",
  ]);
  const network = at("root/run/systemd/network/20-diem-cau.network");
  expect((await stat(network)).mode & 0o777).toBe(0o644);
  expect((await apply()).stdout.trim()).toBe("");
  await writeFile(at("root/run/systemd/network/70-other.network"), "");
  await kept(stick());
  expect((await apply()).stdout.trim().split("\n")).toHaveLength(4);
  await expect(stat(network)).rejects.toThrow("ENOENT");
  await stat(at("root/run/systemd/network/70-other.network"));
  await writeFile(at("data/provisioning/stick.json"), '{"v": 1, "hub": {}}');
  await expect(apply()).rejects.toThrow("docs/ref/stick.md");
});

/** An HTTP proxy that knows CONNECT alone. */
async function startProxy(): Promise<{ server: Server; asked: string[]; refuse: () => void }> {
  const asked: string[] = [];
  let refused = false;
  const open = new Set<{ destroy(): void }>();
  const server = createServer((near) => {
    near.on("error", () => {});
    near.once("data", (head: Buffer) => {
      const target = /^CONNECT (\S+) HTTP\/1\.1\r\n/.exec(head.toString("latin1"))?.[1] ?? "";
      asked.push(target);
      if (refused) {
        near.end("HTTP/1.1 403 Forbidden\r\n\r\n");
        return;
      }
      const [host, port] = target.split(":") as [string, string];
      const far = connect(Number(port), host, () => {
        near.write("HTTP/1.1 200 OK\r\nVia: 1.1 test\r\n\r\n");
        near.pipe(far).pipe(near);
      });
      open.add(near).add(far);
      far.on("error", () => near.destroy());
      near.once("close", () => far.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const refuse = () => {
    refused = true;
    for (const socket of open) socket.destroy();
  };
  return { server, asked, refuse };
}
