import { z } from "zod";
import { BoxId, BoxUpdate, ReleaseManifest, compareVersions, type SignedRelease } from "../../protocol/protocol.ts";
import type { HubDatabase, ReleaseTable } from "../database/database.ts";
import type { BoxUpdateView } from "../http/views.ts";
import type { Failure, KnownRelease, KnownUpdate } from "./rollout.ts";

export interface Held {
  known: KnownRelease;
  manifest: ReleaseManifest;
  signed: SignedRelease;
  row: Pick<ReleaseTable, "addedAt" | "addedBy" | "publishedAt">;
}

/** A line of the audit log. */
interface Act {
  at: string;
  actor: string | null;
  act: string;
}

const Failures = z.array(
  z.object({ box: BoxId, attempt: z.number(), reason: z.string(), detail: z.string(), at: z.string() }),
);

function heldOf(row: ReleaseTable): Held {
  const manifest = ReleaseManifest.parse(JSON.parse(row.manifest));
  const failures: Failure[] = Failures.parse(JSON.parse(row.failures));
  return {
    manifest,
    signed: { manifest: row.manifest, signature: row.signature },
    row,
    known: {
      ...{ id: row.id, manifest, state: row.state === "withdrawn" ? "paused" : row.state },
      ...{ firstRing: z.array(BoxId).parse(JSON.parse(row.firstRing)), opened: row.opened === 1 },
      ...{ attempt: row.attempt, failures },
    },
  };
}

/**
 * Releases and the boxes' statements, in the database and in the memory.
 *
 * INVARIANTS
 * - The database is written before the memory.
 */
export class KeptReleases {
  readonly #db: HubDatabase;
  readonly #releases = new Map<string, Held>();
  readonly #updates = new Map<BoxId, KnownUpdate & { at: string }>();

  private constructor(db: HubDatabase) {
    this.#db = db;
  }

  static async load(db: HubDatabase): Promise<KeptReleases> {
    const kept = new KeptReleases(db);
    for (const row of await db.selectFrom("release").selectAll().where("state", "!=", "withdrawn").execute())
      kept.#releases.set(row.id, heldOf(row));
    for (const { boxId, body, healthySince, at } of await db.selectFrom("boxUpdate").selectAll().execute()) {
      const update = BoxUpdate.safeParse(JSON.parse(body));
      const healthySinceMs = healthySince === null ? null : Date.parse(healthySince);
      if (update.success) kept.#updates.set(boxId, { box: boxId, update: update.data, healthySinceMs, at });
    }
    return kept;
  }

  get(id: string): Held | undefined {
    return this.#releases.get(id);
  }

  /** Oldest version first. */
  all(): Held[] {
    return [...this.#releases.values()].sort((a, b) => compareVersions(a.manifest.version, b.manifest.version));
  }

  updates(): KnownUpdate[] {
    return [...this.#updates.values()];
  }

  viewOf(box: BoxId): BoxUpdateView | null {
    const known = this.#updates.get(box);
    if (!known) return null;
    const { running, hardware, state, release, percent, reason, detail, proven } = known.update;
    const about = release && { id: release.id, version: release.version };
    return { running, ...hardware, state, release: about, percent, reason, detail, proven, at: known.at };
  }

  async add(
    id: string,
    signed: SignedRelease,
    manifest: ReleaseManifest,
    { at, actor }: Omit<Act, "act">,
  ): Promise<void> {
    const row: ReleaseTable = {
      ...{ id, ...signed, addedAt: at, addedBy: actor ?? "", publishedAt: null, state: "receiving" },
      ...{ firstRing: "[]", opened: 0, attempt: 0, failures: "[]" },
    };
    await this.#db.transaction().execute(async (trx) => {
      await trx.insertInto("release").values(row).execute();
      const detail = JSON.stringify({ id, version: manifest.version });
      await trx.insertInto("auditEntry").values({ at, actor, act: "release.added", detail }).execute();
    });
    this.#releases.set(id, heldOf(row));
  }

  async change(id: string, change: Partial<ReleaseTable>, { at, actor, act }: Act): Promise<void> {
    const row = await this.#db.transaction().execute(async (trx) => {
      const detail = JSON.stringify({ id, version: this.#releases.get(id)?.manifest.version });
      await trx.insertInto("auditEntry").values({ at, actor, act, detail }).execute();
      return trx.updateTable("release").set(change).where("id", "=", id).returningAll().executeTakeFirstOrThrow();
    });
    if (row.state === "withdrawn") this.#releases.delete(id);
    else this.#releases.set(id, heldOf(row));
  }

  async note(box: BoxId, update: BoxUpdate, at: string, nowMs: number): Promise<KnownUpdate> {
    const former = this.#updates.get(box);
    const isWell = update.state !== "trial";
    const since = former?.update.running === update.running ? former.healthySinceMs : null;
    const healthySinceMs = isWell ? (since ?? nowMs) : null;
    const healthySince = healthySinceMs === null ? null : new Date(healthySinceMs).toISOString();
    const row = { body: JSON.stringify(update), healthySince, at };
    // Each per cent of a download is told; what matters over a restart is written.
    const same = former?.update.state === update.state && former.update.running === update.running;
    if (!same || former.update.reason !== update.reason || former.update.proven !== update.proven)
      await this.#db
        .insertInto("boxUpdate")
        .values({ boxId: box, ...row })
        .onConflict((conflict) => conflict.column("boxId").doUpdateSet(row))
        .execute();
    const known = { box, update, healthySinceMs, at };
    this.#updates.set(box, known);
    return known;
  }
}
