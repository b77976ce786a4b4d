import { X509Certificate } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { runChecked, startProcess, systemClock, type Child, type Clock } from "../../src/platform/platform.ts";
import type { RoomState } from "../../src/protocol/protocol.ts";
import { DeskCaller } from "../support/desk-caller.ts";
import { freePort } from "../support/free-port.ts";
import { makeHubFolder } from "../support/hub-process.ts";
import { gone, newRequest, openControlPeer, openHubDoor, pairBox, type PairedPeer } from "../support/hub-door.ts";
import { fakeClock } from "../support/storm.ts";
import { until } from "../support/until.ts";

const DAY_MS = 86_400_000;
const VALID_DAYS = 825;
const keyOf = (pem: string) => new X509Certificate(pem).publicKey.export({ type: "spki", format: "pem" });

/** A request with the key that the peer has, by the real openssl. */
async function requestOf({ keyPem }: PairedPeer): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-renewal-"));
  try {
    await writeFile(join(directory, "key"), keyPem, { mode: 0o600 });
    return (await runChecked(["openssl", "req", "-new", "-key", join(directory, "key"), "-subj", "/CN=x"])).stdout;
  } finally {
    await rm(directory, { recursive: true });
  }
}

describe("the hub", () => {
  test("renews for the same key and near the end only, and the former certificate holds until the new one is seen", async () => {
    let movedMs = 0;
    const clock: Clock = { ...systemClock, bootId: "test", wallMs: () => systemClock.wallMs() + movedMs };
    await using door = await openHubDoor({ clock });
    const peer = await pairBox(door, "Xã A");
    const csrPem = await requestOf(peer);
    const early = await openControlPeer(door, peer);
    early.say({ type: "renew", csrPem });
    // Whatever comes after it has been read after it.
    early.say({ type: "roomSessions", at: reading(), sessions: [] });
    await early.got("adopted");
    expect(early.received.some(({ type }) => type === "renewed")).toBe(false);

    movedMs = (VALID_DAYS - 270) * DAY_MS;
    early.say({ type: "renew", csrPem: (await newRequest()).csrPem });
    await door.logged("renewal.anotherKey", { box: peer.box });
    early.say({ type: "renew", csrPem });
    const { certificatePem } = await early.got("renewed");
    expect(certificatePem).not.toBe(peer.certificatePem);
    expect(keyOf(certificatePem)).toBe(keyOf(peer.certificatePem));
    expect(new X509Certificate(certificatePem).subject).toBe(`CN=${peer.box}`);
    expect(await door.fleet.boxKey(peer.box)).toBe(certificatePem);

    // It died before it could store it: it comes back with the old one, asks again, and is given the same.
    const back = await openControlPeer(door, peer);
    back.say({ type: "renew", csrPem });
    expect((await back.got("renewed")).certificatePem).toBe(certificatePem);
    const renewed = await openControlPeer(door, { ...peer, certificatePem });
    await renewed.got("welcome");
    const rejected = await openControlPeer(door, peer).then(
      (channel) => gone(channel.ws as never),
      () => "refused",
    );
    expect(rejected).toBe("refused");
    await until("the former one is forgotten", async () => {
      const row = await door.db.selectFrom("box").selectAll().where("id", "=", peer.box).executeTakeFirstOrThrow();
      return row.formerSerial === null && row.certificatePem === certificatePem;
    });
    const audit = await door.db.selectFrom("auditEntry").select("act").where("act", "=", "box.renewed").execute();
    expect(audit).toHaveLength(1);
    expect(await door.fleet.revoke(peer.box, "test")).toBe(true);
    await renewed.closed;
  });
});

const reading = () => ({
  ...{ utc: "2026-11-21T08:00:00.000Z", monotonicMs: 0, bootId: "b", hubOffsetMs: null, hubOffsetErrorMs: null },
});

