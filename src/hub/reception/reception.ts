import type { Transaction } from "kysely";
import type {
  AssignedSession,
  BoxId,
  BoxRoomSessions,
  Companion,
  HubAdopted,
  HubAssignment,
  PointId,
  PointRole,
  RoomSession,
  SessionId,
  SessionState,
} from "../../protocol/protocol.ts";
import { makeId, PLANNED_MINUTES } from "../../protocol/protocol.ts";
import { isoUtc, randomId, type Clock, type Log } from "../../platform/platform.ts";
import { readMemory, type Database, type HubDatabase } from "../database/database.ts";
import type { SessionEventDetail, SessionView } from "../http/views.ts";
import { momentAtHub, planAdoption } from "./adoption.ts";
import { companionOf, readViews } from "./session-views.ts";
import { decide, pointsFault, roomNote, type SessionAct } from "./transition.ts";

export { createConnectionTests, type ConnectionTests } from "./connection-tests.ts";
export { eventView } from "./session-views.ts";

/** Boxes that were switched off for a month still learn that a session has ended. */
const ENDED_ASSIGNED_MS = 30 * 24 * 3_600_000;
/** A box keeps what it is told on its disk, and a change of any session is told to all. */
const ENDED_ASSIGNED = 100;
/** States in which a session holds its rooms. */
const RUNNING: SessionState[] = ["live", "paused"];

export interface SessionPlan {
  name: string;
  scheduledAt: string | null;
  /** PLANNED_MINUTES unless said otherwise. */
  plannedMinutes?: number;
  points: { id: PointId; role: PointRole }[];
  /** The meeting system that carries the talk, where this one does not. */
  companion?: Companion | null | undefined;
}

export type SessionOutcome =
  | { ok: true; session: SessionView }
  | { ok: false; code: "notFound" | "wrongState" | "roomBusy" | "noRooms" | "badRequest"; detail: string };

export interface RunningRoom {
  point: PointId;
  session: { id: SessionId; name: string; role: PointRole; state: SessionState };
}

export interface Reception {
  create(plan: SessionPlan, actor: string): Promise<SessionOutcome>;
  start(session: SessionId, actor: string): Promise<SessionOutcome>;
  pause(session: SessionId, actor: string, reason?: string | null): Promise<SessionOutcome>;
  resume(session: SessionId, actor: string): Promise<SessionOutcome>;
  end(session: SessionId, actor: string): Promise<SessionOutcome>;
  /** Newest first. */
  sessions(): Promise<SessionView[]>;
  session(session: SessionId): Promise<SessionView | undefined>;
  /** Rooms that a live or paused session holds; a room is in at most one. */
  running(): Promise<RunningRoom[]>;
  /** What the box must know: sessions of its point that have not ended, and the last hundred that ended within 30 days. */
  forBox(box: BoxId): Promise<HubAssignment>;
  /**
   * Takes note of sessions that a room began without the hub: what the hub does not know becomes an ad hoc session, a
   * draft becomes live. Saying the same again changes nothing.
   */
  adopt(box: BoxId, message: BoxRoomSessions): Promise<HubAdopted>;
  /** Notes in the running session of this point that its room went or came back; nothing where none runs. */
  noteRoom(point: PointId, kind: "roomLost" | "roomBack"): Promise<void>;
  /**
   * Notes of every room in a running session whether it is there: at a start some are missing already.
   * @returns the missing ones
   */
  noteRooms(isThere: (point: PointId) => boolean): Promise<PointId[]>;
  onChange(listener: (session: SessionId) => void): () => void;
}

export class ReceptionError extends Error {
  override readonly name = "ReceptionError";
  readonly code = "unknownBox";
}

/**
 * INVARIANTS
 * - A session's state, its event and the assignment revision change in one transaction: a killed hub restarts with
 *   all or none of them, and a revision never names a state older than it.
 * - A point is in at most one live or paused session.
 * - Listeners are called after the commit, never before.
 */
