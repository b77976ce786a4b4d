import { type ReadonlySignal, signal } from "@preact/signals";
import {
  ROOM_EVENTS_PATH,
  ROOM_LEVEL_EVENT,
  type RoomAct,
  type RoomHand,
  type RoomLevel,
  type RoomSoundAct,
  type RoomState,
} from "../../protocol/protocol.ts";

/** The agent speaks at least every 10 s; after this much silence it is taken for away. */
const SILENCE_MS = 15_000;
const RETRY_MS = 1_000;

export interface Room {
  /** The last word of the agent; undefined before the first. */
  state: ReadonlySignal<RoomState | undefined>;
  /** False while the agent is away: what is shown may be old, and nothing is said to be recording. */
  present: ReadonlySignal<boolean>;
  /** The agent's time, once a second. */
  now: ReadonlySignal<number>;
  /** What the microphone hears, a few times a second; undefined while nothing is measured. */
  level: ReadonlySignal<RoomLevel | undefined>;
  close(): void;
}

/** Listens to the agent of this box for as long as the screen is lit, and comes back by itself. */
export function openRoom(): Room {
  const state = signal<RoomState | undefined>(undefined);
  const present = signal(false);
  const now = signal(Date.now());
  const level = signal<RoomLevel | undefined>(undefined);
  let source: EventSource | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;

  const again = () => {
    present.value = false;
    level.value = undefined;
    source?.close();
    clearTimeout(silence);
    clearTimeout(retry);
    retry = setTimeout(open, RETRY_MS);
  };
  function open(): void {
    source = new EventSource(ROOM_EVENTS_PATH);
    silence = setTimeout(again, SILENCE_MS);
    source.addEventListener("state", (message: MessageEvent<string>) => {
      clearTimeout(silence);
      silence = setTimeout(again, SILENCE_MS);
      state.value = JSON.parse(message.data) as RoomState;
      present.value = true;
    });
    source.addEventListener(ROOM_LEVEL_EVENT, (message: MessageEvent<string>) => {
      level.value = JSON.parse(message.data) as RoomLevel;
    });
    source.onerror = again;
  }
  open();
  const tick = setInterval(() => {
    now.value = Date.now();
  }, 1_000);
  return {
    state,
    present,
    now,
    level,
    close() {
      source?.close();
      clearTimeout(silence);
      clearTimeout(retry);
      clearInterval(tick);
    },
  };
}

/** Asks the agent to do something; `late` is what was not on offer any more. */
export async function perform(
  path: string,
  act: RoomAct | RoomHand | RoomSoundAct,
): Promise<"done" | "late" | "failed"> {
  try {
    const { status } = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(act),
    });
    return status === 204 ? "done" : status === 409 ? "late" : "failed";
  } catch {
    return "failed";
  }
}
