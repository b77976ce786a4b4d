import { createPublicKey, type KeyObject } from "node:crypto";
import type {
  BoxId,
  BoxRecords,
  EvidenceRecord,
  HubHave,
  SessionId,
  SignedRecord,
  TakeId,
} from "../../protocol/protocol.ts";
import { isoUtc, sha256Hex, type Clock, type Log } from "../../platform/platform.ts";
import { emptyChain, type Signer } from "../../evidence/evidence.ts";
import type { HubDatabase } from "../database/database.ts";
import {
  anchorsOf,
  clocksAtStart,
  planRecords,
  segmentKey,
  totalsOf,
  type RecordFacts,
  type RecordsPlan,
} from "./records.ts";
import { createQueues } from "./queues.ts";

/** What the control channel needs of the archive. */
export interface RecordsPort {
  /** Takes what continues the chain; the answer says what the hub needs next, whatever came. */
  accept(box: BoxId, message: BoxRecords): Promise<HubHave>;
  /** What the hub needs next of each of these takes. */
  have(box: BoxId, takes: readonly { session: SessionId; take: TakeId }[]): Promise<HubHave[]>;
  /**
   * Receipts, both stores', for the takes that the box has last been told about: those it still lacks some of. Of the
   * takes that wait for the province, the receipts of segments that both have signed for.
   */
  receipts(box: BoxId, awaitingProvince: readonly TakeId[]): Promise<SignedRecord[]>;
}

export interface KeepingOptions {
  db: HubDatabase;
  log: Log;
  clock: Clock;
  signer: Signer;
  boxKey: (box: BoxId) => Promise<string | undefined>;
  onAccepted: (accepted: { box: BoxId; session: SessionId; records: readonly EvidenceRecord[] }) => void;
  /** The box has come back. */
  onAsked: (box: BoxId) => void;
}

/**
 * Keeps the chains of records.
 *
 * INVARIANTS
 * - Messages of one take are handled one after the other; the tip in the database is the end of the stored records.
 * - Records, the rows drawn from them and the tip change in one transaction; a stored record never changes.
 * - Nothing is stored that the box has not signed and the hub not countersigned.
 */
