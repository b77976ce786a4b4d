import {
  lampsOfRoom,
  soundTestPassed,
  type BoxId,
  type Health,
  type LiveKind,
  type RoomSeen,
  type SessionId,
} from "../../protocol/protocol.ts";
import type { TestedRoomView } from "../http/views.ts";

const MINUTE_MS = 60_000;
/** A room's sound is another one after a day: somebody has moved the microphone. */
const SOUND_TEST_MS = 24 * 60 * MINUTE_MS;

/** Instants in milliseconds since 1970. */
export interface Tested {
  scheduledAtMs: number;
  createdAtMs: number;
  /** Of the connection tests that this hub makes by itself, minutes before the appointed time. */
  before: readonly number[];
  /** Those of them that have been made, or missed. */
  done: ReadonlySet<number>;
  nowMs: number;
}

const undone = ({ scheduledAtMs, createdAtMs, before, done }: Tested) =>
  before
    .map((minutesBefore) => ({ minutesBefore, dueMs: scheduledAtMs - minutesBefore * MINUTE_MS }))
    // What was over when the session was planned was never due.
    .filter(({ minutesBefore, dueMs }) => !done.has(minutesBefore) && dueMs > createdAtMs)
    .sort((a, b) => a.dueMs - b.dueMs);

/**
 * Which test is to be made now, and which will not be made any more. Late is better than never, as long as the session
 * has not begun; of several that are late only the last is made, since they would all see the same.
 */
export function planTests(tested: Tested): { make: number | null; missed: number[] } {
  const due = undone(tested)
    .filter(({ dueMs }) => dueMs <= tested.nowMs)
    .map(({ minutesBefore }) => minutesBefore);
  const make = tested.nowMs < tested.scheduledAtMs ? (due.pop() ?? null) : null;
  return { make, missed: due };
}

/** The next first. */
export const testsToCome = (tested: Tested): { minutesBefore: number; dueMs: number }[] =>
  undone(tested).filter(({ dueMs }) => dueMs > tested.nowMs);

/** What a test looks at. */
export interface TestableRoom extends RoomSeen {
  box: BoxId | null;
  /** What of it arrives at the hub now. */
  live: readonly LiveKind[];
}

/** What a test finds of one room, and whether a session could be held with it (thông suốt). */
export function judgeRoom(
  seen: TestableRoom,
  { session, mustRecord, nowMs }: { session: SessionId; mustRecord: boolean; nowMs: number },
): Omit<TestedRoomView, "point"> {
  if (seen.box === null) return { clear: false, troubles: ["noBox"], soundTest: null };
  const { troubles, picture } = lampsOfRoom(seen, mustRecord);
  const health = seen.connected ? seen.health : null;
  const found: TestedRoomView["troubles"] = troubles.filter((trouble) => trouble !== "diskLow");
  if (lacksRoom(health, session) ?? troubles.includes("diskLow")) found.push("diskLow");
  // The hub's own ears: a box may take for sent what nobody gets.
  if (seen.connected && seen.live.length === 0 && !found.includes("liveDown")) found.push("liveDown");
  // Of a room that is in another session the lamp waits for speech; that nobody speaks now says nothing of this one.
  const measured = health !== null && picture !== "unknown" && health.sound.state !== "unknown";
  if (seen.connected && !measured && !found.some((one) => one !== "liveDown")) found.push("notMeasured");
  const sound = health?.soundTest;
  const fresh = sound && nowMs - Date.parse(sound.at) < SOUND_TEST_MS;
  return {
    clear: found.length === 0,
    troubles: found,
    soundTest: fresh ? (soundTestPassed(sound) ? "passed" : "failed") : null,
  };
}

/** The box's own word on this very session; undefined where it says nothing of it. */
function lacksRoom(health: Health | null, session: SessionId): boolean | undefined {
  const said = health?.space?.sessions.find((one) => one.session === session);
  return said && !said.ready;
}
