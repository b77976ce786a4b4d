import { type Signal, useSignal } from "@preact/signals";
import { CircleCheck, CircleDashed, CircleDot, CircleX } from "lucide-preact";
import { useEffect, useRef } from "preact/hooks";
import {
  ROOM_SOUND_TEST_PATH,
  soundTestPassed,
  type RoomSoundTest,
  type SoundTest,
  type SoundTestPhase,
} from "../../protocol/protocol.ts";
import { clockTime } from "../text/format.ts";
import {
  SOUND_TEST,
  SOUND_TEST_BROKEN,
  SOUND_TEST_REFUSED,
  SOUND_TEST_STEPS,
  soundFindings,
  soundTestWords,
} from "../text/sound-test.ts";
import { perform } from "./agent.ts";

/** Long enough for two people to read it and to call the hub. */
const RESULT_MS = 90_000;
/** A second press within this is the same press of an unsteady hand. */
const PRESS_MS = 1_000;

export interface SoundTesting {
  /** Of the agent; undefined where it has none to offer. */
  state: RoomSoundTest | undefined;
  /** What came of the last press is on the screen. */
  shown: boolean;
  said: string | null;
  press: () => Promise<void>;
  close: () => void;
}

/** The test as the agent runs it; what comes of it stands until somebody has read it. */
export function useSoundTest(state: RoomSoundTest | undefined): SoundTesting {
  const shown = useSignal(false);
  const said = useSignal<string | null>(null);
  const pressedMs = useRef(-PRESS_MS);
  const before: { current: string | undefined } = useRef();
  const isRunning = state?.running != null;
  const wasRunning = useRef(false);
  useEffect(() => {
    if (isRunning) {
      shown.value = false;
      if (!wasRunning.current) before.current = state?.result?.at;
    } else if (wasRunning.current) {
      // Stopped by hand, it has nothing to say.
      shown.value = state?.broken != null || state?.result?.at !== before.current;
    }
    wasRunning.current = isRunning;
  }, [isRunning]);
  useTimeout(shown, RESULT_MS);
  const press = async () => {
    const nowMs = performance.now();
    if (nowMs - pressedMs.current < PRESS_MS) return;
    pressedMs.current = nowMs;
    const done = await perform(ROOM_SOUND_TEST_PATH, { act: isRunning ? "stop" : "start" });
    said.value = done === "done" ? null : state?.refused ? SOUND_TEST_REFUSED[state.refused] : SOUND_TEST.failed;
  };
  return { state, shown: shown.value, said: said.value, press, close: () => (shown.value = false) };
}

function useTimeout(open: Signal<boolean>, ms: number): void {
  useEffect(() => {
    if (!open.value) return undefined;
    const timer = setTimeout(() => (open.value = false), ms);
    return () => clearTimeout(timer);
  }, [open.value]);
}

const ICONS = { good: CircleCheck, bad: CircleX, unknown: CircleDashed };

/** What goes on now, or what came of it: in the place of the next session. */
export function SoundTestPanel({ test: { state } }: { test: SoundTesting }) {
  if (state?.running) return <Running {...state.running} />;
  if (state?.broken) return <p class="lead word-bad">{SOUND_TEST_BROKEN[state.broken]}</p>;
  return state?.result ? <Result result={state.result} /> : null;
}

function Running({ phase, leftS }: { phase: SoundTestPhase; leftS: number }) {
  const { title, text } = SOUND_TEST_STEPS[phase];
  const phases = Object.keys(SOUND_TEST_STEPS) as SoundTestPhase[];
  return (
    <div class="room-say room-sounding">
      <ol class="room-steps" aria-label={SOUND_TEST.title}>
        {phases.map((each) => {
          const at = phases.indexOf(each) - phases.indexOf(phase);
          const Icon = at < 0 ? CircleCheck : at === 0 ? CircleDot : CircleDashed;
          return (
            <li
              key={each}
              class={at < 0 ? "word-ok" : at > 0 ? "soft" : undefined}
              aria-current={at === 0 ? "step" : undefined}
            >
              <Icon aria-hidden="true" />
              {SOUND_TEST_STEPS[each].step}
            </li>
          );
        })}
      </ol>
      <output>
        <h2>{title}</h2>
        <p class="lead">{text}</p>
      </output>
      <p class="room-left">{SOUND_TEST.left(leftS)}</p>
    </div>
  );
}

function Result({ result }: { result: SoundTest }) {
  const passed = soundTestPassed(result);
  return (
    <output class="room-say">
      <h2 class={passed ? "word-ok" : "word-bad"}>{passed ? SOUND_TEST.good : SOUND_TEST.bad}</h2>
      {passed && <p>{SOUND_TEST.goodText}</p>}
      <ul class="room-test-list">
        {soundFindings(result).map(({ is, words }) => {
          const Icon = ICONS[is];
          return (
            <li key={words} class={is === "good" ? "word-ok" : is === "bad" ? "word-bad" : "soft"}>
              <Icon aria-hidden="true" />
              <span>{words}</span>
            </li>
          );
        })}
      </ul>
    </output>
  );
}

/** What came of it last, for whoever comes into the room. */
export function LastSoundTest({ result }: { result: SoundTest }) {
  const Icon = soundTestPassed(result) ? CircleCheck : CircleX;
  return (
    <span class={`room-try-last ${soundTestPassed(result) ? "word-ok" : "word-bad"}`}>
      <Icon aria-hidden="true" />
      {SOUND_TEST.last(clockTime(result.at))} {soundTestWords(result)}
    </span>
  );
}
