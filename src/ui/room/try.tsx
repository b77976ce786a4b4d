import { useSignal } from "@preact/signals";
import { CircleCheck, CircleX } from "lucide-preact";
import { useEffect, useRef } from "preact/hooks";
import type { RoomLevel } from "../../protocol/protocol.ts";
import { meterOf } from "../design/meter.ts";
import { ROOM } from "../text/room.ts";
import { SOUND_TEST } from "../text/sound-test.ts";
import type { Room } from "./agent.ts";
import { playChime } from "./chime.ts";
import { LastSoundTest, type SoundTesting } from "./sound-test.tsx";
import { heardOf, judgeChime, type Verdict } from "./trial.ts";

/** Momentary loudness looks back over 400 ms; words come and go within this. */
const RECENT_MS = 4_000;
const QUIET_MS = 1_500;
const VERDICT_MS = 20_000;
const ANSWERS: Record<Verdict, string> = {
  good: ROOM.testGood,
  noSound: ROOM.testNoSound,
  noMeter: ROOM.testNoMeter,
};

interface Props {
  room: Room;
  test: { open: boolean; toggle: () => void; close: () => void };
  sound: SoundTesting;
}

/**
 * Before a session: a meter for trying one's voice, and one press that tries loudspeaker, microphone and echo together. The
 * agent makes the test where it reaches both; elsewhere a chime says whether they hear each other.
 */
export function Try({ room, test: selfTest, sound }: Props) {
  const kept = useRef<{ atMs: number; level: RoomLevel }[]>([]);
  const bar = useRef<HTMLElement>(null);
  const words = useSignal("");
  const trial = useSignal<Verdict | "running" | null>(null);
  const measured = useSignal(false);
  const since = (fromMs: number) => kept.current.filter(({ atMs }) => atMs >= fromMs).map(({ level }) => level);

  useEffect(
    () =>
      room.level.subscribe((level) => {
        measured.value = level !== undefined;
        if (!level) return;
        const atMs = performance.now();
        kept.current = [...kept.current.filter((one) => atMs - one.atMs < 2 * RECENT_MS), { atMs, level }];
        if (bar.current) bar.current.style.transform = `scaleX(${meterOf(level.lufs)})`;
        const heard = heardOf(since(atMs - RECENT_MS));
        words.value = heard === "heard" ? ROOM.tryHeard : heard === "quiet" ? ROOM.tryQuiet : ROOM.trySilent;
      }),
    [room],
  );
  const test = async () => {
    if (trial.peek() === "running") return;
    trial.value = "running";
    const beforeMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    const before = since(beforeMs);
    const duringMs = performance.now();
    await playChime();
    trial.value = judgeChime(before, since(duringMs));
  };
  // The verdict stands long enough to be read by two people, then the voice has its words back.
  useEffect(() => {
    if (trial.value === null || trial.value === "running") return undefined;
    const timer = setTimeout(() => {
      trial.value = null;
    }, VERDICT_MS);
    return () => clearTimeout(timer);
  }, [trial.value]);
  const running = sound.state?.running ?? null;
  const agentTests = sound.state !== undefined && sound.state.refused !== "noMicrophone";
  const result = sound.state?.result;
  const verdict = trial.value === "running" ? null : trial.value;
  const open = (
    <button type="button" class="room-button room-test" onClick={sound.shown ? sound.close : selfTest.toggle}>
      {sound.shown ? SOUND_TEST.close : selfTest.open ? ROOM.selfTestClose : ROOM.selfTestOpen}
    </button>
  );
  const first = () => {
    selfTest.close();
    return agentTests ? sound.press() : test();
  };
  if (!measured.value && !agentTests) return <div class="room-try">{open}</div>;
  return (
    <div class="room-try">
      <output class="room-try-words">
        {sound.said ? (
          <span class="word-bad">{sound.said}</span>
        ) : running && running.phase !== "speak" ? null : verdict === null ? (
          <>
            {measured.value && !sound.shown && (
              <span>
                <b>{ROOM.tryTitle}</b> {words.value}
              </span>
            )}
            {result && !running && !sound.shown && <LastSoundTest result={result} />}
          </>
        ) : (
          <span class={verdict === "good" ? "word-ok" : "word-bad"}>
            {verdict === "good" ? <CircleCheck aria-hidden="true" /> : <CircleX aria-hidden="true" />}
            {ANSWERS[verdict]}
          </span>
        )}
      </output>
      {measured.value && !sound.shown && (!running || running.phase === "speak") && (
        <span class="room-meter" aria-hidden="true">
          <i ref={bar} style={{ transform: `scaleX(${meterOf(kept.current.at(-1)?.level.lufs ?? null)})` }} />
        </span>
      )}
      <div class="room-tests">
        <button
          type="button"
          class="room-button room-test"
          onClick={() => void first()}
          onKeyDown={(event) => event.repeat && event.preventDefault()}
        >
          {running
            ? SOUND_TEST.stop
            : sound.shown
              ? SOUND_TEST.again
              : trial.value === "running"
                ? ROOM.testing
                : ROOM.test}
        </button>
        {!running && open}
      </div>
    </div>
  );
}
