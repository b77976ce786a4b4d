import { once } from "node:events";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { connect as connectHttp2, constants } from "node:http2";
import { request as requestHttp } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import {
  ALPN,
  CONTROL_PATH,
  HUB_TLS_NAME,
  segmentPath,
  type Alarm,
  type HubHave,
} from "../../src/protocol/protocol.ts";
import { createLog, runProcess, systemClock, type Clock } from "../../src/platform/platform.ts";
import { createFleet, openAuthority, type AlarmsPort, type FleetOptions } from "../../src/hub/fleet/fleet.ts";
import type { HubSocket } from "../../src/edge/uplink/dial.ts";
import { openRelay, type Relay } from "../../src/edge/uplink/relay.ts";
import {
  ACTOR,
  ask,
  dial,
  gone,
  newRequest,
  openControlPeer,
  openHubDoor,
  pairBox,
  tlsOptions,
  type HubDoor,
  type PairedPeer,
} from "../support/hub-door.ts";
import { until } from "../support/until.ts";

const quiet = createLog(systemClock, () => {});

/** The system's clock, moved on by hand. */
function movedClock(): Clock & { moveMs(ms: number): void } {
  let movedMs = 0;
  return {
    ...systemClock,
    bootId: "test",
    wallMs: () => systemClock.wallMs() + movedMs,
    moveMs: (ms) => void (movedMs += ms),
  };
}

/** Connects and waits for the end: what the hub has let through until it closed. */
async function knock(options: ConnectionOptions, say?: string): Promise<{ secure: boolean; got: string }> {
  const socket = connect(options);
  socket.on("error", () => {});
  let secure = false;
  let got = "";
  socket.once("secureConnect", () => {
    secure = true;
    if (say !== undefined) socket.write(say);
  });
  socket.on("data", (chunk: Buffer) => (got += chunk.toString("latin1")));
  await gone(socket);
  return { secure, got };
}

