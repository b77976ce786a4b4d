import { firstPlaces, type PointId, type PointRole, type SessionId, type StageNote } from "../../protocol/protocol.ts";
import { isoUtc, type Clock, type Log } from "../../platform/platform.ts";
import type { HubDatabase, SessionEventTable } from "../database/database.ts";
import type { SessionEventDetail } from "../http/views.ts";
import { OPEN_SEAT, StageCore } from "./acts.ts";

/** Stages in the database, each act with its line in the session's log. */
export interface KeptStages {
  /** As the hub left it, or as a session begins. */
  open(session: SessionId, rooms: readonly { id: PointId; role: PointRole }[]): Promise<StageCore>;
  /** In one transaction. @returns the line in the log, the one to `rewrite` where that is given */
  write(session: SessionId, core: StageCore, line: StageLine, rewrite?: number): Promise<number>;
  /** Of sessions that are over nothing is kept but the log. */
  keepOnly(sessions: Iterable<SessionId>): Promise<void>;
  /** Since when, why and by whose hand a session is paused, as its log has it. */
  pausedSince(session: SessionId): Promise<StageNote>;
}

export interface StageLine {
  kind: SessionEventTable["kind"];
  actor: string | null;
  point?: PointId | undefined;
  detail?: SessionEventDetail | undefined;
}

export function createKeptStages({ db, clock, log }: { db: HubDatabase; clock: Clock; log: Log }): KeptStages {
  return {
    async open(session, rooms) {
      const kept = await db.selectFrom("stage").select("body").where("sessionId", "=", session).executeTakeFirst();
      const parsed = kept && StageCore.safeParse(JSON.parse(kept.body));
      if (parsed?.success) return parsed.data;
      // Of another version: rooms that begin anew are better than rooms that see nobody.
      if (parsed) log.error("stage.notUnderstood", { session, cause: parsed.error.issues[0]?.message });
      const revision = Math.floor(clock.wallMs());
      const core: StageCore = {
        revision,
        layout: { mode: "auto", onScreen: [], by: null, at: isoUtc(clock.wallMs()), revision },
        seats: Object.fromEntries([...firstPlaces(rooms)].map(([point, place]) => [point, { ...OPEN_SEAT, place }])),
        interruption: null,
      };
      const body = JSON.stringify(core);
      await db
        .insertInto("stage")
        .values({ sessionId: session, body })
        .onConflict((conflict) => conflict.column("sessionId").doUpdateSet({ body }))
        .execute();
      return core;
    },
    write: (session, core, { kind, actor, point, detail }, rewrite) =>
      db.transaction().execute(async (trx) => {
        await trx
          .updateTable("stage")
          .set({ body: JSON.stringify(core) })
          .where("sessionId", "=", session)
          .execute();
        const text = detail === undefined ? null : JSON.stringify(detail);
        if (rewrite !== undefined) {
          await trx.updateTable("sessionEvent").set({ detail: text }).where("id", "=", rewrite).execute();
          return rewrite;
        }
        const { id } = await trx
          .insertInto("sessionEvent")
          .values({
            ...{ sessionId: session, at: isoUtc(clock.wallMs()), kind, actor, pointId: point ?? null },
            detail: text,
          })
          .returning("id")
          .executeTakeFirstOrThrow();
        return id;
      }),
    async keepOnly(sessions) {
      // An empty list is no SQL.
      const kept = [...sessions, "" as SessionId];
      await db.deleteFrom("stage").where("sessionId", "not in", kept).execute();
    },
    async pausedSince(session) {
      const event = await db
        .selectFrom("sessionEvent")
        .select(["at", "actor", "detail"])
        .where("sessionId", "=", session)
        .where("kind", "=", "paused")
        .orderBy("id", "desc")
        .executeTakeFirst();
      const detail = event?.detail ? (JSON.parse(event.detail) as SessionEventDetail) : {};
      return { at: event?.at ?? "", reason: detail.text ?? null, by: event?.actor ?? null };
    },
  };
}
