import type { Alarm, BoxId, HubAlarmsKept, SessionId } from "../../protocol/protocol.ts";
import { isoUtc, type Clock, type Log } from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";

/** What boxes report of their alarms. */
export interface Alarms {
  /** Stores what is new and notes it in the session's log. @returns what the database holds of these now */
  accept(box: BoxId, items: readonly Alarm[]): Promise<HubAlarmsKept["items"]>;
  /** The log of this session has changed. */
  onChange(listener: (session: SessionId) => void): () => void;
}

/**
 * INVARIANTS
 * - An alarm and its line in the session's log are written in one transaction, each once, however often it is told.
 * - A cleared alarm stays as it is.
 */
export function createAlarms({ db, clock, log }: { db: HubDatabase; clock: Clock; log: Log }): Alarms {
  const listeners = new Set<(session: SessionId) => void>();
  return {
    async accept(box, items) {
      const changed = new Set<SessionId>();
      const kept = await db.transaction().execute(async (trx) => {
        const result: HubAlarmsKept["items"] = [];
        const { pointId } = await trx
          .selectFrom("box")
          .select("pointId")
          .where("id", "=", box)
          .executeTakeFirstOrThrow();
        for (const { id, cause, session, raisedAt, clearedAt, facts } of items) {
          const member =
            session !== null &&
            (await trx
              .selectFrom("sessionPoint")
              .select("sessionId")
              .where("sessionId", "=", session)
              .where("pointId", "=", pointId)
              .executeTakeFirst());
          const sessionId = member ? member.sessionId : null;
          const note = async (kind: "alarmRaised" | "alarmCleared", at: string) => {
            if (sessionId === null) return;
            // A box whose clock runs ahead cannot put lines into the future.
            const noted = at < isoUtc(clock.wallMs()) ? at : isoUtc(clock.wallMs());
            await trx
              .insertInto("sessionEvent")
              .values({ sessionId, at: noted, kind, actor: null, pointId, cause })
              .execute();
            changed.add(sessionId);
          };
          const former = await trx
            .selectFrom("alarm")
            .select("clearedAt")
            .where("boxId", "=", box)
            .where("id", "=", id)
            .executeTakeFirst();
          if (!former) {
            const receivedAt = isoUtc(clock.wallMs());
            await trx
              .insertInto("alarm")
              .values({ boxId: box, id, pointId, sessionId, cause, raisedAt, receivedAt, clearedAt, facts })
              .execute();
            await note("alarmRaised", raisedAt);
          }
          if (clearedAt !== null && (!former || former.clearedAt === null)) {
            await trx.updateTable("alarm").set({ clearedAt }).where("boxId", "=", box).where("id", "=", id).execute();
            await note("alarmCleared", clearedAt);
          }
          if (!former) log.warn("alarm.raised", { box, point: pointId, session: sessionId, cause, facts });
          result.push({ id, cleared: clearedAt !== null || (former?.clearedAt ?? null) !== null });
        }
        return result;
      });
      for (const session of changed) for (const listener of listeners) listener(session);
      return kept;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
