import type { SessionView } from "../../hub/http/views.ts";
import { TESTS, verdict } from "../text/connection-tests.ts";

/** What the last test said, where a session to come should not be left as it is. */
export function TestWarning({ session }: { session: SessionView }) {
  const last = session.tests.at(-1);
  if (!last) return null;
  const clear = last.rooms.filter((room) => room.clear).length;
  if (last.at !== null && clear === last.rooms.length) return null;
  const found = last.at === null ? TESTS.missed : verdict({ clear, rooms: last.rooms.length });
  return <p class="word-warn small">{TESTS.warning(last.minutesBefore, found)}</p>;
}