describe("hub and box, 600 days after the pairing", () => {
  const children: Child[] = [];
  let directory: string | undefined;
  afterEach(async () => {
    for (const child of children.splice(0).toReversed()) await child.stop(20_000);
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  });

  test("the box has a new certificate by itself, for its old key, and comes back with it", async () => {
    directory = await mkdtemp(join(tmpdir(), "diemcau-renewed-"));
    const at = (name: string) => join(directory!, name);
    const [tls, loopback, roomPort] = [await freePort(), await freePort(), await freePort()];
    const root = join(import.meta.dirname, "../..");
    await using folder = await makeHubFolder({
      listen: { host: "127.0.0.1", port: tls },
      loopback: { port: loopback },
    });
    const run = async (name: string, env: NodeJS.ProcessEnv, argv: string[]) => {
      const log = openSync(at(`${name}.log`), "a", 0o600);
      const child = await startProcess([process.execPath, ...argv], {
        stdio: ["ignore", log, log],
        env: { ...process.env, ...env },
      });
      closeSync(log);
      children.push(child);
      return child;
    };
    const startHub = (env: NodeJS.ProcessEnv) =>
      run("hub", env, [join(root, "src/hub/main.ts"), "--config", join(folder.directory, "hub.json")]);
    const startBox = (env: NodeJS.ProcessEnv) =>
      run("box", env, [join(root, "src/edge/start.js"), "--config", at("box.json")]);
    await writeFile(
      at("box.json"),
      JSON.stringify({
        ...{ dataDirectory: "data", runDirectory: "run", hub: { host: "127.0.0.1", port: tls } },
        ...{ capture: { source: { kind: "virtual", label: "Xã A" } }, room: { port: roomPort } },
      }),
    );
    const roomIs = (what: string, condition: (state: RoomState) => boolean) =>
      until(
        what,
        async () => {
          const state = (await (await fetch(`http://127.0.0.1:${roomPort}/api/room`)).json()) as RoomState;
          return condition(state) && state;
        },
        { withinMs: 40_000, everyMs: 100 },
      );
    const identity = async () =>
      JSON.parse(await readFile(at("data/identity/identity.json"), "utf8")) as { box: string; certificatePem: string };

    const hub = await startHub({});
    const box = await startBox({});
    const oneTime = await until(
      "the hub prints its one-time password",
      async () => /\b([A-Z0-9]{4}(?:-[A-Z0-9]{4}){3})\b/.exec(await readFile(at("hub.log"), "utf8"))?.[1],
      { withinMs: 20_000 },
    );
    const desk = new DeskCaller(`http://127.0.0.1:${loopback}`);
    await desk.settle(oneTime, "một mật khẩu rất dài");
    const { pairing } = await roomIs("a code is shown", ({ pairing }) => pairing.state === "code");
    const code = pairing.state === "code" ? pairing.code : "";
    expect((await desk.post("/api/pairing", { code, pointName: "Xã A" })).status).toBe(200);
    await roomIs("it is connected", ({ connected }) => connected);
    const first = await identity();
    await box.stop(20_000);
    await hub.stop(20_000);

    const later = { ...(await fakeClock(at("clock"))), FAKETIME_TIMESTAMP_FILE: undefined, FAKETIME: "+600d" };
    await startHub(later);
    await startBox(later);
    await roomIs("it is connected", ({ connected }) => connected);
    const next = await until(
      "it has a new certificate",
      async () => {
        const now = await identity();
        return now.certificatePem !== first.certificatePem && now;
      },
      { withinMs: 20_000 },
    );
    expect(next.box).toBe(first.box);
    expect(keyOf(next.certificatePem)).toBe(keyOf(first.certificatePem));
    const days = (Date.parse(new X509Certificate(next.certificatePem).validTo) - Date.now()) / DAY_MS;
    expect(days).toBeGreaterThan(600 + VALID_DAYS - 2);
    await until(
      "it came back with it",
      async () => {
        const { length } = [...(await readFile(at("hub.log"), "utf8")).matchAll(/"event":"control.connected"/g)];
        return length >= 3;
      },
      { withinMs: 20_000 },
    );
    await roomIs("it is connected", ({ connected }) => connected);
  });
});
