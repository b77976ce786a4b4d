import { X509Certificate } from "node:crypto";
import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createSigner } from "../../src/evidence/evidence.ts";
import { createLog, pairingCrypto, sha256Hex, systemClock } from "../../src/platform/platform.ts";
import { GENESIS, PARTIAL_DIRECTORY, type PairingAnswer, type RoomPairing } from "../../src/protocol/protocol.ts";
import { loadIdentity, pair, type BoxIdentity, type PairingHub } from "../../src/edge/identity/identity.ts";
import { createHubPairing } from "../../src/edge/uplink/uplink.ts";
import { layCable, type Cable } from "../support/cable.ts";
import { flipByte } from "../support/flip-byte.ts";
import { newSessionId, pairBox, startUplinkBox, type UplinkBox } from "../support/uplink-box.ts";
import { startUplinkHub, type UplinkHub } from "../support/uplink-hub.ts";
import { until } from "../support/until.ts";

const quiet = createLog(systemClock, () => {});

let resources: AsyncDisposableStack;
let hub: UplinkHub;
let cable: Cable;
let box: UplinkBox;

beforeEach(async () => {
  resources = new AsyncDisposableStack();
  hub = resources.use(await startUplinkHub());
  cable = resources.use(await layCable({ host: "127.0.0.1", port: hub.port }));
  box = resources.use(await startUplinkBox({ host: "127.0.0.1", port: cable.port }));
});
afterEach(() => resources.disposeAsync());

const connected = () => until("the box is connected", () => box.uplink.connected());
const events = (event: string) => box.logged.filter((line) => line.event === event);
const synced = (withinMs = 20_000) =>
  until("every segment has its receipt", () => box.uplink.unsynced().segments === 0, { withinMs });

async function pairedBox(): Promise<BoxIdentity> {
  const identity = await pairBox(box, hub, "Xã A");
  await connected();
  return identity;
}

async function inSession(): Promise<{ identity: BoxIdentity; session: ReturnType<typeof newSessionId> }> {
  const identity = await pairedBox();
  const session = newSessionId();
  await hub.newSession(session, identity.point.id);
  return { identity, session };
}

describe("pairing", () => {
  test("a typed code gives the box an identity that outlives a restart, with a key nobody else may read", async () => {
    const identity = await pairBox(box, hub, "Xã A");
    const directory = join(box.directory, "identity");
    expect(await loadIdentity(directory, quiet, systemClock)).toEqual(identity);
    const files = await readdir(directory);
    expect(files.filter((file) => file.endsWith(".key"))).toHaveLength(1);
    for (const file of files) expect((await stat(join(directory, file))).mode & 0o077).toBe(0);
    expect(identity.point.name).toBe("Xã A");
    await connected();
  });

  test("an identity without its key is set aside, and the box counts as unpaired", async () => {
    await pairBox(box, hub, "Xã A");
    const directory = join(box.directory, "identity");
    const key = (await readdir(directory)).find((file) => file.endsWith(".key"));
    await rm(join(directory, key!));
    expect(await loadIdentity(directory, quiet, systemClock)).toBeNull();
    expect((await readdir(directory)).some((file) => file.startsWith("identity.json.unusable-"))).toBe(true);
  });

  test("a pinned authority that is not the one at the hub's address is never asked for anything", async () => {
    const shown: RoomPairing[] = [];
    const pairing = pairBox(box, hub, "Xã A", { caSha256: "0".repeat(64), onState: (state) => shown.push(state) });
    pairing.catch(() => {});
    await until("the screen says so", () => shown.some(({ state }) => state === "wrongHub"));
    expect(hub.fleet.pairing.waiting()).toBe(0);
    const fingerprint = new X509Certificate(hub.authority.caPem).fingerprint256.replaceAll(":", "").toLowerCase();
    const identity = await pairBox(box, hub, "Xã A", { caSha256: fingerprint });
    expect(identity.caPem).toBe(hub.authority.caPem);
  });

  test("a hub that signs without knowing the code is refused, and another code is shown", async () => {
    const shown: RoomPairing[] = [];
    const stop = new AbortController();
    const real = createHubPairing({ host: "127.0.0.1", port: hub.port });
    const asked: string[] = [];
    /** Takes the request, has the certificate made by the true authority, and guesses the proof. */
    const impostor: PairingHub = {
      caPem: (signal) => real.caPem(signal),
      async post(request) {
        asked.push(request.csrPem);
        return "ticket";
      },
      async ask(): Promise<PairingAnswer> {
        const identity = { box: "box-aaaaaaaaaaaaaaaa", point: { id: "point-aaaaaaaaaaaaaaaa", name: "Xã A" } };
        const { certificatePem } = await hub.authority.issueBox(asked.at(-1)!, identity.box as BoxIdentity["box"]);
        const proof = Buffer.from(pairingCrypto.sha256("guess")).toString("base64");
        const { receiptKeyPem } = hub.authority;
        return {
          state: "accepted",
          ...(identity as Pick<BoxIdentity, "box" | "point">),
          certificatePem,
          receiptKeyPem,
          proof,
        };
      },
    };
    const directory = join(box.directory, "identity");
    const pairing = pair(
      {
        log: quiet,
        clock: systemClock,
        hub: impostor,
        caSha256: () => undefined,
        directory,
        agentVersion: "test",
        description: "",
        revoked: false,
        onState: (state) => shown.push(state),
      },
      stop.signal,
    );
    pairing.catch(() => {});
    const codes = () => new Set(shown.flatMap((state) => (state.state === "code" ? [state.code] : [])));
    await until("a second code is shown", () => codes().size >= 2, { withinMs: 15_000 });
    stop.abort(new Error("seen enough"));
    await expect(pairing).rejects.toThrow("seen enough");
    expect(await loadIdentity(directory, quiet, systemClock)).toBeNull();
  });
});

