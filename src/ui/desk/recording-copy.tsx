import { useSignal } from "@preact/signals";
import { Download } from "lucide-preact";
import type { SessionId } from "../../protocol/protocol.ts";
import { Button } from "../design/button.tsx";
import { Alert } from "../design/states.tsx";
import { COPY } from "../text/recordings.ts";
import type { Refusal } from "./api.ts";
import { RefusalAlert } from "./page.tsx";
import { saveFrom } from "./save.ts";
import { useDesk } from "./store.ts";

/** The session's whole bag as one file, for a disk that is carried away. */
export function WholeCopy({ session }: { session: SessionId }) {
  const { api } = useDesk();
  const busy = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const begunBytes = useSignal<number | null>(null);
  async function save(): Promise<void> {
    busy.value = true;
    refusal.value = begunBytes.value = null;
    const answer = await api.recordingCopy(session);
    busy.value = false;
    if (!answer.ok) {
      refusal.value = answer.code;
      return;
    }
    begunBytes.value = answer.value.sizeBytes;
    saveFrom(answer.value.path);
  }
  return (
    <section class="stack">
      <h2>{COPY.head}</h2>
      <p>{COPY.text}</p>
      <p class="soft">{COPY.proof}</p>
      {refusal.value === "wrongState" ? (
        <Alert tone="info" title={COPY.notWhole} live>
          <p>{COPY.notWholeText}</p>
        </Alert>
      ) : (
        refusal.value && <RefusalAlert code={refusal.value} />
      )}
      {begunBytes.value !== null && (
        <Alert tone="ok" title={COPY.begun(begunBytes.value)} live>
          <p>{COPY.begunText}</p>
        </Alert>
      )}
      <div class="row">
        <Button icon={Download} busy={busy.value} onPress={() => void save()}>
          {COPY.save}
        </Button>
      </div>
    </section>
  );
}
