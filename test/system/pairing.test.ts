import { X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  HUB_TLS_NAME,
  PAIRING_CODE_TTL_MS,
  PAIRING_MAX_TRIES,
  PAIRING_REQUEST_PATH,
  type PointId,
} from "../../src/protocol/protocol.ts";
import { createLog, runProcess, systemClock, type Clock } from "../../src/platform/platform.ts";
import { signatureHolds } from "../../src/evidence/evidence.ts";
import { openAuthority } from "../../src/hub/fleet/fleet.ts";
import {
  ACTOR,
  ask,
  fetchAnswer,
  fetchCa,
  newPairingBox,
  newRequest,
  openHubDoor,
  pairBox,
  type HubDoor,
} from "../support/hub-door.ts";

const scratch = await mkdtemp(join(tmpdir(), "diemcau-pairing-"));
afterAll(() => rm(scratch, { recursive: true }));
const quiet = createLog(systemClock, () => {});

/** The system's clock, moved on by hand. */
function movedClock(): Clock & { moveMs(ms: number): void } {
  let movedMs = 0;
  return {
    ...systemClock,
    bootId: "test",
    wallMs: () => systemClock.wallMs() + movedMs,
    monotonicMs: () => systemClock.monotonicMs() + movedMs,
    moveMs: (ms) => void (movedMs += ms),
  };
}

describe("authority", () => {
  const open = (directory: string, names = ["localhost", "127.0.0.1"], clock: Clock = systemClock) =>
    openAuthority({ directory, browserNames: names, clock, log: quiet });

  test("is made once, kept for its owner only, and its certificates satisfy openssl", async () => {
    const directory = join(scratch, "made-once");
    const first = await open(directory);
    const second = await open(directory);
    expect(second.caPem).toBe(first.caPem);
    expect(second.edge).toEqual(first.edge);
    expect(second.receiptKeyPem).toBe(first.receiptKeyPem);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    for (const name of await readdir(directory)) expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
    for (const name of ["hub", "browser"]) {
      const verify = [
        "openssl",
        "verify",
        "-x509_strict",
        "-purpose",
        "sslserver",
        "-CAfile",
        join(directory, "ca.pem"),
      ];
      const result = await runProcess([...verify, join(directory, `${name}.pem`)]);
      expect(result).toMatchObject({ code: 0, stderr: "" });
    }
    expect(new X509Certificate(first.edge.certificatePem).subjectAltName).toBe(`DNS:${HUB_TLS_NAME}`);
    expect(new X509Certificate(first.browser.certificatePem).subjectAltName).toBe(
      "DNS:localhost, IP Address:127.0.0.1",
    );
    expect(signatureHolds(first.signer("một biên nhận"), first.receiptKeyPem)).toBe(true);
  });

  test("gives a box what the hub decides and of its request the key only", async () => {
    const authority = await open(join(scratch, "made-once"));
    const { csrPem } = await newRequest();
    const { certificatePem, serial } = await authority.issueBox(csrPem, "box-aaaaaaaaaaaaaaaa" as never);
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.subject).toBe("CN=box-aaaaaaaaaaaaaaaa");
    expect(certificate.subjectAltName).toBe("URI:urn:diemcau:box:box-aaaaaaaaaaaaaaaa");
    expect(certificate.ca).toBe(false);
    // id-kp-clientAuth (RFC 5280, 4.2.1.12) and nothing else.
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
    expect(certificate.serialNumber.toLowerCase()).toBe(serial);
    const days = (Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)) / 86_400_000;
    expect(days).toBe(825);
  });

  test("refuses a request that was tampered with, that is no request, or that holds another kind of key", async () => {
    const authority = await open(join(scratch, "made-once"));
    const { csrPem } = await newRequest();
    const der = Buffer.from(csrPem.replaceAll(/-----.*-----|\s/g, ""), "base64");
    // The last byte of the request's signature.
    der[der.length - 1]! ^= 1;
    const tampered = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64").replace(/(.{64})/g, "$1\n")}\n-----END CERTIFICATE REQUEST-----\n`;
    const box = "box-aaaaaaaaaaaaaaaa" as never;
    await expect(authority.issueBox(tampered, box)).rejects.toMatchObject({
      code: "badRequest",
      message: expect.stringMatching(/tampered/),
    });
    await expect(authority.issueBox("không phải", box)).rejects.toMatchObject({ code: "badRequest" });
    const rsa = await newRequest(["RSA", "rsa_keygen_bits:2048"]);
    await expect(authority.issueBox(rsa.csrPem, box)).rejects.toMatchObject({
      code: "badRequest",
      message: expect.stringMatching(/P-256/),
    });
  });

  test("renews its own certificates in the last 30 days and when the names change, never its keys", async () => {
    const directory = join(scratch, "renewed");
    const clock = movedClock();
    const authority = await open(directory, ["localhost"], clock);
    const before = authority.edge;
    expect(await authority.renew()).toBe(false);
    clock.moveMs(796 * 86_400_000);
    expect(await authority.renew()).toBe(true);
    expect(authority.edge.certificatePem).not.toBe(before.certificatePem);
    expect(authority.edge.keyPem).toBe(before.keyPem);
    const renamed = await open(directory, ["tcd.quangngai.gov.vn", "10.0.0.5", "fd00::5"]);
    const names = new X509Certificate(renamed.browser.certificatePem);
    expect(names.checkHost("tcd.quangngai.gov.vn")).toBeDefined();
    expect(names.checkIP("fd00::5")).toBeDefined();
    expect(names.checkHost("localhost")).toBeUndefined();
  });

  test("stops rather than make a second authority beside the first", async () => {
    const directory = join(scratch, "damaged");
    await open(directory);
    const key = await readFile(join(directory, "ca.key"), "utf8");
    await rm(join(directory, "ca.key"));
    await expect(open(directory)).rejects.toMatchObject({
      code: "damaged",
      message: expect.stringMatching(/ca\.key is missing/),
    });
    await writeFile(join(directory, "ca.key"), (await newRequest()).keyPem);
    await expect(open(directory)).rejects.toMatchObject({ code: "damaged" });
    await writeFile(join(directory, "ca.key"), key);
    await expect(open(directory)).resolves.toBeDefined();
  });

  test("goes on where an earlier start was killed between key and certificate", async () => {
    const directory = join(scratch, "half");
    await mkdir(directory, { mode: 0o700 });
    const { keyPem } = await newRequest();
    await writeFile(join(directory, "ca.key"), keyPem, { mode: 0o600 });
    const authority = await open(directory);
    expect(await readFile(join(directory, "ca.key"), "utf8")).toBe(keyPem);
    expect(new X509Certificate(authority.caPem).ca).toBe(true);
  });

  test("refuses a browser name that is none", async () => {
    await expect(open(join(scratch, "names"), ["localhost, URI:x"])).rejects.toMatchObject({ code: "badName" });
  });
});

