import { causeOf, isoUtc, type Clock, type Log } from "../../platform/platform.ts";
import type { PointId, SessionId } from "../../protocol/protocol.ts";
import type { HubDatabase } from "../database/database.ts";
import type { RoomLink } from "../fleet/fleet.ts";
import type { TestedRoomView } from "../http/views.ts";
import type { Reception, SessionOutcome } from "./reception.ts";
import { judgeRoom, planTests, type TestableRoom } from "./test-plan.ts";

const LOOK_MS = 5_000;
/** After a start, boxes have this long to come back before a test finds them away. */
const COME_BACK_MS = 15_000;
/** A hub that stood still for longer states no tests as missed: nobody asks for those any more. */
const FORGET_MS = 7 * 24 * 3_600_000;

/** Connection tests (kiểm thử) before sessions: at their times by itself, and whenever somebody asks. */
export interface ConnectionTests {
  /** Looks at every room of a session that has not begun, and writes down what it finds. */
  testNow(session: SessionId, actor: string): Promise<SessionOutcome>;
  onChange(listener: (session: SessionId) => void): () => void;
  run(signal: AbortSignal): Promise<void>;
}

/**
 * INVARIANTS
 * - Each test that was due is in the database once: as it was made, or as missed.
 * - A test, and its line in the session's log, are written in one transaction, and never changed.
 */
export function createConnectionTests({
  db,
  clock,
  log,
  before,
  rooms,
  reception,
}: {
  db: HubDatabase;
  clock: Clock;
  log: Log;
  /** Minutes before the appointed time. */
  before: readonly number[];
  rooms: () => Promise<(TestableRoom & Pick<RoomLink, "point">)[]>;
  reception: Pick<Reception, "running" | "session">;
}): ConnectionTests {
  const listeners = new Set<(session: SessionId) => void>();

  async function look(session: SessionId): Promise<TestedRoomView[]> {
    const points = await db
      .selectFrom("sessionPoint")
      .select("pointId")
      .where("sessionId", "=", session)
      .orderBy("role")
      .execute();
    const seen = new Map((await rooms()).map((room) => [room.point.id, room]));
    const live = new Set<PointId>();
    for (const { point, session } of await reception.running()) if (session.state === "live") live.add(point);
    return points.flatMap(({ pointId }) => {
      const room = seen.get(pointId);
      if (!room) return [];
      const mustRecord = live.has(pointId);
      return [{ point: room.point, ...judgeRoom(room, { session, mustRecord, nowMs: clock.wallMs() }) }];
    });
  }

  /** @param found null: the test was missed @returns false: the session has begun, or the test was made before */
  async function note(
    session: SessionId,
    due: { minutesBefore: number; dueAt: string } | null,
    actor: string | null,
    found: TestedRoomView[] | null,
  ): Promise<boolean> {
    const at = isoUtc(clock.wallMs());
    const noted = await db.transaction().execute(async (trx) => {
      const row = await trx.selectFrom("session").select("state").where("id", "=", session).executeTakeFirst();
      if (row?.state !== "draft") return false;
      const inserted = await trx
        .insertInto("connectionTest")
        .values({
          ...{ sessionId: session, minutesBefore: due?.minutesBefore ?? null, dueAt: due?.dueAt ?? null },
          ...{ at: found && at, actor, rooms: JSON.stringify(found ?? []) },
        })
        .onConflict((conflict) => conflict.columns(["sessionId", "minutesBefore"]).doNothing())
        .executeTakeFirst();
      if (inserted.numInsertedOrUpdatedRows === 0n) return false;
      const test = {
        minutesBefore: due?.minutesBefore ?? null,
        clear: found?.filter(({ clear }) => clear).length ?? 0,
        rooms: found?.length ?? 0,
        others:
          found?.flatMap(({ point, troubles: [trouble] }) => (trouble ? [{ name: point.name, trouble }] : [])) ?? [],
      };
      await trx
        .insertInto("sessionEvent")
        .values({
          ...{ sessionId: session, at, kind: found ? "tested" : "testMissed", actor, pointId: null },
          detail: JSON.stringify({ test }),
        })
        .execute();
      log[found && test.clear === test.rooms ? "info" : "warn"]("session.tested", {
        session,
        missed: !found,
        clear: test.clear,
        rooms: test.rooms,
      });
      return true;
    });
    if (noted) for (const listener of listeners) listener(session);
    return noted;
  }

  async function makeDue(): Promise<void> {
    const nowMs = clock.wallMs();
    const drafts = await db
      .selectFrom("session")
      .select(["id", "scheduledAt", "createdAt"])
      .where("state", "=", "draft")
      .where("scheduledAt", ">", isoUtc(nowMs - FORGET_MS))
      .execute();
    for (const { id, scheduledAt, createdAt } of drafts) {
      const made = await db.selectFrom("connectionTest").select("minutesBefore").where("sessionId", "=", id).execute();
      const done = new Set(made.flatMap(({ minutesBefore }) => minutesBefore ?? []));
      const scheduledAtMs = Date.parse(scheduledAt!);
      const { make, missed } = planTests({ scheduledAtMs, createdAtMs: Date.parse(createdAt), before, done, nowMs });
      const due = (minutesBefore: number) => ({
        minutesBefore,
        dueAt: isoUtc(scheduledAtMs - minutesBefore * 60_000),
      });
      for (const minutes of missed) await note(id, due(minutes), null, null);
      if (make !== null) await note(id, due(make), null, await look(id));
    }
  }

  return {
    async testNow(session, actor) {
      const view = await reception.session(session);
      if (!view) return { ok: false, code: "notFound", detail: `no session ${session}` };
      if (!(await note(session, null, actor, await look(session))))
        return { ok: false, code: "wrongState", detail: "only a session that has not begun is tested" };
      return { ok: true, session: (await reception.session(session))! };
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async run(signal) {
      const rest = (ms: number) => clock.sleep(ms, signal).catch(() => {});
      await rest(COME_BACK_MS);
      while (!signal.aborted) {
        await makeDue().catch((error: unknown) => log.error("session.notTested", { cause: causeOf(error) }));
        await rest(LOOK_MS);
      }
    },
  };
}
