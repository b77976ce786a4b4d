import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { PointId, SessionId } from "../../protocol/protocol.ts";
import type { Sound } from "../design/waveform.ts";
import type { Lane } from "./playback.ts";
import { useDesk } from "./store.ts";

/** While the hub still measures. */
const AGAIN_MS = 3_000;

/** How loud it is in these rows, as it becomes known; of a row that grows, once more each time it has grown. */
export function useLoudness(session: SessionId, lanes: readonly Lane[]): ReadonlyMap<string, Sound> {
  const { api } = useDesk();
  const sounds = useSignal<ReadonlyMap<string, Sound>>(new Map());
  const wanted = lanes.map(({ id, spans }) => `${id} ${spans.at(-1)?.playlistMs} ${spans.at(-1)?.durationMs}`).join();
  useEffect(() => {
    let closed = false;
    const timers = new Set<ReturnType<typeof setTimeout>>();
    const load = async (lane: Lane): Promise<void> => {
      const answer = await api.loudness(session, lane.id.split("/")[0] as PointId, lane.track);
      if (closed) return;
      if (answer.ok) {
        const { stepMs, levels, complete } = answer.value;
        const sound = { stepMs, levels: Uint8Array.from(atob(levels), (char) => char.charCodeAt(0)) };
        sounds.value = new Map(sounds.peek()).set(lane.id, sound);
        if (complete) return;
      } else if (answer.code !== "noAnswer") return;
      timers.add(setTimeout(() => void load(lane), AGAIN_MS));
    };
    for (const lane of lanes) void load(lane);
    return () => {
      closed = true;
      for (const timer of timers) clearTimeout(timer);
    };
  }, [session, wanted]);
  return sounds.value;
}
