import { randomBytes } from "node:crypto";
import type { Hono } from "hono";
import type { Transaction } from "kysely";
import {
  boxProof,
  hubProof,
  makeId,
  normalizePairingCode,
  PAIRING_MAX_TRIES,
  type BoxId,
  type PairingRequest,
  type PointId,
} from "../../protocol/protocol.ts";
import {
  causeOf,
  isoUtc,
  pairingCrypto,
  pairingScrypt,
  randomId,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import type { Database, HubDatabase } from "../database/database.ts";
import type { ErrorView } from "../http/views.ts";
import { AuthorityError, type Authority, type IssuedCertificate } from "./authority.ts";
import { pairingRoutes } from "./pairing-routes.ts";
import type { Registry } from "./registry.ts";
import { WaitingRoom, type Admission, type WaitingRequest } from "./waiting.ts";

const LOCK_MS = 10 * 60_000;
const MAX_POINT_NAME_LENGTH = 120;

/** Where a paired box belongs: a point that exists, or one by name, made where there is none. */
export type PairingTarget = ({ pointId: PointId } | { pointName: string }) & {
  /** The point's present box is revoked and this one takes its place. */
  replace?: boolean | undefined;
};

export interface PairedBox {
  box: BoxId;
  point: { id: PointId; name: string };
}

export type PairingOutcome =
  | ({ ok: true } & PairedBox)
  | {
      ok: false;
      code: ErrorView["code"] & ("wrongPairingCode" | "pairingLocked" | "pointTaken" | "notFound" | "badRequest");
      detail: string;
    };

export interface Pairing {
  /** The three routes for boxes, with their whole paths; they need no sign-in. */
  readonly routes: Hono;
  typeCode(code: string, target: PairingTarget, actor: string): Promise<PairingOutcome>;
  /** Number of boxes that show a code now. */
  waiting(): number;
  /** Told the new number. */
  onWaiting(listener: (count: number) => void): () => void;
}

export interface PairingOptions {
  db: HubDatabase;
  clock: Clock;
  log: Log;
  authority: Authority;
  registry: Registry;
  onPaired(paired: PairedBox): void;
}

type Refusal = PairingOutcome & { ok: false };
const refuse = (code: Refusal["code"], detail: string): Refusal => ({ ok: false, code, detail });

type Place = { id: PointId | undefined; name: string; occupant: BoxId | undefined };

/**
 * INVARIANTS
 * - Codes are tried one after the other: two administrators cannot share one count of tries.
 * - A certificate is fetchable only after the box is in the database, and in the registry before it is fetchable.
 * - A request answers one code: on a match it leaves the waiting room.
 */
class HubPairing implements Pairing {
  readonly #options: PairingOptions;
  readonly #room = new WaitingRoom();
  readonly #listeners = new Set<(count: number) => void>();
  readonly routes: Hono;
  #tail: Promise<unknown> = Promise.resolve();
  #tries = 0;
  #lockedUntilMs = 0;
  #lastCount = 0;

  constructor(options: PairingOptions) {
    this.#options = options;
    this.routes = pairingRoutes({
      caPem: options.authority.caPem,
      admit: (request, address) => this.#admit(request, address),
      answer: (ticket) => {
        const answer = this.#room.answer(ticket, options.clock.monotonicMs());
        this.#counted();
        return answer;
      },
    });
  }

  waiting(): number {
    this.#room.expire(this.#options.clock.monotonicMs());
    this.#counted();
    return this.#room.count;
  }

  onWaiting(listener: (count: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  typeCode(code: string, target: PairingTarget, actor: string): Promise<PairingOutcome> {
    const outcome = this.#tail.then(() => this.#typeCode(code, target, actor));
    this.#tail = outcome.then(
      () => {},
      () => {},
    );
    return outcome;
  }

  #admit(request: PairingRequest, address: string): Admission {
    const { clock, log } = this.#options;
    const ticket = randomBytes(16).toString("base64url");
    const admission = this.#room.admit(request, address, ticket, clock.monotonicMs());
    if (admission.ok)
      log.info("pairing.waiting", { address, agentVersion: request.agentVersion, description: request.description });
    else log.warn("pairing.refused", { address, reason: admission.reason });
    this.#counted();
    return admission;
  }

  async #typeCode(typed: string, target: PairingTarget, actor: string): Promise<PairingOutcome> {
    const { db, clock, log, authority } = this.#options;
    const code = normalizePairingCode(typed);
    if (!code) return refuse("badRequest", "not a pairing code: eight letters, no vowels");
    if (clock.monotonicMs() < this.#lockedUntilMs) return refuse("pairingLocked", "too many wrong codes");
    const place = await db.transaction().execute((trx) => placeOf(trx, target));
    if ("ok" in place) return place;
    this.#room.expire(clock.monotonicMs());
    // Nobody waits, so there is no secret to guess at: the box may simply be slower than the administrator.
    if (this.#room.count === 0) return refuse("wrongPairingCode", "no box is waiting");

    const match = await this.#whoKnows(code);
    if (!match) return await this.#wrongCode(actor);
    const { waiting, key } = match;
    const box = makeId("box", randomId());
    let issued: IssuedCertificate;
    try {
      issued = await authority.issueBox(waiting.request.csrPem, box);
    } catch (error) {
      if (!(error instanceof AuthorityError)) throw error;
      this.#room.drop(waiting.ticket);
      this.#counted();
      log.warn("pairing.refused", { address: waiting.address, reason: error.code, cause: causeOf(error) });
      return refuse("badRequest", error.message);
    }
    const registered = await this.#register(box, issued, target, actor, waiting);
    if (!registered.ok) return registered;
    const { csrPem } = waiting.request;
    const proof = hubProof(pairingCrypto, key, csrPem, authority.caPem, issued.certificatePem);
    this.#room.accept(
      waiting.ticket,
      {
        state: "accepted",
        box,
        point: registered.point,
        certificatePem: issued.certificatePem,
        receiptKeyPem: authority.receiptKeyPem,
        proof: Buffer.from(proof).toString("base64"),
      },
      clock.monotonicMs(),
    );
    this.#tries = 0;
    this.#counted();
    log.info("pairing.paired", { box, point: registered.point.id, actor, address: waiting.address });
    this.#options.onPaired(registered);
    return registered;
  }

  /** At most as many scrypts as the waiting room has places, each off the main thread. */
  async #whoKnows(code: string): Promise<{ waiting: WaitingRequest; key: Uint8Array } | undefined> {
    for (const waiting of this.#room.all()) {
      const key = await pairingScrypt(code, waiting.salt);
      const proof = boxProof(pairingCrypto, key, waiting.request.csrPem, this.#options.authority.caPem);
      if (pairingCrypto.equal(proof, waiting.proof) && this.#room.has(waiting.ticket)) return { waiting, key };
    }
    return undefined;
  }

  async #wrongCode(actor: string): Promise<Refusal> {
    const { db, clock, log } = this.#options;
    this.#tries++;
    log.warn("pairing.wrongCode", { actor, tries: this.#tries });
    if (this.#tries < PAIRING_MAX_TRIES) return refuse("wrongPairingCode", "no waiting box shows this code");
    this.#tries = 0;
    this.#lockedUntilMs = clock.monotonicMs() + LOCK_MS;
    this.#room.dropAll();
    this.#counted();
    log.error("pairing.locked", { actor, minutes: LOCK_MS / 60_000 });
    await db
      .insertInto("auditEntry")
      .values({ at: isoUtc(clock.wallMs()), actor, act: "pairing.locked", detail: "{}" })
      .execute();
    return refuse("pairingLocked", "too many wrong codes; every waiting box must show a new one");
  }

  async #register(
    box: BoxId,
    issued: IssuedCertificate,
    target: PairingTarget,
    actor: string,
    { address, request }: WaitingRequest,
  ): Promise<({ ok: true } & PairedBox) | Refusal> {
    const { db, clock, registry } = this.#options;
    const at = isoUtc(clock.wallMs());
    const done = await db.transaction().execute(async (trx) => {
      const place = await placeOf(trx, target);
      if ("ok" in place) return place;
      const point = { id: place.id ?? makeId("point", randomId()), name: place.name };
      if (place.id === undefined)
        await trx
          .insertInto("bridgePoint")
          .values({ ...point, createdAt: at })
          .execute();
      if (place.occupant)
        await trx.updateTable("box").set({ revokedAt: at }).where("id", "=", place.occupant).execute();
      await trx
        .insertInto("box")
        .values({ id: box, pointId: point.id, ...issued, pairedAt: at, revokedAt: null, seenAt: null })
        .execute();
      const detail = { box, point: point.id, replaced: place.occupant, address, description: request.description };
      await trx
        .insertInto("auditEntry")
        .values({ at, actor, act: "box.paired", detail: JSON.stringify(detail) })
        .execute();
      return { point, replaced: place.occupant };
    });
    if ("ok" in done) return done;
    registry.remember({
      ...{ id: box, pointId: done.point.id, ...issued, revokedAt: null },
      ...{ formerSerial: null, formerCertificatePem: null },
    });
    if (done.replaced) registry.forget(done.replaced);
    return { ok: true, box, point: done.point };
  }

  #counted(): void {
    if (this.#room.count === this.#lastCount) return;
    this.#lastCount = this.#room.count;
    for (const listener of this.#listeners) listener(this.#lastCount);
  }
}

/** The point that the target names, or why it cannot take a box. */
async function placeOf(trx: Transaction<Database>, target: PairingTarget): Promise<Place | Refusal> {
  const name = "pointName" in target ? target.pointName.trim().normalize("NFC") : undefined;
  if (name !== undefined && (name === "" || name.length > MAX_POINT_NAME_LENGTH))
    return refuse("badRequest", `a point's name has 1 to ${MAX_POINT_NAME_LENGTH} characters`);
  const points = trx.selectFrom("bridgePoint").select(["id", "name"]);
  const point = await (
    "pointId" in target ? points.where("id", "=", target.pointId) : points.where("name", "=", name!)
  ).executeTakeFirst();
  if (!point)
    return "pointId" in target
      ? refuse("notFound", `no point ${target.pointId}`)
      : { id: undefined, name: name!, occupant: undefined };
  const occupant = await trx
    .selectFrom("box")
    .select("id")
    .where("pointId", "=", point.id)
    .where("revokedAt", "is", null)
    .executeTakeFirst();
  if (occupant && !target.replace) return refuse("pointTaken", `${point.name} has box ${occupant.id}`);
  return { ...point, occupant: occupant?.id };
}

export const createPairing = (options: PairingOptions): Pairing => new HubPairing(options);
