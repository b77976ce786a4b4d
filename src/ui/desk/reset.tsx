import { useSignal } from "@preact/signals";
import type { RoomView } from "../../hub/http/views.ts";
import { Confirm } from "../design/dialog.tsx";
import { Alert } from "../design/states.tsx";
import { RESET } from "../text/points.ts";
import type { Refusal } from "./api.ts";
import { RefusalAlert } from "./page.tsx";
import { saveText } from "./save.ts";
import { useDesk } from "./store.ts";

/** More than any segment of ten seconds: what a box that is away has not sent is known by number, not by size. */
const SEGMENT_AT_MOST_BYTES = 64e6;

interface Loss {
  segments: number;
  bytes: number;
}

/** Asks a box to forget everything: by the channel where it is connected, by a file for a stick where it is away. */
export function ResetDialog(props: { room: RoomView; onDone: (words: string) => void; onClose: () => void }) {
  const { room, onDone, onClose } = props;
  const { api } = useDesk();
  const busy = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const reason = useSignal<string | null>(null);
  /** What the box has said that would be lost; the second question is about exactly that. */
  const loss = useSignal<Loss | null>(
    !room.connected && room.pendingSegments > 0
      ? { segments: room.pendingSegments, bytes: room.pendingSegments * SEGMENT_AT_MOST_BYTES }
      : null,
  );
  async function confirm(): Promise<void> {
    if (!room.box) return;
    busy.value = true;
    refusal.value = reason.value = null;
    const file = room.connected ? null : await api.resetStick(room.box, loss.value);
    const answer = file ?? (await api.reset(room.box, loss.value));
    busy.value = false;
    if (answer.ok) {
      if (file?.ok) saveText(file.value.fileName, file.value.text);
      onDone(room.connected ? RESET.done(room.point.name) : RESET.saved);
      return;
    }
    const { reset } = answer;
    if (reset?.reason === "unsynced") loss.value = reset.unsynced;
    else if (reset) reason.value = RESET.refusals[reset.reason];
    else refusal.value = answer.code;
  }
  return (
    <Confirm
      open
      title={RESET.title(room.point.name)}
      confirm={!room.connected ? RESET.save : loss.value ? RESET.confirmLoss : RESET.confirm}
      cancel={RESET.cancel}
      busy={busy.value}
      onConfirm={() => void confirm()}
      onCancel={onClose}
    >
      <p>{RESET.text}</p>
      {!room.connected && <p>{RESET.away}</p>}
      {loss.value && (
        <Alert tone="bad" title={RESET.loss(loss.value.segments)} live>
          <p>{RESET.lossText}</p>
        </Alert>
      )}
      {reason.value && <Alert tone="warn" title={reason.value} live />}
      {refusal.value && <RefusalAlert code={refusal.value} />}
    </Confirm>
  );
}
