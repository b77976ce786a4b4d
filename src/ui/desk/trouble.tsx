import type { ComponentChildren } from "preact";
import { Alert, RecordingMark } from "../design/states.tsx";
import type { Health, Trouble } from "../../protocol/protocol.ts";
import { WORDS } from "../text/desk.ts";
import { troubleWords } from "../text/terms.ts";

const SERIOUS: ReadonlySet<Trouble> = new Set<Trouble>([
  "offline",
  "identityDamaged",
  "encoderFailed",
  "notRecording",
  "cameraNone",
  "pictureBlack",
  "microphoneNone",
  "soundSilent",
]);

/** One trouble with its repair; a room away while nobody expects it is said calmly. */
export function TroubleAlert(props: {
  trouble: Trouble;
  /** Of the room. */
  health: Health | null;
  calm?: boolean;
  room?: ComponentChildren;
}) {
  const { trouble, calm, room } = props;
  const words = troubleWords(trouble, props.health);
  return (
    <Alert
      tone={calm ? "info" : SERIOUS.has(trouble) ? "bad" : "warn"}
      title={
        room ? (
          <>
            {room}: {words.title}
          </>
        ) : (
          words.title
        )
      }
      repairLabel={WORDS.repair}
      repair={words.repair}
      comfort={words.comfort}
    />
  );
}

/** How many rooms record; anything short of all is a warning and not the recording sign. */
export function RecordingCount({ recording, all, words }: { recording: number; all: number; words: string }) {
  return recording === all ? <RecordingMark>{words}</RecordingMark> : <b class="word-bad">{words}</b>;
}