export function createReception({
  db,
  clock,
  log,
  testsBefore = [],
}: {
  db: HubDatabase;
  clock: Clock;
  log: Log;
  /** Of connection tests, minutes before the appointed time. */
  testsBefore?: readonly number[];
}): Reception {
  const views = (only?: SessionId) => readViews(db, { only, testsBefore, nowMs: clock.wallMs() });
  const listeners = new Set<(session: SessionId) => void>();
  const now = () => isoUtc(clock.wallMs());
  const changed = (session: SessionId) => {
    for (const listener of listeners) listener(session);
  };

  async function act(
    id: SessionId,
    act: SessionAct,
    actor: string,
    detail?: SessionEventDetail,
  ): Promise<SessionOutcome> {
    const outcome = await db.transaction().execute(async (trx) => {
      const session = await trx.selectFrom("session").selectAll().where("id", "=", id).executeTakeFirst();
      if (!session) return refuse("notFound", `no session ${id}`);
      const decision = decide(session.state, act);
      if (decision.kind === "wrongState")
        return refuse("wrongState", `cannot ${act} a session that is ${session.state}`);
      if (decision.kind === "already") return "already";
      if (act === "start") {
        const busy = await busyPoints(trx, id);
        if (busy.length > 0)
          return refuse("roomBusy", busy.map(({ point, session }) => `${point} is in session ${session}`).join("; "));
      }
      const at = now();
      await trx
        .updateTable("session")
        .set({
          state: decision.to,
          ...(decision.event === "started" ? { startedAt: at } : {}),
          ...(decision.event === "ended" ? { endedAt: at } : {}),
        })
        .where("id", "=", id)
        .execute();
      await trx
        .insertInto("sessionEvent")
        .values({
          ...{ sessionId: id, at, kind: decision.event, actor, pointId: null },
          detail: detail ? JSON.stringify(detail) : null,
        })
        .execute();
      await raiseRevision(trx, clock.wallMs());
      return "changed";
    });
    if (typeof outcome === "object") return outcome;
    if (outcome === "changed") {
      log.info("session.changed", { session: id, act, actor });
      changed(id);
    }
    return { ok: true, session: (await views(id))[0]! };
  }

  async function running(): Promise<RunningRoom[]> {
    const rows = await runningAt(db);
    return rows.map(({ pointId, ...session }) => ({ point: pointId, session }));
  }

  async function noteRoom(point: PointId, kind: "roomLost" | "roomBack"): Promise<void> {
    const noted = await db.transaction().execute(async (trx) => {
      const session = await trx
        .selectFrom("session")
        .innerJoin("sessionPoint", "sessionPoint.sessionId", "session.id")
        .select("id")
        .where("pointId", "=", point)
        .where("state", "in", RUNNING)
        .executeTakeFirst();
      if (!session) return undefined;
      const last = await trx
        .selectFrom("sessionEvent")
        .select("kind")
        .where("sessionId", "=", session.id)
        .where("pointId", "=", point)
        .where("kind", "in", ["roomLost", "roomBack"])
        .orderBy("id", "desc")
        .executeTakeFirst();
      const note = roomNote(kind, last?.kind as "roomLost" | "roomBack" | undefined);
      if (!note) return undefined;
      await trx
        .insertInto("sessionEvent")
        .values({ sessionId: session.id, at: now(), kind: note, actor: null, pointId: point })
        .execute();
      return session.id;
    });
    if (noted) changed(noted);
  }

  async function adoptOne(box: BoxId, mine: RoomSession, at: { startedAt: string; endedAt: string | null }) {
    const { id } = mine;
    return db.transaction().execute(async (trx) => {
      const { pointId } = await trx.selectFrom("box").select("pointId").where("id", "=", box).executeTakeFirstOrThrow();
      const known = await trx.selectFrom("session").selectAll().where("id", "=", id).executeTakeFirst();
      const points = await trx.selectFrom("sessionPoint").select("pointId").where("sessionId", "=", id).execute();
      const last = await trx
        .selectFrom("sessionEvent")
        .select("kind")
        .where("sessionId", "=", id)
        .where("pointId", "=", pointId)
        .where("kind", "in", ["startedByRoom", "endedByRoom"])
        .orderBy("id", "desc")
        .executeTakeFirst();
      const busy = known
        ? (await busyPoints(trx, id)).length > 0
        : (await runningAt(trx)).some((room) => room.pointId === pointId);
      const putBackMs = (await readMemory(trx)) * 1_000;
      // Only what was begun before this hub was put back can have been forgotten: a room's word ends nothing else.
      const isForgotten = Date.parse(known?.startedAt ?? at.startedAt) < putBackMs;
      if (mine.remembered && !isForgotten) return "same";
      const plan = planAdoption({
        ...at,
        known: known && {
          state: known.state,
          adHoc: known.adHoc === 1,
          endedAt: known.endedAt,
          member: points.some((point) => point.pointId === pointId),
        },
        remembered: mine.remembered !== undefined,
        open: known?.adHoc === 1 && Date.parse(known.createdAt) >= putBackMs,
        noted: last?.kind as "startedByRoom" | "endedByRoom" | undefined,
        busy,
      });
      if (plan.kind === "refuse") return "refused";
      if (plan.create) {
        await trx
          .insertInto("session")
          .values({
            ...{ id, name: mine.name, state: "draft", scheduledAt: null, createdAt: now() },
            ...{ startedAt: null, endedAt: null, adHoc: 1 },
          })
          .execute();
      }
      if (plan.join) {
        const role = mine.remembered?.role ?? "central";
        await trx.insertInto("sessionPoint").values({ sessionId: id, pointId, role }).execute();
      }
      if (plan.set) await trx.updateTable("session").set(plan.set).where("id", "=", id).execute();
      for (const { kind, at, ofPoint } of plan.events)
        await trx
          .insertInto("sessionEvent")
          .values({ sessionId: id, at, kind, actor: null, pointId: ofPoint ? pointId : null })
          .execute();
      if (!plan.join && !plan.set && plan.events.length === 0) return "same";
      await raiseRevision(trx, clock.wallMs());
      return "changed";
    });
  }

  return {
    running,
    noteRoom,
    async adopt(box, { at, sessions }) {
      const hubMs = clock.wallMs();
      const noted: HubAdopted["sessions"] = [];
      for (const mine of sessions) {
        const startedAt = momentAtHub(mine.startedAt, at, hubMs);
        const endedAt = mine.endedAt && momentAtHub(mine.endedAt, at, hubMs);
        const outcome = await adoptOne(box, mine, { startedAt, endedAt });
        if (outcome === "refused") {
          log.warn("session.notAdopted", { box, session: mine.id, reason: "the box's point is not part of it" });
          continue;
        }
        noted.push({ id: mine.id, ended: mine.endedAt !== null });
        if (outcome === "same") continue;
        log.info("session.adopted", { box, session: mine.id, by: mine.by, startedAt, endedAt });
        changed(mine.id);
      }
      return { type: "adopted", sessions: noted };
    },
    async noteRooms(isThere) {
      const points = (await running()).map((room) => room.point);
      for (const point of points) await noteRoom(point, isThere(point) ? "roomBack" : "roomLost");
      return points.filter((point) => !isThere(point));
    },
    async create(plan, actor) {
      const fault = pointsFault(plan.points);
      if (fault) return { ok: false, ...fault };
      const ids = plan.points.map((point) => point.id);
      const id = makeId("session", randomId());
      const known = await db.transaction().execute(async (trx) => {
        const found = await trx.selectFrom("bridgePoint").select("id").where("id", "in", ids).execute();
        if (found.length < ids.length) return false;
        const at = now();
        await trx
          .insertInto("session")
          .values({
            id,
            name: plan.name,
            state: "draft",
            scheduledAt: plan.scheduledAt,
            plannedMinutes: plan.plannedMinutes ?? PLANNED_MINUTES,
            createdAt: at,
            startedAt: null,
            endedAt: null,
            companionUrl: plan.companion?.url ?? null,
            companionName: plan.companion?.name ?? null,
          })
          .execute();
        await trx
          .insertInto("sessionPoint")
          .values(plan.points.map((point) => ({ sessionId: id, pointId: point.id, role: point.role })))
          .execute();
        await trx
          .insertInto("sessionEvent")
          .values({ sessionId: id, at, kind: "created", actor, pointId: null })
          .execute();
        await raiseRevision(trx, clock.wallMs());
        return true;
      });
      if (!known) return refuse("notFound", "a point of this session does not exist");
      log.info("session.created", { session: id, actor });
      changed(id);
      return { ok: true, session: (await views(id))[0]! };
    },
    start: (session, actor) => act(session, "start", actor),
    pause: (session, actor, reason) => act(session, "pause", actor, reason ? { text: reason } : undefined),
    resume: (session, actor) => act(session, "resume", actor),
    end: (session, actor) => act(session, "end", actor),
    sessions: () => views(),
    session: async (session) => (await views(session))[0],
    forBox: (box) =>
      db.transaction().execute(async (trx) => {
        const point = await trx
          .selectFrom("box")
          .innerJoin("bridgePoint", "bridgePoint.id", "box.pointId")
          .select(["bridgePoint.id", "bridgePoint.name"])
          .where("box.id", "=", box)
          .executeTakeFirst();
        if (!point) throw new ReceptionError(`no box ${box}`);
        const ofPoint = trx
          .selectFrom("session")
          .innerJoin("sessionPoint", "sessionPoint.sessionId", "session.id")
          .select(["id", "name", "state", "role", "scheduledAt", "plannedMinutes", "startedAt", "endedAt"])
          .select(["companionUrl", "companionName", "createdAt"])
          .where("pointId", "=", point.id);
        const ended = await ofPoint
          .where("state", "=", "ended")
          .where("endedAt", ">=", isoUtc(clock.wallMs() - ENDED_ASSIGNED_MS))
          .orderBy("endedAt", "desc")
          .limit(ENDED_ASSIGNED)
          .execute();
        const rows = [...ended, ...(await ofPoint.where("state", "!=", "ended").execute())].sort((a, b) =>
          a.createdAt.localeCompare(b.createdAt),
        );
        const sessions = rows.map((row): AssignedSession => {
          const { companionUrl, companionName, createdAt: _, ...session } = row;
          const companion = companionOf({ companionUrl, companionName });
          return { ...session, ...(companion && { companion }) };
        });
        return { type: "assignment", revision: await revision(trx), point, sessions };
      }),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

const refuse = (code: (SessionOutcome & { ok: false })["code"], detail: string) =>
  ({ ok: false, code, detail }) as const;

const runningAt = (db: HubDatabase) =>
  db
    .selectFrom("sessionPoint")
    .innerJoin("session", "session.id", "sessionPoint.sessionId")
    .select(["pointId", "role", "session.id", "name", "state"])
    .where("state", "in", RUNNING)
    .execute();

/** Points of this session that another live or paused session holds, with both names. */
const busyPoints = (trx: Transaction<Database>, id: SessionId) =>
  trx
    .selectFrom("sessionPoint as mine")
    .innerJoin("sessionPoint as theirs", "theirs.pointId", "mine.pointId")
    .innerJoin("session", "session.id", "theirs.sessionId")
    .innerJoin("bridgePoint", "bridgePoint.id", "mine.pointId")
    .select(["bridgePoint.name as point", "session.name as session"])
    .where("mine.sessionId", "=", id)
    .where("session.id", "!=", id)
    .where("session.state", "in", RUNNING)
    .execute();

const revision = async (trx: Transaction<Database>): Promise<number> =>
  (await trx.selectFrom("counter").select("value").where("name", "=", "assignmentRevision").executeTakeFirst())
    ?.value ?? 1;

/**
 * Always higher than before, and at least the seconds since 1970: a hub that was restored from yesterday's backup
 * still speaks with a higher revision than its boxes have seen.
 */
async function raiseRevision(trx: Transaction<Database>, wallMs: number): Promise<void> {
  const value = Math.max((await revision(trx)) + 1, Math.floor(wallMs / 1_000));
  await trx
    .insertInto("counter")
    .values({ name: "assignmentRevision", value })
    .onConflict((conflict) => conflict.column("name").doUpdateSet({ value }))
    .execute();
}
