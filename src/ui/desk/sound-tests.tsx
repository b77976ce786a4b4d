import { soundTestPassed } from "../../protocol/protocol.ts";
import { sameDay } from "../text/format.ts";
import { SOUND_TEST_AT_DESK, soundTestWords } from "../text/sound-test.ts";
import type { RoomFacts } from "./facts.ts";

const NAMED = 4;

/** Before a session: in which of its rooms the sound has been tried today, and what of the others. */
export function SoundTests({ rooms, nowMs }: { rooms: readonly RoomFacts[]; nowMs: number }) {
  const tested = rooms.map(({ room }) => {
    const test = room.connected ? room.health?.soundTest : undefined;
    const untested = room.connected ? SOUND_TEST_AT_DESK.notToday : SOUND_TEST_AT_DESK.away;
    return { name: room.point.name, untested, test: test && sameDay(test.at, nowMs) ? test : undefined };
  });
  const passed = tested.filter(({ test }) => test && soundTestPassed(test));
  const others = tested.filter((room) => !passed.includes(room));
  return (
    <p class={others.length === 0 ? "word-ok" : undefined}>
      {SOUND_TEST_AT_DESK.passed(passed.length, rooms.length)}
      {others.length > 0 && (
        <span class="soft">
          {" "}
          {others
            .slice(0, NAMED)
            .map(({ name, test, untested }) => `${name}: ${test ? soundTestWords(test) : untested}`)
            .join("; ")}
          {others.length > NAMED && `; ${SOUND_TEST_AT_DESK.more(others.length - NAMED)}`}.
        </span>
      )}
    </p>
  );
}
