import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { planNetwork } from "../../src/edge/provisioning/network-plan.ts";
import { runChecked, startProcess, type Child } from "../../src/platform/platform.ts";
import type { RoomState } from "../../src/protocol/protocol.ts";
import { makeHubFolder, type HubFolder, type RunningHub } from "../support/hub-process.ts";
import { makeNamespace, type Namespace } from "../support/namespace.ts";
import { until } from "../support/until.ts";

/**
 * A box that was told nothing, in a room whose network says where the hub is: dnsmasq and avahi as they are, and
 * systemd-networkd with the box's own files. Needs root.
 */
const root = join(import.meta.dirname, "../..");
const DOMAIN = "xa.tinh.example";

let directory: string;
let namespace: Namespace;
let folder: HubFolder;
let hub: RunningHub;
let peers: Child[];
/** 10.78.N.0/24 is the room's network; the hub is its first address. */
let subnet: string;

const at = (name: string) => join(directory, name);
const ip = (...args: string[]) => runChecked(["ip", ...args]);
const start = async (argv: string[]) => void peers.push(await startProcess(argv, { stdio: "ignore" }));

beforeEach(async () => {
  peers = [];
  directory = await mkdtemp(join(tmpdir(), "diemcau-discovery-"));
  for (const name of ["network", "services"]) await mkdir(at(name));
  namespace = await makeNamespace();
  const { near, far } = namespace.devices;
  subnet = `10.78.${near.replace("dcn", "")}`;
  await ip("addr", "add", `${subnet}.1/24`, "dev", near);
  await ip("-n", namespace.enter[3]!, "addr", "flush", "dev", far);
  folder = await makeHubFolder({ listen: { host: "0.0.0.0", port: 0 } });
  hub = await folder.start();
  await writeFile(at("resolv.conf"), "");
  await writeFile(
    at("box.json"),
    JSON.stringify({
      ...{ dataDirectory: "data", runDirectory: "run", room: { port: 7080 } },
      capture: { source: { kind: "virtual", label: "Xã A" } },
    }),
  );
});
afterEach(async () => {
  for (const peer of peers.toReversed()) await peer.stop(10_000);
  await folder[Symbol.asyncDispose]();
  await namespace[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** dnsmasq on the line into the room, with the file that administrators are given, for this hub. */
async function serveNetwork(keep: RegExp): Promise<void> {
  const given = await readFile(join(root, "provisioning/network/dnsmasq.conf"), "utf8");
  const lines = given
    .replaceAll("_diemcau._tcp.tinh.example", `_diemcau._tcp.${DOMAIN}`)
    .replaceAll("hub.tinh.example", `hub.${DOMAIN}`)
    .replaceAll("8443", String(hub.tlsPort))
    .split("\n")
    .filter((line) => keep.test(line));
  const own = [
    ...[`interface=${namespace.devices.near}`, "bind-interfaces", "except-interface=lo", "no-resolv", "no-hosts"],
    ...[`dhcp-range=${subnet}.50,${subnet}.60,1h`, `domain=${DOMAIN}`, "no-ping", "leasefile-ro"],
    `host-record=hub.${DOMAIN},${subnet}.1`,
  ];
  await writeFile(at("dnsmasq.conf"), [...own, ...lines, ""].join("\n"));
  await start(["dnsmasq", "-k", "-C", at("dnsmasq.conf"), "--user=root", "--pid-file="]);
  await writeFile(at("resolv.conf"), `nameserver ${subnet}.1\n`);
}

async function startBox(withDhcp: boolean): Promise<void> {
  // What a stick with a name server asks for is DHCP, with the option that may name the hub.
  const hub = { host: "x", port: 1, caSha256: "0".repeat(64) };
  for (const { path, text } of planNetwork({ v: 1, hub, network: { dns: [`${subnet}.1`] } }))
    // Here the wire is one of a pair, and not a card.
    await writeFile(at(`network/${path.split("/").at(-1)}`), text.replace("Kind=!*", "Kind=veth"));
  const script = join(root, "test/support/room-network.sh");
  await start([
    ...[...namespace.enter, "unshare", "--mount", "--propagation", "private", "sh", script],
    ...[at("network"), at("resolv.conf"), withDhcp ? at("networkd.log") : "-"],
    ...[process.execPath, join(root, "src/edge/start.js"), "--config", at("box.json")],
  ]);
}

async function roomState(): Promise<RoomState> {
  const ask = "process.stdout.write(await (await fetch('http://127.0.0.1:7080/api/room')).text())";
  const { stdout } = await runChecked([...namespace.enter, process.execPath, "--input-type=module", "-e", ask]);
  return JSON.parse(stdout) as RoomState;
}
const roomIs = (what: string, condition: (state: RoomState) => boolean) =>
  until(
    what,
    async () => {
      const state = await roomState();
      return condition(state) && state;
    },
    { withinMs: 40_000, everyMs: 300 },
  );
const showsCode = ({ pairing }: RoomState) => pairing.state === "code" && pairing.hubAnswers;

describe("a box that was told nothing", () => {
  test("says what the room's network lacks, then finds the hub by the DHCP server's option", async () => {
    await startBox(true);
    await roomIs("it has no address", ({ network }) => network?.trouble === "noAddress");
    await namespace.cut();
    await roomIs("the cable is out", ({ network }) => network?.trouble === "noCable");
    await namespace.mend();
    await ip("addr", "replace", `${subnet}.1/24`, "dev", namespace.devices.near);
    await serveNetwork(/^dhcp-option/);
    const state = await roomIs("a code is shown", showsCode);
    expect(state.network).toMatchObject({ hubSource: "dhcp", trouble: null, pairingPage: null });
    expect(state.hubAddress).toBe(`hub.${DOMAIN}:${hub.tlsPort}`);
    expect(state.network!.macs[0]).toMatch(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
  });

  test("finds the hub by its name in the domain that DHCP gave", async () => {
    await serveNetwork(/^srv-host/);
    await startBox(true);
    const state = await roomIs("a code is shown", showsCode);
    expect([state.network!.hubSource, state.hubAddress]).toEqual(["dns", `hub.${DOMAIN}:${hub.tlsPort}`]);
  });

  test("finds a hub on its own LAN by multicast, where no server says anything", async () => {
    const { near, far } = namespace.devices;
    const network = namespace.enter[3]!;
    await ip("-n", network, "addr", "add", `${subnet}.2/24`, "dev", far);
    await ip("-n", network, "route", "add", "default", "via", `${subnet}.1`);
    const service = await readFile(join(root, "provisioning/network/avahi.service"), "utf8");
    await writeFile(at("services/diem-cau.service"), service.replace("8443", String(hub.tlsPort)));
    await writeFile(
      at("avahi.conf"),
      `[server]\nallow-interfaces=${near}\nuse-ipv6=no\nenable-dbus=no\n[publish]\npublish-hinfo=no\n[rlimits]\n`,
    );
    const mounted = 'mount -t tmpfs tmpfs /run && mount --bind "$0" /etc/avahi/services && exec avahi-daemon "$@"';
    await start([
      ...["unshare", "--mount", "--propagation", "private", "sh", "-c", mounted, at("services")],
      ...["-f", at("avahi.conf"), "--no-drop-root", "--no-chroot", "--no-rlimits"],
    ]);
    await startBox(false);
    const state = await roomIs("a code is shown", showsCode);
    expect([state.network!.hubSource, state.hubAddress]).toEqual(["mdns", `${subnet}.1:${hub.tlsPort}`]);
  });
});