describe("the one port", () => {
  const clock = movedClock();
  let door: HubDoor;
  let peer: PairedPeer;
  beforeAll(async () => {
    door = await openHubDoor({ clock });
    peer = await pairBox(door, "Xã A");
  });
  afterAll(() => door[Symbol.asyncDispose]());
  beforeEach(() => void door.lines.splice(0));
  /** Whatever was refused before: an honest box and a browser still come in. */
  afterEach(async () => {
    const socket = await dial(door, peer, "rtmp");
    socket.write("còn sống");
    await once(socket, "data");
    socket.destroy();
    const page = await ask(door, "GET", "/hello");
    if (page.status !== 200) throw new Error(`the browsers' side answers ${page.status}`);
  });

  test("gives browsers HTTP/2 and HTTP/1.1 without asking for a certificate", async () => {
    const session = connectHttp2(`https://localhost:${door.port}`, { ca: door.authority.caPem });
    const stream = session.request({ [constants.HTTP2_HEADER_PATH]: "/hello" });
    stream.setEncoding("utf8");
    const [text] = (await once(stream, "data")) as [string];
    expect(text).toBe("xin chào");
    session.destroy();
    const noAlpn = connect({ host: "127.0.0.1", port: door.port, ca: door.authority.caPem });
    await once(noAlpn, "secureConnect");
    expect(noAlpn.authorized).toBe(true);
    noAlpn.destroy();
  });

  test.each(["http", "rtmp", "rsync"] as const)(
    "speaks diemcau-%s to a paired box, in TLS 1.3 only",
    async (protocol) => {
      const socket = await dial(door, peer, protocol);
      expect([socket.alpnProtocol, socket.getProtocol()]).toEqual([ALPN[protocol], "TLSv1.3"]);
      socket.destroy();
      const old = await knock({
        ...tlsOptions(door, peer, ALPN[protocol]),
        minVersion: "TLSv1.2",
        maxVersion: "TLSv1.2",
      });
      expect(old.secure).toBe(false);
      await door.logged("gateway.refused", { reason: "handshakeFailed" });
    },
  );

  test("refuses protocols that it does not know", async () => {
    await knock(tlsOptions(door, peer, "diemcau-smtp"));
    const line = await door.logged("gateway.refused", { reason: "unknownProtocol" });
    expect(line).toMatchObject({ address: "127.0.0.1", detail: "diemcau-smtp" });
  });

  test("refuses a box's protocol without a certificate", async () => {
    const { got } = await knock(tlsOptions(door, { caPem: peer.caPem }, ALPN.rtmp), "không");
    expect(got).toBe("");
    await door.logged("gateway.refused", { reason: "noCertificate" });
  });

  test("a TLS session without a certificate opens no box's door when it is resumed", async () => {
    const options = tlsOptions(door, { caPem: peer.caPem }, ALPN.rtmp);
    const tickets: Buffer[] = [];
    const stranger = connect(options);
    stranger.on("error", () => {});
    stranger.on("session", (ticket) => tickets.push(ticket));
    await gone(stranger);
    // The browsers' side gives tickets to everyone.
    const browser = connect({ ...options, servername: "localhost", ALPNProtocols: ["http/1.1"] });
    tickets.push(((await once(browser, "session")) as [Buffer])[0]);
    browser.destroy();
    for (const session of tickets) {
      door.lines.splice(0);
      expect((await knock({ ...options, session }, "không")).got).toBe("");
      await door.logged("gateway.refused", { reason: "noCertificate" });
    }
  });

  test("refuses certificates of another authority, the hub's own, and unknown ones of the right authority", async () => {
    const directory = await mkdtemp(join(tmpdir(), "diemcau-foreign-"));
    try {
      const foreign = await openAuthority({ directory, browserNames: ["localhost"], clock, log: quiet });
      const { keyPem, csrPem } = await newRequest();
      const { certificatePem } = await foreign.issueBox(csrPem, peer.box);
      const mine = tlsOptions(door, peer, ALPN.rtmp);
      expect((await knock({ ...mine, key: keyPem, cert: certificatePem }, "không")).got).toBe("");
      await door.logged("gateway.refused", { reason: "foreignCertificate" });
      door.lines.splice(0);
      const hub = door.authority.edge;
      expect((await knock({ ...mine, key: hub.keyPem, cert: hub.certificatePem }, "không")).got).toBe("");
      await door.logged("gateway.refused", { reason: "foreignCertificate", detail: "INVALID_PURPOSE" });
      const unknown = await door.authority.issueBox(csrPem, peer.box);
      expect((await knock({ ...mine, key: keyPem, cert: unknown.certificatePem }, "không")).got).toBe("");
      await door.logged("gateway.refused", { reason: "unknownBox" });
      expect(door.rtmp.filter(({ socket }) => !socket.destroyed)).toEqual([]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test("refuses an expired certificate, on resumed sessions too", async () => {
    const short = await pairBox(door, "Xã Hết Hạn");
    const socket = connect(tlsOptions(door, short, ALPN.rtmp));
    const [session] = (await once(socket, "session")) as [Buffer];
    socket.destroy();
    clock.moveMs(826 * 86_400_000);
    const resumed = await knock({ ...tlsOptions(door, short, ALPN.rtmp), session }, "không");
    expect(resumed.got).toBe("");
    await door.logged("gateway.refused", { reason: "expired" });
    clock.moveMs(-826 * 86_400_000);
  });

  test("refuses plain HTTP, garbage and broken hellos", async () => {
    const say = async (bytes: Buffer | string, reason: string) => {
      const socket = connectTcp(door.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.on("data", () => {});
      socket.write(bytes);
      await gone(socket);
      expect(await door.logged("gateway.refused", { reason })).toMatchObject({ address: "127.0.0.1" });
    };
    const plain = requestHttp({ host: "127.0.0.1", port: door.port, path: "/hello" });
    plain.end();
    await once(plain, "error");
    await door.logged("gateway.refused", { reason: "notTls" });
    await say(Buffer.from([22, 3, 1, 0, 5, 2, 0, 0, 1, 0]), "malformedHello");
    // A hello that announces 64 kB and goes on in records.
    const drip = Buffer.concat([
      Buffer.from([22, 3, 1, 0x40, 0, 1, 1, 0, 0]),
      randomBytes(0x4000 - 4),
      Buffer.from([22]),
    ]);
    await say(drip, "helloTooLong");
    for (let round = 0; round < 20; round++) {
      const socket = connectTcp(door.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.on("data", () => {});
      socket.end(Buffer.concat([Buffer.from([22, 3, 1, 0, 40]), randomBytes(200)]));
      await gone(socket);
    }
  });

  test("refuses whoever says nothing for five seconds", { timeout: 20_000 }, async () => {
    const socket = connectTcp(door.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(Buffer.from([22, 3]));
    await gone(socket);
    expect(await door.logged("gateway.refused", { reason: "helloTimeout" })).toBeDefined();
  });

  test("on a box's HTTP there is the control channel and nothing else", async () => {
    const socket = await dial(door, peer, "http");
    socket.write("GET /api/rooms HTTP/1.1\r\nHost: x\r\n\r\n");
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 404 /);
    await door.logged("gateway.refused", { reason: "notControl", box: peer.box, detail: "GET /api/rooms" });
    const other = await dial(door, peer, "http");
    const ws = new WebSocket(`ws://${HUB_TLS_NAME}/live`, { createConnection: () => other });
    await once(ws, "error");
    await door.logged("gateway.refused", { reason: "notControl", detail: "GET /live" });
    const garbage = await dial(door, peer, "http");
    garbage.on("data", () => {});
    garbage.write("\0\0\0\r\n\r\n");
    await gone(garbage);
  });

  test("cuts a revoked box's live connections at once and lets it in no more, by a resumed session neither", async () => {
    const doomed = await pairBox(door, "Xã Thu Hồi");
    const rtmp = connect(tlsOptions(door, doomed, ALPN.rtmp));
    rtmp.on("error", () => {});
    const [session] = (await once(rtmp, "session")) as [Buffer];
    const control = await openControlPeer(door, doomed);
    await control.got("assignment");
    rtmp.write("sống");
    await once(rtmp, "data");
    // The session is good before, and it is the revocation that ends it.
    const resumed = connect({ ...tlsOptions(door, doomed, ALPN.rtmp), session });
    await once(resumed, "secureConnect");
    expect(resumed.isSessionReused()).toBe(true);
    resumed.write("sống");
    await once(resumed, "data");
    const [next] = await Promise.race([once(resumed, "session") as Promise<[Buffer]>, Promise.resolve([session])]);
    resumed.destroy();

    const startedMs = performance.now();
    expect(await door.fleet.revoke(doomed.box, ACTOR)).toBe(true);
    await Promise.all([gone(rtmp), control.closed]);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    for (const options of [{}, { session: next }]) {
      door.lines.splice(0);
      expect((await knock({ ...tlsOptions(door, doomed, ALPN.rtmp), ...options }, "không")).got).toBe("");
      await door.logged("gateway.refused", { reason: "revoked" });
    }
    expect(await door.fleet.revoke(doomed.box, ACTOR)).toBe(false);
    const audit = await door.db
      .selectFrom("auditEntry")
      .select(["act", "actor"])
      .where("act", "=", "box.revoked")
      .execute();
    expect(audit).toEqual([{ act: "box.revoked", actor: ACTOR }]);
  });

  test("shows new connections a renewed certificate and leaves live ones alone", async () => {
    const live = await dial(door, peer, "rtmp");
    const before = live.getPeerX509Certificate()!.serialNumber;
    const directory = join(door.directory, "authority");
    await rm(join(directory, "hub.pem"));
    expect(await door.authority.renew()).toBe(true);
    door.gateway.setIdentity(door.authority.edge);
    const next = await dial(door, peer, "rtmp");
    expect(next.getPeerX509Certificate()!.serialNumber).not.toBe(before);
    next.destroy();
    live.write("sống");
    await once(live, "data");
    live.destroy();
  });
});

const hubSocket = async (...to: Parameters<typeof dial>): Promise<HubSocket> => {
  const socket = await dial(...to);
  return Object.assign(socket, { reset: () => socket.destroy() });
};

describe("rsync through the port", () => {
  const name = { session: "session-aaaaaaaaaaaaaaaa", take: "take-bbbbbbbbbbbbbbbb" } as never as {
    session: never;
    take: never;
  };
  const path = (seq: number) => segmentPath({ ...name, seq });
  const take = dirname(path(0));
  let door: HubDoor;
  let peer: PairedPeer;
  let relay: Relay;
  let source: string;
  beforeAll(async () => {
    door = await openHubDoor();
    peer = await pairBox(door, "Xã A");
    relay = await openRelay({ log: quiet, clock: systemClock, protocol: "rsync" });
    relay.setDial((protocol) => hubSocket(door, peer, protocol));
    source = await mkdtemp(join(tmpdir(), "diemcau-source-"));
    await mkdir(join(source, take), { recursive: true });
    for (const seq of [0, 1]) await writeFile(join(source, path(seq)), randomBytes(300_000));
  });
  afterAll(async () => {
    await relay[Symbol.asyncDispose]();
    await door[Symbol.asyncDispose]();
    await rm(source, { recursive: true });
  });
  beforeEach(() => void door.lines.splice(0));

  /** The real client in the recordings folder; URL stands for the relay. */
  const rsync = (...args: string[]) =>
    runProcess(["rsync", ...args.map((arg) => arg.replace(/^URL/, `rsync://127.0.0.1:${relay.port}`))], {
      cwd: source,
      env: { PATH: process.env["PATH"], LC_ALL: "C" },
      timeoutMs: 20_000,
    });
  const inbox = (...parts: string[]) => join(door.inboxDirectory, peer.box, ...parts);
  const everything = async (): Promise<string[]> =>
    (await readdir(door.inboxDirectory, { recursive: true, withFileTypes: true }))
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(inbox().length + 1))
      .sort();

  test("takes what a box sends as it was sent, for the hub only, and tells when it is done", async () => {
    const before = door.rsyncDone.length;
    const result = await rsync(
      "--relative",
      "--times",
      "--partial-dir=.rsync-partial",
      "--timeout=20",
      path(0),
      path(1),
      "URL/inbox/",
    );
    expect(result).toMatchObject({ code: 0, stderr: "" });
    for (const seq of [0, 1]) {
      expect(await readFile(inbox(path(seq)))).toEqual(await readFile(join(source, path(seq))));
      expect((await lstat(inbox(path(seq)))).mode & 0o777).toBe(0o600);
    }
    await until("rsyncDone", () => door.rsyncDone.length > before);
    expect(door.rsyncDone.at(-1)).toBe(peer.box);
    expect(door.lines.filter(({ event }) => event === "sync.refused")).toEqual([]);
  });

  const refusals: [string, string, string[]][] = [
    ["reads a file back", "read", [`URL/inbox/${path(0)}`, "./stolen.ts"]],
    ["lists the inbox", "read", ["URL/inbox/"]],
    ["names another module", "module", [path(0), "URL/archive/"]],
    ["deletes", "option", ["--recursive", "--delete", "./", "URL/inbox/"]],
    ["removes by a filter", "option", ["--recursive", "--delete-excluded", "--exclude=*", "./", "URL/inbox/"]],
    ["appends", "option", ["--append", path(0), `URL/inbox/${take}/`]],
    ["writes in place", "option", ["--inplace", path(0), `URL/inbox/${take}/`]],
    ["sends symbolic links", "option", ["--recursive", "--links", "./", "URL/inbox/"]],
    ["sends devices and owners", "option", ["--archive", "./", "URL/inbox/"]],
    ["keeps backups elsewhere", "option", ["--backup", "--backup-dir=/tmp", "--relative", path(0), "URL/inbox/"]],
    ["compares with files of the hub", "option", ["--copy-dest=/etc", "--relative", path(0), "URL/inbox/"]],
    ["puts temporary files elsewhere", "option", ["--temp-dir=/tmp", "--relative", path(0), "URL/inbox/"]],
    ["puts partial files elsewhere", "option", ["--partial-dir=/tmp/x", "--relative", path(0), "URL/inbox/"]],
    ["climbs out", "name", [path(0), "URL/inbox/../../escaped.ts"]],
    ["climbs into another box's inbox", "name", [path(0), "URL/inbox/../box-bbbbbbbbbbbbbbbb/000000.ts"]],
    ["names an absolute path", "name", [path(0), "URL/inbox//tmp/escaped.ts"]],
    ["sends a file that is no segment", "name", ["--relative", "notes.txt", "URL/inbox/"]],
    ["sends a segment where none belongs", "name", [path(0), "URL/inbox/"]],
  ];
  test.each(refusals)("refuses a box that %s (%s)", async (_what, reason, args) => {
    await writeFile(join(source, "notes.txt"), "không phải bằng chứng");
    await symlink("/etc/passwd", join(source, take, "000009.ts")).catch(() => {});
    const before = { files: await everything(), first: await readFile(inbox(path(0))) };
    const result = await rsync("--ignore-times", ...args);
    expect(result.code).not.toBe(0);
    const line = await door.logged("sync.refused", { reason, box: peer.box });
    expect(line["words"]).toMatch(/./);
    expect({ files: await everything(), first: await readFile(inbox(path(0))) }).toEqual(before);
    expect(await readdir(source)).not.toContain("stolen.ts");
  });

  test("takes no symbolic link from a box that follows the options", async () => {
    await symlink("/etc/passwd", join(source, take, "000009.ts")).catch(() => {});
    await rsync("--recursive", "--relative", take, "URL/inbox/");
    expect(await readdir(inbox(take))).toEqual(["000000.ts", "000001.ts"]);
  });

  test("outlives garbage, and a connection that says nothing starts no rsync", async () => {
    const noisy = await pairBox(door, "Xã Ồn Ào");
    const mute = await dial(door, noisy, "rsync");
    mute.end();
    await gone(mute);
    const garbage = await dial(door, noisy, "rsync");
    garbage.on("data", () => {});
    garbage.write(Buffer.concat([Buffer.from("@RSYNCD: 31.0\n"), randomBytes(4_000), Buffer.from("\n")]));
    await gone(garbage);
    const ended = () => door.rsyncDone.filter((box) => box === noisy.box).length;
    await until("the end of the garbage", () => ended() > 0);
    expect(ended()).toBe(1);
  });

  test("a newer transfer of the box replaces one whose line hangs", async () => {
    const hanging = await dial(door, peer, "rsync");
    hanging.write("@RSYNCD: 31.0 md5\ninbox\n");
    await once(hanging, "data");
    await rm(inbox(path(1)), { force: true });
    const result = await rsync("--relative", path(1), "URL/inbox/");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    await gone(hanging);
    expect(await everything()).toContain(path(1));
  });

  test("a transfer whose line is cut goes on from where it was", async () => {
    await writeFile(join(source, path(3)), randomBytes(3_000_000));
    const args = ["--relative", "--partial-dir=.rsync-partial", path(3), "URL/inbox/"];
    const cut = rsync("--bwlimit=1000", ...args);
    const arriving = () => readdir(inbox(take)).then((files) => files.find((file) => file.startsWith(".000003.ts.")));
    await until("half a megabyte", async () => {
      const file = await arriving();
      return file !== undefined && (await lstat(inbox(take, file))).size > 500_000;
    });
    relay.dropAll();
    expect((await cut).code).not.toBe(0);
    const partial = inbox(take, ".rsync-partial", "000003.ts");
    const kept = await until("the partial file", () => lstat(partial).catch(() => undefined));
    expect(kept.size).toBeGreaterThan(500_000);
    expect(await door.logged("sync.interrupted", { box: peer.box })).toBeDefined();
    const again = await rsync("--stats", ...args);
    expect(again).toMatchObject({ code: 0, stderr: "" });
    const literal = Number(/Literal data: ([\d,]+)/.exec(again.stdout)![1]!.replaceAll(",", ""));
    expect(literal).toBeLessThan(2_600_000);
    expect(await readFile(inbox(path(3)))).toEqual(await readFile(join(source, path(3))));
    expect(await readdir(inbox(take))).not.toContain(".rsync-partial");
  });

  test("revocation kills a transfer under way, and its rsync with it", async () => {
    const doomed = await pairBox(door, "Xã Thu Hồi");
    await using own = await openRelay({ log: quiet, clock: systemClock, protocol: "rsync" });
    own.setDial((protocol) => hubSocket(door, doomed, protocol));
    await writeFile(join(source, path(2)), randomBytes(4_000_000));
    const slow = runProcess(
      ["rsync", "--relative", "--whole-file", "--bwlimit=200", path(2), `rsync://127.0.0.1:${own.port}/inbox/`],
      { cwd: source, timeoutMs: 30_000 },
    );
    await until("bytes on their way", async () =>
      (await readdir(join(door.inboxDirectory, doomed.box), { recursive: true })).some((file) =>
        file.includes(".000002.ts."),
      ),
    );
    await door.fleet.revoke(doomed.box, ACTOR);
    expect((await slow).code).not.toBe(0);
    await until("rsyncDone", () => door.rsyncDone.includes(doomed.box));
    expect(await readdir(join(door.inboxDirectory, doomed.box, take))).not.toContain("000002.ts");
    await rm(join(source, path(2)));
  });
});

describe("control channel", () => {
  let door: HubDoor;
  let peer: PairedPeer;
  const changes: string[] = [];
  let held: (() => void) | undefined;
  beforeAll(async () => {
    door = await openHubDoor({
      records: {
        async accept(_box, { session, take, firstN, items }): Promise<HubHave> {
          if (firstN === 77) throw new Error("đĩa đầy");
          if (firstN === 0) await new Promise<void>((resolve) => (held = resolve));
          return { type: "have", session, take, nextN: firstN + items.length };
        },
        have: (_box, takes) =>
          Promise.resolve(takes.map(({ session, take }) => ({ type: "have", session, take, nextN: 3 }))),
        receipts: () => Promise.resolve([{ record: "{}", signature: "AAAA" }]),
      },
    });
    peer = await pairBox(door, "Xã A");
    door.fleet.onLink((point, change) => changes.push(`${point} ${change}`));
  });
  afterAll(() => door[Symbol.asyncDispose]());
  beforeEach(() => {
    door.lines.splice(0);
    changes.splice(0);
  });
  const ids = { session: "session-aaaaaaaaaaaaaaaa", take: "take-bbbbbbbbbbbbbbbb" };
  const hello = { type: "hello", controlVersion: 1, agentVersion: "t", bootId: "b", takes: [{ ...ids, records: 5 }] };

  test("greets a box with who it is and its sessions, and answers its hello with what the hub has", async () => {
    const control = await openControlPeer(door, peer);
    expect(await control.got("welcome")).toMatchObject({ box: peer.box, point: { id: peer.point, name: "Xã A" } });
    expect(await control.got("assignment")).toMatchObject({ revision: 1 });
    control.say(hello);
    expect(await control.got("have")).toMatchObject({ ...ids, nextN: 3 });
    expect(await control.got("receipts")).toMatchObject({ items: [{ record: "{}" }] });
    expect(await door.fleet.rooms()).toMatchObject([{ box: peer.box, connected: true }]);
    expect(
      door.fleet.send(peer.box, {
        type: "resend",
        ...(ids as never as { session: never; take: never }),
        seq: 1,
        reason: "x",
      }),
    ).toBe(true);
    expect(await control.got("resend")).toMatchObject({ seq: 1 });
    control.ws.terminate();
    await door.logged("control.ended", { end: "closed" });
  });

  test("answers clock questions while the archive is slow, and ignores what later boxes may say", async () => {
    const control = await openControlPeer(door, peer);
    control.say({ type: "records", ...ids, firstN: 0, items: [] });
    await until("the archive is busy", () => held !== undefined);
    control.say({ type: "dream", of: "later versions" });
    control.say({ type: "clock", t0: 5, later: true });
    const { t0, t1, t2 } = await control.got("clock");
    expect(t0).toBe(5);
    expect(t2).toBeGreaterThanOrEqual(t1);
    expect(control.received.some(({ type }) => type === "have")).toBe(false);
    held!();
    expect(await control.got("have")).toMatchObject({ nextN: 0 });
    control.ws.terminate();
    await door.logged("control.ended");
  });

  test.each([
    ["text that is no JSON", "{"],
    ["no type", {}],
    ["a broken message of a known type", { type: "clock", t0: "five" }],
    ["records of another shape", { type: "records", ...ids, firstN: 0, items: ["x"] }],
  ])("closes on %s and says why", async (_what, message) => {
    const control = await openControlPeer(door, peer);
    control.say(message);
    expect(await control.closed).toBe(1007);
    await door.logged("control.malformed", { box: peer.box });
  });

  test("closes on binary and oversized frames", async () => {
    const binary = await openControlPeer(door, peer);
    binary.ws.send(Buffer.from([1, 2, 3]));
    expect(await binary.closed).toBe(1007);
    const large = await openControlPeer(door, peer);
    large.ws.send("x".repeat(5 << 20));
    await large.closed;
    await door.logged("control.malformed", { detail: "Max payload size exceeded" });
  });

  test("ends the channel where the hub itself fails, so that the box comes again with everything", async () => {
    const control = await openControlPeer(door, peer);
    control.say({ type: "records", ...ids, firstN: 77, items: [] });
    expect(await control.closed).toBe(1011);
    expect(await door.logged("control.failed", { what: "records" })).toMatchObject({ cause: "đĩa đầy" });
  });

  test("a new channel replaces the old one, and that is no loss of the room", async () => {
    const first = await openControlPeer(door, peer);
    await first.got("welcome");
    changes.splice(0);
    const second = await openControlPeer(door, peer);
    expect(await first.closed).toBe(4001);
    await second.got("welcome");
    expect(changes).toEqual([]);
    second.say({ type: "health", broken: true });
    expect(await second.closed).toBe(1007);
    await until("roomLost", () => changes.length === 1);
    expect(changes).toEqual([`${peer.point} roomLost`]);
    const third = await openControlPeer(door, peer);
    await third.got("welcome");
    expect(changes).toEqual([`${peer.point} roomLost`, `${peer.point} roomBack`]);
    third.ws.terminate();
    await until("the loss", () => changes.length === 3);
  });

  test(
    "notices a box that has fallen silent within seconds and writes when it was last seen",
    { timeout: 20_000 },
    async () => {
      const control = await openControlPeer(door, peer);
      await control.got("welcome");
      await door.db.updateTable("box").set({ seenAt: null }).where("id", "=", peer.box).execute();
      // The line is dead: nothing is read, so no ping is answered.
      (control.ws as unknown as { _socket: TLSSocket })._socket.pause();
      await door.logged("control.ended", { end: "silent" });
      const [room] = await door.fleet.rooms();
      expect(room).toMatchObject({ connected: false });
      await until("seenAt", async () => {
        const row = await door.db
          .selectFrom("box")
          .select("seenAt")
          .where("id", "=", peer.box)
          .executeTakeFirstOrThrow();
        return row.seenAt !== null;
      });
      control.ws.terminate();
    },
  );

  test("two boxes with one identity are an alarm until only one speaks, also after a restart of the hub", async () => {
    const kept: Alarm[] = [];
    let laterMs = 0;
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + laterMs };
    const accept: AlarmsPort["accept"] = async (_box, items) => {
      kept.push(...items);
      return [];
    };
    await using hub = await openHubDoor({ clock, alarms: { accept } });
    const box = await pairBox(hub, "Xã B");
    const says = async (life: string) => {
      const control = await openControlPeer(hub, box);
      control.say({ ...hello, life });
      await control.got("welcome");
      return control;
    };
    const standing = async () => (await hub.fleet.rooms())[0]!.alarms.map(({ cause }) => cause);
    for (const life of ["a", "b", "a"]) await says(life);
    // Restarted again and again: no alarm yet.
    for (const life of ["c", "d"]) await says(life);
    await until("all have been heard", () => hub.lines.filter(({ event }) => event === "control.hello").length === 5);
    expect(await standing()).toEqual([]);
    await says("a");
    await until("the alarm stands", async () => (await standing()).join() === "identityTwin");
    expect(kept).toMatchObject([{ cause: "identityTwin", clearedAt: null }]);
    const { id, raisedAt } = kept[0]!;
    const row = { boxId: box.box, id, pointId: box.point, sessionId: null, cause: "identityTwin", raisedAt };
    await hub.db
      .insertInto("alarm")
      .values({ ...row, receivedAt: raisedAt, clearedAt: null, facts: "" })
      .execute();
    const restarted = await createFleet({
      ...{ db: hub.db, clock, log: createLog(clock, () => {}), authority: hub.authority, alarms: { accept } },
      ...({} as Pick<FleetOptions, "assignments" | "records" | "releases" | "stage">),
    });
    expect((await restarted.rooms())[0]!.alarms).toEqual([{ cause: "identityTwin", since: raisedAt }]);
    await restarted.close();

    laterMs = 2 * 60_000;
    await says("a");
    await until("the alarm is over", async () => (await standing()).length === 0);
    expect(kept.at(-1)).toMatchObject({ id, clearedAt: expect.any(String) });
  });

  test("a stopping hub says so to its boxes and tells no loss", async () => {
    await using stopping = await openHubDoor();
    const box = await pairBox(stopping, "Xã B");
    const told: string[] = [];
    stopping.fleet.onLink((_point, change) => told.push(change));
    const control = await openControlPeer(stopping, box);
    await control.got("welcome");
    await stopping.fleet.close();
    expect(await control.closed).toBe(1012);
    expect(told).toEqual([]);
  });

  test("is the box's of the certificate, whatever it asks for", async () => {
    const other = await pairBox(door, "Xã B");
    const socket = await dial(door, other, "http");
    const ws = new WebSocket(`ws://${HUB_TLS_NAME}${CONTROL_PATH}`, {
      createConnection: () => socket,
      headers: { "x-box": peer.box, host: peer.box },
    });
    const [data] = (await once(ws, "message")) as [Buffer];
    expect(JSON.parse(data.toString())).toMatchObject({ type: "welcome", box: other.box });
    ws.terminate();
  });
});
