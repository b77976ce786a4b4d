import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { RecordingOverview, RoomOverview, RoomRecordingView } from "../../hub/http/views.ts";
import type { SessionId } from "../../protocol/protocol.ts";
import { useDesk } from "./store.ts";

/** Segments come in every second while rooms catch up; the whole view is fetched at most this often. */
const REFRESH_MS = 2_000;

/** A recording, asked for again whenever the hub says that it changed. Undefined while loading. */
export function useRecording(id: SessionId, wanted: boolean): Signal<RecordingOverview | "missing" | undefined> {
  const { api, recordingsTold } = useDesk();
  const view = useSignal<RecordingOverview | "missing" | undefined>(undefined);
  useEffect(() => {
    if (!wanted) return undefined;
    let closed = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let fetchedAt = -1;
    const load = async () => {
      fetchedAt = recordingsTold.peek();
      const answer = await api.recording(id);
      if (closed) return;
      if (answer.ok) view.value = answer.value;
      else if (answer.code === "notFound") view.value = "missing";
      timer = setTimeout(next, REFRESH_MS);
    };
    // One fetch at a time, and none while nothing was said.
    const next = () => {
      timer = undefined;
      if (recordingsTold.peek() !== fetchedAt) void load();
    };
    void load();
    const stop = recordingsTold.subscribe(() => {
      if (timer === undefined && fetchedAt !== recordingsTold.peek() && view.peek() !== undefined) next();
    });
    return () => {
      closed = true;
      clearTimeout(timer);
      stop();
    };
  }, [id, wanted]);
  return view;
}

/** One room with every segment, asked for again whenever its overview changed. Undefined while loading. */
export function useRoomRecording(session: SessionId, room: RoomOverview): Signal<RoomRecordingView | undefined> {
  const { api } = useDesk();
  const whole = useSignal<RoomRecordingView | undefined>(undefined);
  useEffect(() => {
    let closed = false;
    void api.roomRecording(session, room.point.id).then((answer) => {
      if (!closed && answer.ok) whole.value = answer.value;
    });
    return () => {
      closed = true;
    };
  }, [session, room]);
  return whole;
}