export function createKeeping(options: KeepingOptions): RecordsPort {
  const { db, log, clock, signer } = options;
  const queues = createQueues();
  const keys = new Map<string, KeyObject>();
  const alarmed = new Set<string>();
  const askedAbout = new Map<BoxId, readonly TakeId[]>();

  const keyOf = async (box: BoxId): Promise<KeyObject | undefined> => {
    const pem = await options.boxKey(box);
    if (pem === undefined) return undefined;
    let key = keys.get(pem);
    if (!key) keys.set(pem, (key = createPublicKey(pem)));
    return key;
  };

  const factsFor = async (box: BoxId, message: BoxRecords): Promise<RecordFacts | undefined> => {
    const key = await keyOf(box);
    const row = await db.selectFrom("box").select("pointId").where("id", "=", box).executeTakeFirst();
    const session = await db.selectFrom("session").select("id").where("id", "=", message.session).executeTakeFirst();
    // The hub may learn of either a moment later: the box keeps its records and asks again.
    if (!key || !row || !session) return undefined;
    const member = await db
      .selectFrom("sessionPoint")
      .select("pointId")
      .where("sessionId", "=", message.session)
      .where("pointId", "=", row.pointId)
      .executeTakeFirst();
    const take = await db.selectFrom("take").selectAll().where("id", "=", message.take).executeTakeFirst();
    const repeated =
      take && message.firstN < take.nextN
        ? await db
            .selectFrom("record")
            .select(["n", "record"])
            .where("takeId", "=", take.id)
            .where("n", ">=", message.firstN)
            .where("n", "<", message.firstN + message.items.length)
            .execute()
        : [];
    return {
      box,
      key,
      point: row.pointId,
      pointInSession: member !== undefined,
      take: take && { box: take.boxId, session: take.sessionId },
      tip: take
        ? {
            take: take.id,
            nextN: take.nextN,
            prev: take.tipHash ?? undefined,
            nextSeq: take.nextSeq,
            ended: take.ended === 1,
          }
        : emptyChain(message.take),
      held: new Map(repeated.map(({ n, record }) => [n, record])),
    };
  };

  const store = async (facts: RecordFacts, plan: RecordsPlan): Promise<void> => {
    const { box, point } = facts;
    const records = plan.accepted.map(({ record }) => record);
    const { session, take } = records[0]!;
    const receivedAt = isoUtc(clock.wallMs());
    const rows = plan.accepted.map(({ signed, record }) => ({
      takeId: take,
      n: record.n,
      kind: record.kind,
      record: signed.record,
      signature: signed.signature,
      countersignature: signer(signed.record).signature,
      receivedAt,
    }));
    const segments = records.filter((record) => record.kind === "segment");
    const gaps = records.filter((record) => record.kind === "gap");
    const totals = totalsOf(records);
    const first = clocksAtStart(records);
    const firstFrame = first && {
      firstFrameAt: first.utc,
      bootId: first.bootId,
      firstMonotonicMs: first.monotonicMs,
      hubOffsetMs: first.hubOffsetMs,
      hubOffsetErrorMs: first.hubOffsetErrorMs,
    };
    const tip = {
      nextN: plan.tip.nextN,
      tipHash: plan.tip.prev ?? null,
      nextSeq: plan.tip.nextSeq,
      ended: plan.tip.ended ? (1 as const) : (0 as const),
    };
    await db.transaction().execute(async (trx) => {
      if (facts.take)
        await trx
          .updateTable("take")
          .set((eb) => ({
            ...tip,
            ...firstFrame,
            sizeBytes: eb("sizeBytes", "+", totals.sizeBytes),
            gaps: eb("gaps", "+", totals.gaps),
            durationMs: eb("durationMs", "+", totals.durationMs),
          }))
          .where("id", "=", take)
          .execute();
      else
        await trx
          .insertInto("take")
          .values({
            id: take,
            boxId: box,
            sessionId: session,
            pointId: point,
            track: records[0]!.kind === "takeStart" ? records[0]!.track : "room",
            startedAt: records[0]!.at.utc,
            prevHash: records[0]!.prev,
            ...{ firstFrameAt: null, bootId: null, firstMonotonicMs: null },
            ...{ hubOffsetMs: null, hubOffsetErrorMs: null },
            ...firstFrame,
            ...tip,
            ...totals,
          })
          .execute();
      await trx.insertInto("record").values(rows).execute();
      for (const anchor of anchorsOf(box, records))
        await trx
          .insertInto("clockAnchor")
          .values(anchor)
          .onConflict((oc) =>
            oc
              .columns(["boxId", "bootId", "bucket"])
              .doUpdateSet(anchor)
              .where("clockAnchor.errorMs", ">", anchor.errorMs),
          )
          .execute();
      if (segments.length > 0)
        await trx
          .insertInto("segment")
          .values(
            segments.map((record) => ({
              takeId: take,
              seq: record.seq,
              n: record.n,
              sessionId: session,
              pointId: point,
              boxId: box,
              sizeBytes: record.sizeBytes,
              sha256: record.sha256,
              frames: record.frames,
              streamStartMs: record.streamStartMs,
              streamEndMs: record.streamEndMs,
              startedAt: record.startedAt.utc,
              hubState: "waiting" as const,
              provinceState: "waiting" as const,
            })),
          )
          .execute();
      if (gaps.length > 0)
        await trx
          .insertInto("gap")
          .values(
            gaps.map((record) => ({
              takeId: take,
              n: record.n,
              sessionId: session,
              pointId: point,
              cause: record.cause,
              fromAt: record.from,
              toAt: record.to,
              durationMs: record.durationMs,
              detail: record.detail,
            })),
          )
          .execute();
      for (const { segment } of gaps) if (segment) await noteDamaged(trx, box, segment);
      await trx
        .insertInto("bag")
        .values({ sessionId: session, additions: 1, viewing: 0 })
        .onConflict((oc) => oc.column("sessionId").doUpdateSet((eb) => ({ additions: eb("bag.additions", "+", 1) })))
        .execute();
    });
    options.onAccepted({ box, session, records });
  };

  /** The box has lost a segment: nothing waits for it any longer. One that is verified here stays verified. */
  const noteDamaged = async (
    trx: HubDatabase,
    box: BoxId,
    { take, seq }: { take: TakeId; seq: number },
  ): Promise<void> => {
    const row = await trx
      .updateTable("segment")
      .set({ hubState: "damaged" })
      .where("takeId", "=", take)
      .where("seq", "=", seq)
      .where("boxId", "=", box)
      .where("hubState", "=", "waiting")
      .returning("refusals")
      .executeTakeFirst();
    if (!row) return;
    log.error("archive.segmentDamaged", { box, take, seq });
    await trx
      .updateTable("take")
      .set((eb) => ({
        damagedSegments: eb("damagedSegments", "+", 1),
        refusedSegments: eb("refusedSegments", "-", row.refusals > 0 ? 1 : 0),
      }))
      .where("id", "=", take)
      .execute();
  };

  /** A second version of held evidence is a crime or a broken disk; once per record, so that a loop fills nothing. */
  const alarm = async (box: BoxId, message: BoxRecords, n: number, held: string | undefined): Promise<void> => {
    const name = segmentKey(message.take, n);
    if (alarmed.has(name)) return;
    alarmed.add(name);
    const offered = message.items[n - message.firstN]!.record;
    const detail = JSON.stringify({
      box,
      session: message.session,
      take: message.take,
      n,
      heldSha256: held === undefined ? null : sha256Hex(held),
      offered,
    });
    log.error("archive.rewrite", { box, session: message.session, take: message.take, n });
    // A box that says the same again and again is noted once.
    const act = "recordRewritten";
    const noted = await db
      .selectFrom("auditEntry")
      .select("id")
      .where("act", "=", act)
      .where("detail", "=", detail)
      .executeTakeFirst();
    if (noted) return;
    await db
      .insertInto("auditEntry")
      .values({ at: isoUtc(clock.wallMs()), actor: null, act, detail })
      .execute();
  };

  const acceptNow = async (box: BoxId, message: BoxRecords): Promise<HubHave> => {
    const { session, take } = message;
    const have = (nextN: number): HubHave => ({ type: "have", session, take, nextN });
    const facts = await factsFor(box, message);
    if (!facts) {
      log.warn("archive.notYet", { box, session, take, reason: "the session or the box's key is unknown here" });
      return have(0);
    }
    const plan = planRecords(message, facts);
    if (plan.accepted.length > 0) await store(facts, plan);
    if (plan.refusal) {
      log.warn("archive.refused", { box, session, take, ...plan.refusal });
      if (plan.refusal.reason === "rewritten")
        await alarm(box, message, plan.refusal.n, facts.held.get(plan.refusal.n));
    }
    return have(plan.tip.nextN);
  };

  return {
    accept: (box, message) => queues.run(message.take, () => acceptNow(box, message)),

    async have(box, takes) {
      const ids = takes.map(({ take }) => take);
      const rows =
        ids.length === 0
          ? []
          : await db
              .selectFrom("take")
              .select(["id", "nextN"])
              .where("id", "in", ids)
              .where("boxId", "=", box)
              .execute();
      const known = new Map(rows.map(({ id, nextN }) => [id, nextN]));
      askedAbout.set(box, [...known.keys()]);
      options.onAsked(box);
      return takes.map(({ session, take }) => ({ type: "have", session, take, nextN: known.get(take) ?? 0 }));
    },

    async receipts(box, awaitingProvince) {
      const takes = askedAbout.get(box) ?? [];
      if (takes.length + awaitingProvince.length === 0) return [];
      const rows = await db
        .selectFrom("segment")
        .select(["hubReceipt", "hubReceiptSignature", "provinceReceipt", "provinceReceiptSignature"])
        .where("boxId", "=", box)
        .where("hubState", "=", "verified")
        .where((eb) =>
          eb.or([
            eb("takeId", "in", takes),
            eb.and([eb("takeId", "in", awaitingProvince), eb("provinceState", "=", "verified")]),
          ]),
        )
        .orderBy("takeId")
        .orderBy("seq")
        .execute();
      const receipts: SignedRecord[] = [];
      for (const row of rows) {
        if (row.hubReceipt && row.hubReceiptSignature)
          receipts.push({ record: row.hubReceipt, signature: row.hubReceiptSignature });
        if (row.provinceReceipt && row.provinceReceiptSignature)
          receipts.push({ record: row.provinceReceipt, signature: row.provinceReceiptSignature });
      }
      return receipts;
    },
  };
}
