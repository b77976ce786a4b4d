import type { Companion, SessionId } from "../../protocol/protocol.ts";
import { isoUtc } from "../../platform/platform.ts";
import type { HubDatabase, SessionEventTable } from "../database/database.ts";
import type { SessionEventDetail, SessionEventView, SessionView, TestedRoomView } from "../http/views.ts";
import { testsToCome } from "./test-plan.ts";

export const companionOf = ({
  companionUrl: url,
  companionName: name,
}: {
  companionUrl: string | null;
  companionName: string | null;
}): Companion | null => (url === null || name === null ? null : { url, name });

/** All sessions (or one) with points, events and tests, in four queries whatever their number. */
export async function readViews(
  db: HubDatabase,
  { only, testsBefore, nowMs }: { only: SessionId | undefined; testsBefore: readonly number[]; nowMs: number },
): Promise<SessionView[]> {
  const [sessions, points, events, tests] = await Promise.all([
    db
      .selectFrom("session")
      .selectAll()
      .$if(only !== undefined, (query) => query.where("id", "=", only!))
      .orderBy("createdAt", "desc")
      .execute(),
    db
      .selectFrom("sessionPoint")
      .innerJoin("bridgePoint", "bridgePoint.id", "sessionPoint.pointId")
      .select(["sessionId", "id", "name", "role"])
      .$if(only !== undefined, (query) => query.where("sessionId", "=", only!))
      .orderBy("role")
      .orderBy("name")
      .execute(),
    db
      .selectFrom("sessionEvent")
      .leftJoin("bridgePoint", "bridgePoint.id", "sessionEvent.pointId")
      .select(["sessionId", "at", "kind", "actor", "pointId", "name", "cause", "detail"])
      .$if(only !== undefined, (query) => query.where("sessionId", "=", only!))
      .orderBy("sessionEvent.id")
      .execute(),
    db
      .selectFrom("connectionTest")
      .innerJoin("session", "session.id", "connectionTest.sessionId")
      .select(["sessionId", "minutesBefore", "dueAt", "at", "actor", "rooms"])
      // After that the log says what has to be known, and a list of years stays short.
      .where("state", "=", "draft")
      .$if(only !== undefined, (query) => query.where("sessionId", "=", only!))
      .orderBy("connectionTest.id")
      .execute(),
  ]);
  const pointsOf = Map.groupBy(points, (point) => point.sessionId);
  const eventsOf = Map.groupBy(events, (event) => event.sessionId);
  const testsOf = Map.groupBy(tests, (test) => test.sessionId);
  return sessions.map(({ companionUrl, companionName, ...session }) => {
    const made = testsOf.get(session.id) ?? [];
    const toCome =
      session.state === "draft" && session.scheduledAt !== null
        ? testsToCome({
            scheduledAtMs: Date.parse(session.scheduledAt),
            createdAtMs: Date.parse(session.createdAt),
            before: testsBefore,
            done: new Set(made.flatMap(({ minutesBefore }) => minutesBefore ?? [])),
            nowMs,
          })
        : [];
    return {
      ...session,
      companion: companionOf({ companionUrl, companionName }),
      adHoc: session.adHoc === 1,
      points: (pointsOf.get(session.id) ?? []).map(({ id, name, role }) => ({ id, name, role })),
      events: (eventsOf.get(session.id) ?? []).map(eventView),
      tests: made.map(({ minutesBefore, dueAt, at, actor, rooms }) => ({
        ...{ minutesBefore, dueAt, at, actor },
        rooms: JSON.parse(rooms) as TestedRoomView[],
      })),
      testsToCome: toCome.map(({ minutesBefore, dueMs }) => ({ minutesBefore, dueAt: isoUtc(dueMs) })),
    };
  });
}

/** An event of the database, with the name of its point, as the desk is shown it. */
export const eventView = (
  event: Omit<SessionEventTable, "id" | "sessionId"> & { name: string | null },
): SessionEventView => ({
  at: event.at,
  kind: event.kind,
  actor: event.actor,
  point: event.pointId === null ? null : { id: event.pointId, name: event.name ?? "" },
  ...(event.cause == null ? {} : { cause: event.cause }),
  ...(event.detail == null ? {} : { detail: JSON.parse(event.detail) as SessionEventDetail }),
});
