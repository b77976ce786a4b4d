import { X509Certificate } from "node:crypto";
import type { BoxId, PointId } from "../../protocol/protocol.ts";
import { isoUtc, type Clock } from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";

export interface KnownBox {
  readonly box: BoxId;
  readonly point: PointId;
  readonly certificatePem: string;
  readonly fingerprint: string;
  readonly expiresMs: number;
  readonly revoked: boolean;
}

/** Whether a certificate that the hub's authority has signed opens the door now. */
export type Verdict = { ok: true; box: BoxId } | { ok: false; reason: "expired" | "unknownBox" | "revoked" };

export interface BoxRow {
  id: BoxId;
  pointId: PointId;
  serial: string;
  certificatePem: string;
  revokedAt: string | null;
}

/**
 * INVARIANTS
 * - The database is written before the memory: what is refused here stays refused after a restart.
 * - A revocation is in the memory and its listeners are called in one turn of the event loop, so that no connection
 *   is authorised between the two.
 */
export class Registry {
  readonly #db: HubDatabase;
  readonly #clock: Clock;
  readonly #bySerial = new Map<string, KnownBox>();
  readonly #byBox = new Map<BoxId, KnownBox>();
  readonly #onRevoked = new Set<(box: BoxId) => void>();

  constructor(db: HubDatabase, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  async load(): Promise<void> {
    const rows = await this.#db
      .selectFrom("box")
      .select(["id", "pointId", "serial", "certificatePem", "revokedAt"])
      .execute();
    for (const row of rows) this.remember(row);
  }

  /** Takes a box that the database holds into the memory. */
  remember(row: BoxRow): void {
    const certificate = new X509Certificate(row.certificatePem);
    this.#set(row.serial, {
      box: row.id,
      point: row.pointId,
      certificatePem: row.certificatePem,
      fingerprint: certificate.fingerprint256,
      expiresMs: Date.parse(certificate.validTo),
      revoked: row.revokedAt !== null,
    });
  }

  /** Known boxes, replaced and revoked ones too: their keys verify old records. */
  find(box: BoxId): KnownBox | undefined {
    return this.#byBox.get(box);
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
