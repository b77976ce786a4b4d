import { expect, test } from "vitest";
import type { AssignedSession, PointId, RoomSession, SessionId } from "../../protocol/protocol.ts";
import { wantedPage } from "./wanted.ts";

const NOW = Date.parse("2026-11-23T01:00:00.000Z");
const at = (minutes: number) => new Date(NOW + minutes * 60_000).toISOString();
const companion = { url: "https://hop.vn/1", name: "Họp" };
const page = { session: "session-a" as SessionId, ...companion };
const session = (change: Partial<AssignedSession>): AssignedSession => ({
  ...{ id: "session-a" as SessionId, name: "Buổi tiếp", state: "draft", role: "delegate", scheduledAt: null },
  ...{ startedAt: null, endedAt: null, companion, ...change },
});
const wanted = (sessions: AssignedSession[], own: RoomSession[] = []) =>
  wantedPage(
    {
      assignment: { type: "assignment", revision: 1, point: { id: "point-a" as PointId, name: "Phòng" }, sessions },
      ...{ own, now: { utcMs: NOW, monotonicMs: 0, bootId: "boot" }, awayMs: null },
    },
    10,
  );

test("the page stands from a while before the hour until the session ends", () => {
  expect(wanted([session({ scheduledAt: at(11) })])).toBeNull();
  expect(wanted([session({ scheduledAt: at(10) })])).toEqual(page);
  expect(wanted([session({ scheduledAt: at(-20) })]), "late").toEqual(page);
  expect(wanted([session({ scheduledAt: at(-40) })]), "forgotten").toBeNull();
  expect(wanted([session({})]), "without an hour").toBeNull();
  expect(wanted([session({ state: "live", startedAt: at(-60) })])).toEqual(page);
  expect(wanted([session({ state: "paused", startedAt: at(-60) })])).toEqual(page);
  expect(wanted([session({ state: "ended", startedAt: at(-60), endedAt: at(-1) })])).toBeNull();
});

test("the session that the room is in comes before the next one, with a page or without", () => {
  const running = { ...session({ state: "live", startedAt: at(-60) }), id: "session-b" as SessionId };
  const { companion: _, ...plain } = running;
  expect(wanted([session({ scheduledAt: at(5) }), plain])).toBeNull();
  expect(wanted([session({ scheduledAt: at(5) }), running])).toEqual({ ...page, session: "session-b" });
});
