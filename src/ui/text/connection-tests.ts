import type { SessionEventDetail, TestedRoomView } from "../../hub/http/views.ts";
import { count, duration } from "./format.ts";
import { TROUBLES } from "./terms.ts";

/** Wording of the connection tests (kiểm thử) before a session. */

const MINUTE_MS = 60_000;

export const TESTS = {
  title: "Kiểm thử trước buổi tiếp",
  now: "Kiểm thử ngay",
  before: (minutes: number): string => `Trước ${duration(minutes * MINUTE_MS)}`,
  byHand: (actor: string): string => `${actor} yêu cầu`,
  clear: (rooms: number): string => (rooms === 1 ? "Phòng thông suốt" : `Cả ${count(rooms)} phòng thông suốt`),
  some: (clear: number, rooms: number): string => `${count(clear)}/${count(rooms)} phòng thông suốt`,
  /** Of a session to come, by its last test. */
  warning: (minutesBefore: number | null, found: string): string =>
    minutesBefore === null
      ? `Kiểm thử gần nhất: ${found.toLowerCase()}`
      : `Kiểm thử trước ${duration(minutesBefore * MINUTE_MS)}: ${found.toLowerCase()}`,
  late: (ms: number): string => `muộn ${duration(ms)}`,
  missed: "Không kiểm thử được",
  missedText: "Máy chủ không hoạt động vào lúc đó.",
  toCome: (when: string): string => `Tự kiểm thử lúc ${when}`,
  unscheduled: "Buổi chưa hẹn giờ nên không tự kiểm thử.",
  noneToCome: "Không còn lần tự kiểm thử nào trước giờ hẹn.",
  sound: (tested: number, rooms: number): string => `Đã thử tiếng: ${count(tested)}/${count(rooms)} phòng.`,
  more: (rooms: number): string => `và ${count(rooms)} phòng khác`,
};

const FINDINGS = {
  noBox: "Chưa có thiết bị",
  notMeasured: "Chưa đo được hình và tiếng",
};

export const findingTitle = (trouble: TestedRoomView["troubles"][number]): string =>
  trouble === "noBox" || trouble === "notMeasured" ? FINDINGS[trouble] : TROUBLES[trouble].title;

export const verdict = ({ clear, rooms }: { clear: number; rooms: number }): string =>
  clear === rooms ? TESTS.clear(rooms) : TESTS.some(clear, rooms);

/** A test, as the session's log tells of it. */
export function testDetail({ minutesBefore, clear, rooms, others }: NonNullable<SessionEventDetail["test"]>): string {
  const when = minutesBefore === null ? [] : [`trước ${duration(minutesBefore * MINUTE_MS)}`];
  if (rooms === 0) return when.join("");
  const found = others.map(({ name, trouble }) => `${name}: ${findingTitle(trouble)}`);
  return [[...when, verdict({ clear, rooms }).toLowerCase()].join(", "), ...found].join("; ");
}