describe("pairing over the network", () => {
  const clock = movedClock();
  let door: HubDoor;
  beforeEach(async () => {
    door = await openHubDoor({ clock });
  });
  afterEach(() => door[Symbol.asyncDispose]());
  const type = (code: string, target: Parameters<HubDoor["fleet"]["pairing"]["typeCode"]>[1] = { pointName: "Xã A" }) =>
    door.fleet.pairing.typeCode(code, target, ACTOR);

  test("an honest box and an administrator who types its code end up trusting each other", async () => {
    const box = await newPairingBox(await fetchCa(door));
    const ticket = await box.post(door);
    expect(await fetchAnswer(door, ticket)).toEqual({ state: "waiting" });
    expect(door.fleet.pairing.waiting()).toBe(1);
    const outcome = await type(box.code.toLowerCase().replace("-", " "));
    expect(outcome).toMatchObject({ ok: true, point: { name: "Xã A" } });
    if (!outcome.ok) return;
    const answer = await fetchAnswer(door, ticket);
    expect(box.judge(answer)).toMatchObject({ trusts: true });
    expect(answer).toMatchObject({
      box: outcome.box,
      point: outcome.point,
      receiptKeyPem: door.authority.receiptKeyPem,
    });
    expect(door.fleet.pairing.waiting()).toBe(0);
    expect(await door.fleet.points()).toEqual([{ id: outcome.point.id, name: "Xã A", box: outcome.box }]);
    const audit = await door.db.selectFrom("auditEntry").selectAll().execute();
    expect(audit).toMatchObject([{ actor: ACTOR, act: "box.paired" }]);
    expect(audit[0]!.detail).toContain(outcome.box);
  });

  test("a code serves once", async () => {
    const box = await newPairingBox(await fetchCa(door));
    await box.post(door);
    expect(await type(box.code)).toMatchObject({ ok: true });
    expect(await type(box.code, { pointName: "Xã B" })).toMatchObject({ ok: false, code: "wrongPairingCode" });
    expect(await door.db.selectFrom("box").selectAll().execute()).toHaveLength(1);
  });

  test("a request that was overheard and sent again pairs nobody but the box that holds the key", async () => {
    const box = await newPairingBox(await fetchCa(door));
    const ticket = await box.post(door);
    expect(await type(box.code)).toMatchObject({ ok: true });
    // The code was used up at the TV; a replayed request waits for a code that is never typed again.
    const replayed = await ask(door, "POST", PAIRING_REQUEST_PATH, box.request);
    expect(replayed.status).toBe(201);
    expect(await fetchAnswer(door, (replayed.json as { ticket: string }).ticket)).toEqual({ state: "waiting" });
    expect(await fetchAnswer(door, ticket)).toMatchObject({ state: "accepted" });
    expect(await door.db.selectFrom("box").selectAll().execute()).toHaveLength(1);
  });

  test("a man in the middle who puts in his own request, or his own authority, is not paired by the true code", async () => {
    const own = await newRequest();
    const swapped = await newPairingBox(await fetchCa(door));
    await ask(door, "POST", PAIRING_REQUEST_PATH, { ...swapped.request, csrPem: own.csrPem });
    expect(await type(swapped.code)).toMatchObject({ ok: false, code: "wrongPairingCode" });

    const evil = await openAuthority({
      directory: join(scratch, "evil"),
      browserNames: ["localhost"],
      clock,
      log: quiet,
    });
    const deceived = await newPairingBox(evil.caPem);
    await deceived.post(door);
    expect(await type(deceived.code)).toMatchObject({ ok: false, code: "wrongPairingCode" });
    expect(await door.db.selectFrom("box").selectAll().execute()).toEqual([]);
    await door.logged("pairing.wrongCode", { tries: 2 });
  });

  test("a false hub that was never told the code is not believed by the box", async () => {
    await using other = await openHubDoor({ clock });
    const box = await newPairingBox(await fetchCa(other));
    const ticket = await box.post(other);
    const issued = await other.authority.issueBox(box.csrPem, "box-aaaaaaaaaaaaaaaa" as never);
    // It has the request, the salt and the box's proof; what it lacks is the code.
    const forged = await newPairingBox(box.caPem);
    const answer = {
      state: "accepted" as const,
      box: "box-aaaaaaaaaaaaaaaa" as never,
      point: { id: "point-aaaaaaaaaaaaaaaa" as never, name: "Xã A" },
      certificatePem: issued.certificatePem,
      receiptKeyPem: other.authority.receiptKeyPem,
      proof: forged.request.proof,
    };
    expect(box.judge(answer)).toEqual({ trusts: false, reason: "the hub does not know the code" });
    expect(box.judge({ ...answer, proof: box.request.proof })).toMatchObject({ trusts: false });
    expect(await fetchAnswer(other, ticket)).toEqual({ state: "waiting" });
  });

  test("an answer whose certificate was exchanged on the way is not believed", async () => {
    const box = await newPairingBox(await fetchCa(door));
    const ticket = await box.post(door);
    await type(box.code);
    const answer = await fetchAnswer(door, ticket);
    if (answer.state !== "accepted") throw new Error(answer.state);
    const other = await door.authority.issueBox(box.csrPem, "box-bbbbbbbbbbbbbbbb" as never);
    expect(box.judge({ ...answer, certificatePem: other.certificatePem })).toMatchObject({ trusts: false });
  });

  test("wrong codes lock: every waiting box must show a new one, and ten minutes pass", async () => {
    const box = await newPairingBox(await fetchCa(door));
    const ticket = await box.post(door);
    for (let tries = 1; tries < PAIRING_MAX_TRIES; tries++)
      expect(await type("BBBB-BBBB")).toMatchObject({ code: "wrongPairingCode" });
    expect(await type("BBBB-BBBB")).toMatchObject({ code: "pairingLocked" });
    await door.logged("pairing.locked", { actor: ACTOR });
    expect(await fetchAnswer(door, ticket)).toEqual({ state: "expired" });
    const next = await newPairingBox(await fetchCa(door));
    await next.post(door);
    expect(await type(next.code)).toMatchObject({ code: "pairingLocked" });
    clock.moveMs(10 * 60_000);
    expect(await type(next.code)).toMatchObject({ ok: true });
    const acts = await door.db.selectFrom("auditEntry").select("act").execute();
    expect(acts.map(({ act }) => act)).toEqual(["pairing.locked", "box.paired"]);
  });

  test("slips of the hand cost no try, nor does a code typed before any box waits", async () => {
    for (let i = 0; i < 7; i++) expect(await type("BBBB-BBBB")).toMatchObject({ code: "wrongPairingCode" });
    const box = await newPairingBox(await fetchCa(door));
    await box.post(door);
    for (let i = 0; i < 7; i++) expect(await type("A1")).toMatchObject({ code: "badRequest" });
    expect(await type(box.code)).toMatchObject({ ok: true });
  });

  test("a code typed twice at the same moment pairs one box", async () => {
    const box = await newPairingBox(await fetchCa(door));
    await box.post(door);
    const outcomes = await Promise.all([type(box.code), type(box.code)]);
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1);
  });

  test("a code lives a quarter of an hour", async () => {
    const box = await newPairingBox(await fetchCa(door));
    const ticket = await box.post(door);
    clock.moveMs(PAIRING_CODE_TTL_MS);
    expect(await fetchAnswer(door, ticket)).toEqual({ state: "expired" });
    expect(await type(box.code)).toMatchObject({ code: "wrongPairingCode" });
  });

  test("a point that has a box keeps it unless it is to be replaced; then the new box takes over the point", async () => {
    const old = await pairBox(door, "Xã A");
    const box = await newPairingBox(await fetchCa(door));
    const ticket = await box.post(door);
    expect(await type(box.code)).toMatchObject({ code: "pointTaken" });
    expect(await type(box.code, { pointId: old.point })).toMatchObject({ code: "pointTaken" });
    expect(await type(box.code, { pointId: "point-aaaaaaaaaaaaaaaa" as PointId })).toMatchObject({ code: "notFound" });
    const outcome = await type(box.code, { pointId: old.point, replace: true });
    expect(outcome).toMatchObject({ ok: true, point: { id: old.point } });
    expect(box.judge(await fetchAnswer(door, ticket))).toMatchObject({ trusts: true });
    expect(door.fleet.authorize(new X509Certificate(old.certificatePem))).toEqual({ ok: false, reason: "revoked" });
    expect(await door.fleet.boxKey(old.box)).toBe(old.certificatePem);
    const boxes = await door.db.selectFrom("box").select(["id", "pointId", "revokedAt"]).orderBy("pairedAt").execute();
    expect(boxes.map((row) => [row.pointId, row.revokedAt === null])).toEqual([
      [old.point, false],
      [old.point, true],
    ]);
  });

  test("a box that asks with a damaged request is told so by its pairing, and nothing is registered", async () => {
    const box = await newPairingBox(await fetchCa(door));
    const broken = { ...box, csrPem: "không phải" };
    const { boxProof, pairingKey } = await import("../../src/protocol/protocol.ts");
    const { pairingCrypto } = await import("../../src/platform/platform.ts");
    const key = pairingKey(pairingCrypto, box.code, Buffer.from(box.request.salt, "base64"));
    const proof = Buffer.from(boxProof(pairingCrypto, key, broken.csrPem, box.caPem)).toString("base64");
    await ask(door, "POST", PAIRING_REQUEST_PATH, { ...box.request, csrPem: broken.csrPem, proof });
    expect(await type(box.code)).toMatchObject({ ok: false, code: "badRequest" });
    await door.logged("pairing.refused", { reason: "badRequest" });
    expect(door.fleet.pairing.waiting()).toBe(0);
    expect(await door.fleet.points()).toEqual([]);
  });

  test("what is not a request is refused by its shape, its size and its number", async () => {
    const box = await newPairingBox(await fetchCa(door));
    const post = (body: unknown) => ask(door, "POST", PAIRING_REQUEST_PATH, body);
    expect(await post("{")).toMatchObject({ status: 400, json: { code: "badRequest" } });
    expect(await post({ ...box.request, csrPem: 7 })).toMatchObject({ status: 400 });
    expect(await post({ ...box.request, salt: "AAAA" })).toMatchObject({ status: 400, json: { detail: "badSalt" } });
    expect(await post({ ...box.request, proof: "AAAA" })).toMatchObject({ status: 400, json: { detail: "badProof" } });
    expect(await post({ ...box.request, description: "x".repeat(20_000) })).toMatchObject({ status: 413 });
    expect(door.fleet.pairing.waiting()).toBe(0);
    // The same box again replaces itself; other boxes of one address are bounded.
    for (let i = 0; i < 8; i++) expect(await post(box.request)).toMatchObject({ status: 201 });
    expect(door.fleet.pairing.waiting()).toBe(1);
    for (let i = 0; i < 4; i++)
      expect(await post({ ...box.request, csrPem: `khác ${i}` })).toMatchObject({ status: 201 });
    expect(await post({ ...box.request, csrPem: "nữa" })).toMatchObject({
      status: 429,
      json: { code: "tooManyTries" },
    });
    await door.logged("pairing.refused", { reason: "tooManyFromAddress" });
  });
});
