import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ROOM_START_PATH, ROOM_STOP_PATH, type RoomState } from "../../protocol/protocol.ts";
import { ROOM } from "../text/room.ts";
import { perform } from "./agent.ts";

/** A first press only asks; what was asked and not answered is forgotten. */
const SURE_MS = 8_000;

/**
 * Begins or ends a session in this room: one button, two presses. It has the focus by itself where it is the only one,
 * so that the one key of a simple remote control is enough.
 */
export function Act({ state: { start, stop }, focused = true }: { state: RoomState; focused?: boolean }) {
  const asked = useSignal(false);
  const said = useSignal<string | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  const path = stop ? ROOM_STOP_PATH : ROOM_START_PATH;
  const session = stop ? stop.session : (start?.session ?? null);
  const offered = start !== null || stop !== null;
  // Another offer is another question: it must be asked anew.
  useEffect(() => {
    asked.value = false;
    said.value = null;
    if (focused) button.current?.focus();
  }, [offered, path, session]);
  useEffect(() => {
    if (!asked.value) return undefined;
    const timer = setTimeout(() => {
      asked.value = false;
    }, SURE_MS);
    return () => clearTimeout(timer);
  }, [asked.value]);
  if (!offered) return null;
  const words = stop ? ROOM.end : session === null ? ROOM.beginAdHoc : ROOM.begin;
  const press = async () => {
    said.value = null;
    asked.value = !asked.value;
    if (asked.value) return;
    const done = await perform(path, { session });
    said.value = done === "done" ? null : done === "late" ? ROOM.actLate : ROOM.actFailed;
  };
  return (
    <div class="room-act">
      <button
        ref={button}
        type="button"
        class={asked.value ? "room-button room-button-sure" : "room-button"}
        onClick={(event) => {
          // A double click is one press of an unsteady hand.
          if (event.detail <= 1) void press();
        }}
        onKeyDown={(event) => {
          if (event.repeat) event.preventDefault();
          if (event.key === "Escape") asked.value = false;
        }}
        onBlur={() => {
          asked.value = false;
        }}
      >
        {asked.value ? (stop ? ROOM.endSure : ROOM.beginSure) : words}
      </button>
      {said.value && <output>{said.value}</output>}
    </div>
  );
}