describe("pairing without a hub", () => {
  test("says since when the hub has not answered, and shows a code as soon as it does", async () => {
    const shown: RoomPairing[] = [];
    cable.cut();
    const pairing = pairBox(box, { fleet: hub.fleet, port: cable.port }, "Xã A", {
      onState: (state) => shown.push(state),
    });
    await until("the screen says so", () => shown.some(({ state }) => state === "hubUnreachable"));
    expect(shown.some(({ state }) => state === "code")).toBe(false);
    cable.mend();
    expect((await pairing).point.name).toBe("Xã A");
  });
});

describe("line", () => {
  test("a revoked box is cut at once, keeps knocking, and learns that it is refused", async () => {
    const identity = await pairedBox();
    expect(await hub.fleet.revoke(identity.box, "test")).toBe(true);
    await until("the line is down", () => !box.uplink.connected());
    await until("the box knows that it is refused", () => box.uplink.refused(), { withinMs: 30_000 });
    expect(hub.logged.some((line) => line.event === "gateway.refused" && line["reason"] === "revoked")).toBe(true);
  });

  test("a certificate of another authority opens nothing, on either side", async () => {
    await using other = await startUplinkHub();
    const foreign = await pairBox(box, other, "Xã B");
    // Its own authority is another one: the box refuses the hub.
    await until("the box refuses the hub", () =>
      events("control.failed").some((line) => String(line["cause"]).includes("certificate does not hold")),
    );
    // A box that trusts the hub and has a foreign certificate: the hub refuses the box.
    box.setIdentity({ ...foreign, caPem: hub.authority.caPem });
    await until("the hub refuses the box", () =>
      hub.logged.some((line) => line.event === "gateway.refused" && line["reason"] === "foreignCertificate"),
    );
    expect(box.uplink.connected()).toBe(false);
  });

  test("after a cut of the line the box is back within a second, and its relay has let go of the dead connection", async () => {
    await pairedBox();
    const port = Number(/:(\d+)\//.exec(box.uplink.liveUrl("video", "abcdefgh"))![1]);
    const publisher = connect(port, "127.0.0.1");
    publisher.write("before");
    await until("the hub has the publisher", () => hub.rtmp.length === 1);
    expect(String((await once(hub.rtmp[0]!.socket, "data"))[0])).toBe("before");
    expect(box.uplink.link().live).toBe("up");
    cable.cut();
    const closed = once(publisher, "close");
    publisher.on("error", () => {});
    await closed;
    expect(box.uplink.connected()).toBe(false);
    const startedMs = systemClock.monotonicMs();
    cable.mend();
    await connected();
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(1_000);
  });

  test("the live address stays the same when the agent starts again", async () => {
    await pairedBox();
    const before = box.uplink.liveUrl("audio", "abcdefgh");
    await box.restart();
    expect(box.uplink.liveUrl("audio", "abcdefgh")).toBe(before);
    await connected();
  });

  test("an unpaired box's relay closes what comes", async () => {
    await pairBox(box, hub, "Xã A");
    const url = box.uplink.liveUrl("video", "abcdefgh");
    box.setIdentity(null);
    expect(() => box.uplink.liveUrl("video", "abcdefgh")).toThrow("unpaired");
    const socket = connect(Number(/:(\d+)\//.exec(url)![1]), "127.0.0.1");
    socket.on("error", () => {});
    await once(socket, "close");
    expect(hub.rtmp).toEqual([]);
  });

  test("clocks are compared, round trips measured, and a new schedule arrives without being asked for", async () => {
    const { session } = await inSession();
    const clock = systemClock;
    await until(
      "offset and round trip are known",
      () => box.uplink.hubOffset(clock.wallMs(), clock.monotonicMs()) && box.uplink.link().roundTripMs !== null,
    );
    // Of a machine with other work, the moments between two readings of the clocks are part of what is read.
    const [earlierMs, nowMs] = [clock.wallMs(), clock.monotonicMs()];
    const offset = box.uplink.hubOffset(earlierMs, nowMs)!;
    expect(Math.abs(offset.offsetMs)).toBeLessThanOrEqual(offset.errorMs + 2 + clock.wallMs() - earlierMs);
    const live = {
      id: session,
      name: "Thử",
      state: "live",
      role: "delegate",
      scheduledAt: null,
      startedAt: null,
      endedAt: null,
    };
    hub.assignment = { revision: 2, sessions: [live as never] };
    hub.fleet.broadcastAssignments();
    await until("the schedule is there", () => box.state.assignment()?.sessions[0]?.id === session);
    // Of the same revision, late or twice: it must not end the session.
    expect(await box.state.takeAssignment({ ...box.state.assignment()!, sessions: [] })).toBe("old");
    await box.restart();
    expect(box.state.assignment()?.sessions).toHaveLength(1);
  });
});

describe("sync", () => {
  test("files and records reach the archive, and the signed receipts settle them for good", async () => {
    const { identity, session } = await inSession();
    const take = box.recordings.begin(identity, session);
    for (let i = 0; i < 3; i++) await box.recordings.segment(take, 200_000);
    box.recordings.end(take);
    await synced();
    const held = await hub.db.selectFrom("record").selectAll().where("takeId", "=", take.take).execute();
    expect(held).toHaveLength(5);
    await until("the ledger has heard of every record", () => box.state.ledger(take.take)?.records === 5);
    expect(box.state.ledger(take.take)).toEqual({ records: 5, upTo: 3, also: [] });
    await box.restart();
    await connected();
    expect(box.uplink.unsynced().segments).toBe(0);
  });

  test("never-again 4: what was recorded while the line was cut follows when it is back, and once", async () => {
    const { identity, session } = await inSession();
    const take = box.recordings.begin(identity, session);
    await box.recordings.segment(take, 100_000);
    await synced();
    cable.cut();
    for (let i = 0; i < 120; i++) await box.recordings.segment(take, 2_000);
    box.recordings.end(take);
    await until("the line is down", () => !box.uplink.connected());
    cable.mend();
    await synced();
    const held = await hub.db.selectFrom("record").select("n").where("takeId", "=", take.take).execute();
    expect(held.map(({ n }) => n).sort((a, b) => a - b)).toEqual(Array.from({ length: 123 }, (_, i) => i));
    const verified = await hub.db.selectFrom("segment").select("seq").where("hubState", "=", "verified").execute();
    expect(verified).toHaveLength(121);
  });

  test("never-again 4: a transfer that is cut in mid-file goes on from where it was", async () => {
    const { identity, session } = await inSession();
    const take = box.recordings.begin(identity, session);
    box.limitKibPerS = 2_000;
    await box.recordings.segment(take, 8_000_000);
    const folder = join(hub.inbox, identity.box, session, take.take);
    const arriving = async () => {
      const files = await readdir(folder, { recursive: true, withFileTypes: true });
      const sizes = await Promise.all(
        files.filter((file) => file.isFile()).map((file) => stat(join(file.parentPath, file.name))),
      );
      return Math.max(0, ...sizes.map(({ size }) => size));
    };
    await until("part of the file is there", async () => (await arriving()) > 1_000_000, { withinMs: 20_000 });
    cable.cut();
    await until("the line is down", () => !box.uplink.connected());
    await until("rsync has given up", () => events("sync.failed").length > 0, { withinMs: 30_000 });
    cable.mend();
    const kept = await until(
      "the hub keeps what had come",
      async () => (await stat(join(folder, PARTIAL_DIRECTORY, "000000.ts"))).size,
    );
    expect(kept).toBeGreaterThan(1_000_000);
    box.limitKibPerS = undefined;
    const startedMs = systemClock.monotonicMs();
    await synced(30_000);
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(15_000);
    const row = await hub.db
      .selectFrom("segment")
      .selectAll()
      .where("takeId", "=", take.take)
      .executeTakeFirstOrThrow();
    expect(row.hubState).toBe("verified");
    const sent = await readFile(join(box.directory, "recordings", session, take.take, "000000.ts"));
    expect(row.sha256).toBe(sha256Hex(sent));
  });

  test("a file that has come whole is receipted while the others of its transfer are still coming", async () => {
    const { identity, session } = await inSession();
    cable.cut();
    await until("the line is down", () => !box.uplink.connected());
    const take = box.recordings.begin(identity, session);
    for (let i = 0; i < 20; i++) await box.recordings.segment(take, 100_000);
    box.limitKibPerS = 100;
    cable.mend();
    await until("three have receipts", () => box.uplink.unsynced().segments <= 17, { withinMs: 20_000, everyMs: 10 });
    // The first went by itself, as soon as it was there.
    expect(events("sync.sent").filter(({ segments }) => segments !== 1)).toEqual([]);
  });

  test("the end of a session takes the limit off a transfer that is under way", async () => {
    const { identity, session } = await inSession();
    const take = box.recordings.begin(identity, session);
    box.limitKibPerS = 100;
    await box.recordings.segment(take, 4_000_000);
    await until("the hub has begun to receive", async () => {
      const files = await readdir(join(hub.inbox, identity.box), { recursive: true });
      return files.some((file) => file.includes("000000.ts"));
    });
    box.limitKibPerS = undefined;
    box.recordings.end(take);
    const startedMs = systemClock.monotonicMs();
    box.uplink.syncNow();
    await synced(60_000);
    // With the limit it would take 40 s.
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(10_000);
  });

  test("receipts that the hub did not sign, or about other bytes, change nothing", async () => {
    const { identity, session } = await inSession();
    const take = box.recordings.begin(identity, session);
    // Without a file the archive itself can sign nothing.
    take.segment({ path: "", frames: 1, sizeBytes: 10, sha256: GENESIS });
    box.recordings.segments().push({ name: { session, take: take.take, seq: 0 }, sizeBytes: 10 });
    const receipt = (fields: object) =>
      JSON.stringify({
        v: 1,
        kind: "receipt",
        store: "hub",
        session,
        take: take.take,
        seq: 0,
        sizeBytes: 10,
        sha256: GENESIS,
        at: "2026-11-21T08:00:00.000Z",
        ...fields,
      });
    const refused = (reason: string) =>
      until(`refused for ${reason}`, () => events("receipt.refused").some((line) => line["reason"] === reason));
    hub.say(identity.box, { type: "receipts", items: [createSigner(identity.keyPem)(receipt({}))] });
    await refused("signature");
    expect(box.uplink.unsynced().segments).toBe(1);
    // A repeated warning within a second is counted, not written: let the first one pass.
    await until(
      "a second has passed",
      () => systemClock.wallMs() > Date.parse(String(events("receipt.refused")[0]!["at"])) + 1_000,
    );
    hub.say(identity.box, { type: "receipts", items: [hub.authority.signer(receipt({ sha256: "f".repeat(64) }))] });
    await refused("otherBytes");
    expect(box.uplink.unsynced().segments).toBe(1);
    hub.say(identity.box, { type: "receipts", items: [hub.authority.signer(receipt({}))] });
    await until("the true receipt counts", () => box.uplink.unsynced().segments === 0);
  });

  test("what was recorded under a former identity stays here, and is not counted as late", async () => {
    const { identity, session } = await inSession();
    const take = box.recordings.begin({ ...identity, box: "box-aaaaaaaaaaaaaaaa" as BoxIdentity["box"] }, session);
    await box.recordings.segment(take, 1_000);
    const own = box.recordings.begin(identity, session);
    await box.recordings.segment(own, 1_000);
    await synced();
    const takes = await hub.db.selectFrom("take").select("id").execute();
    expect(takes).toEqual([{ id: own.take }]);
    expect(events("uplink.formerIdentity")).toMatchObject([{ take: take.take }]);
  });

  test("a segment that the hub cannot use is sent again when it asks", async () => {
    const { identity, session } = await inSession();
    const take = box.recordings.begin(identity, session);
    await box.recordings.segment(take, 50_000);
    await synced();
    const before = events("sync.sent").length;
    hub.say(identity.box, { type: "resend", session, take: take.take, seq: 0, reason: "test" });
    await until("it is sent again", () => events("sync.sent").length > before);
    expect(events("sync.resendAsked")).toMatchObject([{ take: take.take, seq: 0, reason: "test" }]);
  });

  test("never-again 7: a hub whose disk is full refuses with its reason; the box keeps everything and it comes later", async () => {
    const { identity, session } = await inSession();
    hub.limits.keepFreeBytes = 1e15;
    const take = box.recordings.begin(identity, session);
    await box.recordings.segment(take, 50_000);
    await until("the box is told why", () =>
      /@ERROR: the hub's disk is full/.test(JSON.stringify(events("sync.failed"))),
    );
    expect(hub.logged.filter(({ event }) => event === "archive.room")).toMatchObject([{ state: "full" }]);
    expect(box.uplink.unsynced().segments).toBe(1);
    hub.limits.keepFreeBytes = 0;
    await synced(40_000);
  });

  test("never-again 7: a box whose files nobody can verify fills no more than its share of the hub", async () => {
    const { identity, session } = await inSession();
    hub.limits.inboxBytesPerBox = 100_000;
    const stray = join(hub.inbox, identity.box, session, "take-aaaaaaaaaaaaaaaa");
    await mkdir(stray, { recursive: true });
    await writeFile(join(stray, "000000.ts"), Buffer.alloc(200_000));
    const take = box.recordings.begin(identity, session);
    await box.recordings.segment(take, 50_000);
    await until("the box is told why", () => /of this box wait/.test(JSON.stringify(events("sync.failed"))));
    expect(hub.logged.some(({ event, reason }) => event === "sync.refused" && reason === "inboxFull")).toBe(true);
    hub.limits.inboxBytesPerBox = 8e9;
    await synced(40_000);
  });

  test("a segment spoilt on the box's disk is refused, found out, and sent no more (never-again 4, 9)", async () => {
    const { identity, session } = await inSession();
    cable.cut();
    await until("the line is down", () => !box.uplink.connected());
    const take = box.recordings.begin(identity, session);
    await box.recordings.segment(take, 50_000);
    await flipByte(take.segments[0]!.material.path);
    cable.mend();
    await until("the box knows", () => events("sync.damaged").length > 0, { withinMs: 20_000 });
    expect(events("sync.damaged")).toMatchObject([{ take: take.take, seq: 0 }]);
    expect(hub.logged.find(({ event }) => event === "archive.refused")).toMatchObject({ reason: "hashDiffers" });
    expect(box.uplink.unsynced().segments).toBe(0);
    expect(box.state.ledger(take.take)?.upTo ?? 0).toBe(0);
  });

  test("bytes changed on the way cut the connection, and come again whole (never-again 9)", async () => {
    const { identity, session } = await inSession();
    const take = box.recordings.begin(identity, session);
    cable.corruptNext();
    await box.recordings.segment(take, 2_000_000);
    await synced(30_000);
    const { sha256 } = take.segments[0]!.material;
    const row = await hub.db.selectFrom("segment").select(["sha256", "hubState", "refusals"]).executeTakeFirstOrThrow();
    expect(row).toEqual({ sha256, hubState: "verified", refusals: 0 });
    expect([...events("control.failed"), ...events("sync.failed")].length).toBeGreaterThan(0);
  });
});
