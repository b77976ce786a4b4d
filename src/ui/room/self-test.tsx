import { useSignal } from "@preact/signals";
import { CircleCheck, CircleDashed, CircleX } from "lucide-preact";
import { useEffect } from "preact/hooks";
import type { RoomState } from "../../protocol/protocol.ts";
import { ROOM, SELF_TEST, type TestItem } from "../text/room.ts";

type Finding = "good" | "bad" | "unknown";

/** Below this the words of this screen cannot be read from 4 m. */
const LEAST_LINES = 720;
/** Pictures of a session move at 25 a second; a TV that paints fewer stutters. */
const LEAST_FPS = 20;
const FRAMES = 30;

/** Camera, microphone, screen and line as they are now, each with one word that says whether it passes. */
export function SelfTest({ state }: { state: RoomState }) {
  const fps = useFramesPerSecond();
  const findings = { ...devices(state), screen: screen(fps), line: line(state) };
  return (
    <ul class="room-test-list" aria-label={ROOM.selfTest}>
      {(Object.keys(findings) as TestItem[]).map((item) => {
        const finding = findings[item];
        const Icon = finding === "good" ? CircleCheck : finding === "bad" ? CircleX : CircleDashed;
        return (
          <li key={item} class={finding === "bad" ? "word-bad" : finding === "good" ? "word-ok" : "soft"}>
            <Icon aria-hidden="true" />
            <span>{SELF_TEST[item][finding]}</span>
          </li>
        );
      })}
    </ul>
  );
}

/** Dark, silent and frozen count as bad here: whoever tests stands in front of camera and microphone. */
function devices({ health }: RoomState): { camera: Finding; microphone: Finding } {
  if (!health || health.encoder.state === "starting") return { camera: "unknown", microphone: "unknown" };
  if (health.encoder.state === "failed") return { camera: "bad", microphone: "bad" };
  const camera = ["none", "black", "frozen"].includes(health.picture) ? "bad" : "good";
  const { state, levelLufs } = health.sound;
  const microphone =
    state === "none" || state === "silent" ? "bad" : state === "unknown" && levelLufs === null ? "unknown" : "good";
  return { camera, microphone };
}

function line({ connected, pairing, network }: RoomState): Finding {
  if (connected || (pairing.state === "code" && pairing.hubAnswers)) return "good";
  return network?.trouble || pairing.state !== "connecting" ? "bad" : "unknown";
}

const screen = (fps: number | null): Finding =>
  fps === null ? "unknown" : innerHeight * devicePixelRatio >= LEAST_LINES && fps >= LEAST_FPS ? "good" : "bad";

/** How often this screen is painted, measured once. */
function useFramesPerSecond(): number | null {
  const fps = useSignal<number | null>(null);
  useEffect(() => {
    const startedMs = performance.now();
    let frames = 0;
    let request = requestAnimationFrame(function count() {
      if (++frames < FRAMES) request = requestAnimationFrame(count);
      else fps.value = (frames * 1_000) / (performance.now() - startedMs);
    });
    return () => cancelAnimationFrame(request);
  }, []);
  return fps.value;
}
