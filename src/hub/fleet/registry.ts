import { X509Certificate } from "node:crypto";
import type { BoxId, PointId } from "../../protocol/protocol.ts";
import { causeOf, isoUtc, type Clock, type Log } from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";

export interface KnownBox {
  readonly box: BoxId;
  readonly point: PointId;
  readonly certificatePem: string;
  readonly fingerprint: string;
  readonly expiresMs: number;
  readonly revoked: boolean;
  /** Its certificate in the database cannot be read: it is refused until it is paired anew. */
  readonly damaged: boolean;
}

/** Whether a certificate that the hub's authority has signed opens the door now. */
export type Verdict = { ok: true; box: BoxId } | { ok: false; reason: "expired" | "unknownBox" | "revoked" };

export interface BoxRow {
  id: BoxId;
  pointId: PointId;
  serial: string;
  certificatePem: string;
  revokedAt: string | null;
  /** The certificate before the last renewal, until the new one has been seen. */
  formerSerial: string | null;
  formerCertificatePem: string | null;
}

/**
 * INVARIANTS
 * - The database is written before the memory: what is refused here stays refused after a restart.
 * - After a renewal the former certificate holds until the new one has been seen: a box that died between the two comes
 *   back with either.
 * - A revocation is in the memory and its listeners are called in one turn of the event loop, so that no connection
 *   is authorised between the two.
 */
export class Registry {
  readonly #db: HubDatabase;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #bySerial = new Map<string, KnownBox>();
  /** Serial of the certificate before the last renewal. */
  readonly #former = new Map<BoxId, string>();
  readonly #byBox = new Map<BoxId, KnownBox>();
  readonly #onRevoked = new Set<(box: BoxId) => void>();

  constructor(db: HubDatabase, clock: Clock, log: Log) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
  }

  async load(): Promise<void> {
    const rows = await this.#db
      .selectFrom("box")
      .select(["id", "pointId", "serial", "certificatePem", "revokedAt", "formerSerial", "formerCertificatePem"])
      .execute();
    for (const row of rows)
      try {
        this.remember(row);
      } catch (error) {
        // One box that has to be paired anew, and not a hub that does not start.
        const { id: box, pointId: point } = row;
        this.#log.error("fleet.certificateDamaged", { box, point, cause: causeOf(error) });
        const nothing = { certificatePem: "", fingerprint: "", expiresMs: 0 };
        this.#byBox.set(box, { box, point, ...nothing, revoked: row.revokedAt !== null, damaged: true });
      }
  }

  /** Takes a box that the database holds into the memory. */
  remember(row: BoxRow): void {
    const known = (certificatePem: string): KnownBox => {
      const certificate = new X509Certificate(certificatePem);
      return {
        ...{ box: row.id, point: row.pointId, certificatePem, fingerprint: certificate.fingerprint256 },
        ...{ expiresMs: Date.parse(certificate.validTo), revoked: row.revokedAt !== null, damaged: false },
      };
    };
    if (row.formerSerial !== null && row.formerCertificatePem !== null) {
      this.#set(row.formerSerial, known(row.formerCertificatePem));
      this.#former.set(row.id, row.formerSerial);
    }
    this.#set(row.serial, known(row.certificatePem));
  }

  /** Whether the last renewal of this box has not been seen in use yet. */
  hasFormer(box: BoxId): boolean {
    return this.#former.has(box);
  }

  /** Puts a new certificate in the place of the box's present one, which holds on beside it. */
  async renewed(box: BoxId, issued: { serial: string; certificatePem: string }): Promise<void> {
    const row = await this.#db.selectFrom("box").selectAll().where("id", "=", box).executeTakeFirstOrThrow();
    const next = { ...issued, formerSerial: row.serial, formerCertificatePem: row.certificatePem };
    await this.#db.transaction().execute(async (trx) => {
      await trx.updateTable("box").set(next).where("id", "=", box).execute();
      await trx
        .insertInto("auditEntry")
        .values({
          ...{ at: isoUtc(this.#clock.wallMs()), actor: null, act: "box.renewed" },
          detail: JSON.stringify({ box, point: row.pointId, former: row.serial, serial: issued.serial }),
        })
        .execute();
    });
    const revoked = this.#byBox.get(box)?.revoked === true;
    this.remember({ ...row, ...next, revokedAt: revoked ? isoUtc(this.#clock.wallMs()) : row.revokedAt });
  }

  /** The new certificate has been seen: the former one opens nothing any more. */
  #retire(box: BoxId, seen: string): void {
    const former = this.#former.get(box);
    if (former === undefined || former === seen) return;
    this.#former.delete(box);
    this.#bySerial.delete(former);
    this.#db
      .updateTable("box")
      .set({ formerSerial: null, formerCertificatePem: null })
      .where("id", "=", box)
      .execute()
      // It is retired again after the next start.
      .catch((error: unknown) => this.#log.warn("fleet.formerKept", { box, cause: causeOf(error) }));
  }

  /** Known boxes, replaced and revoked ones too: their keys verify old records. */
  find(box: BoxId): KnownBox | undefined {
    return this.#byBox.get(box);
  }

  inForce(): ReadonlySet<BoxId> {
    return new Set([...this.#byBox.values()].filter(({ revoked }) => !revoked).map(({ box }) => box));
  }

  /**
   * Asked for every connection, resumed ones too, after TLS has checked the chain: resumption checks neither expiry
   * nor revocation again. The whole certificate is compared, not its serial alone.
   */
  authorize(certificate: X509Certificate): Verdict {
    const known = this.#bySerial.get(certificate.serialNumber.toLowerCase());
    if (!known || known.fingerprint !== certificate.fingerprint256) return { ok: false, reason: "unknownBox" };
    if (known.revoked) return { ok: false, reason: "revoked" };
    if (known.expiresMs <= this.#clock.wallMs()) return { ok: false, reason: "expired" };
    this.#retire(known.box, certificate.serialNumber.toLowerCase());
    return { ok: true, box: known.box };
  }

  /** @returns false where no such box is in force */
  async revoke(box: BoxId, actor: string): Promise<boolean> {
    const known = this.#byBox.get(box);
    if (!known || known.revoked) return false;
    const at = isoUtc(this.#clock.wallMs());
    await this.#db.transaction().execute(async (trx) => {
      await trx
        .updateTable("box")
        .set({ revokedAt: at })
        .where("id", "=", box)
        .where("revokedAt", "is", null)
        .execute();
      await trx
        .insertInto("auditEntry")
        .values({ at, actor, act: "box.revoked", detail: JSON.stringify({ box, point: known.point }) })
        .execute();
    });
    this.forget(box);
    return true;
  }

  /** The database says that this box is revoked: closes the door and everything that is open behind it. */
  forget(box: BoxId): void {
    const was = this.#byBox.get(box);
    if (was) this.#byBox.set(box, { ...was, revoked: true });
    for (const [serial, known] of this.#bySerial) if (known.box === box) this.#set(serial, { ...known, revoked: true });
    for (const listener of this.#onRevoked) listener(box);
  }

  onRevoked(listener: (box: BoxId) => void): () => void {
    this.#onRevoked.add(listener);
    return () => this.#onRevoked.delete(listener);
  }

  #set(serial: string, known: KnownBox): void {
    this.#bySerial.set(serial, known);
    this.#byBox.set(known.box, known);
  }
}
