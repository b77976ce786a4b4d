import { useSignal } from "@preact/signals";
import { HardDriveDownload } from "lucide-preact";
import { useEffect } from "preact/hooks";
import type { CarriedRunView, CarriedView } from "../../hub/http/views.ts";
import { Button } from "../design/button.tsx";
import { Alert, Progress } from "../design/states.tsx";
import { CARRIED, CARRIED_REFUSED, carriedFound } from "../text/carried.ts";
import type { Answer, Refusal } from "./api.ts";
import { RefusalAlert } from "./page.tsx";
import { useDesk } from "./store.ts";

const LOOK_MS = 5_000;

/** Recordings on the disk or card of a box that is no more: taken in, and what came of it. */
export function CarriedRecordings() {
  const { api, facts, loadRecordings } = useDesk();
  const view = useSignal<CarriedView | null>(null);
  const refusal = useSignal<Refusal | null>(null);
  const busy = useSignal(false);
  const keep = (answer: Answer<CarriedView>): void => {
    if (answer.ok) view.value = answer.value;
  };
  useEffect(() => {
    const look = async () => keep(await api.carried());
    void look();
    const timer = setInterval(() => void look(), LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  const { value } = view;
  const running = value?.run != null && value.run.endedAt === null;
  const ended = value?.run?.endedAt;
  // Sessions that nobody knew may have come in.
  useEffect(() => {
    if (ended && facts.peek().recordings) void loadRecordings();
  }, [ended]);

  async function takeIn(folder: string): Promise<void> {
    busy.value = true;
    const answer = await api.takeInCarried(folder);
    busy.value = false;
    // Somebody else was quicker: what is under way is shown.
    refusal.value = answer.ok || answer.code === "wrongState" ? null : answer.code;
    keep(answer.ok ? answer : await api.carried());
  }
  if (!value) return null;
  // Few hubs ever need it: a line is enough to be found by.
  if (value.folders.length === 0 && !value.run)
    return (
      <details>
        <summary>{CARRIED.title}</summary>
        <p class="soft reading">{CARRIED.lead}</p>
        <p class="reading">{CARRIED.empty(value.directory)}</p>
      </details>
    );
  return (
    <section class="card stack carried" aria-labelledby="carried">
      <h2 id="carried">{CARRIED.title}</h2>
      <p class="soft reading">{CARRIED.lead}</p>
      {refusal.value && <RefusalAlert code={refusal.value} />}
      {value.run && <Run run={value.run} />}
      {value.folders.map(({ folder, sessions, points, readable }) => (
        <div key={folder} class="row">
          <span>
            <b>{folder}</b> {readable ? CARRIED.found(sessions, points) : CARRIED.unreadable}
          </span>
          {sessions > 0 && (
            <Button
              icon={HardDriveDownload}
              busy={busy.value || running}
              label={CARRIED.takeInOf(folder)}
              onPress={() => void takeIn(folder)}
            >
              {CARRIED.takeIn}
            </Button>
          )}
        </div>
      ))}
    </section>
  );
}

function Run({ run }: { run: CarriedRunView }) {
  const { facts } = useDesk();
  const { folder, sessions, sessionsDone, endedAt, waiting, damaged, missing, refused } = run;
  if (endedAt === null)
    return (
      <div class="stack">
        <output>
          {CARRIED.running(folder)}: {CARRIED.sessions(sessionsDone, sessions)}. {waiting && CARRIED.waiting}
        </output>
        <Progress part={sessionsDone} whole={Math.max(1, sessions)} label={CARRIED.running(folder)} />
      </div>
    );
  const clean = damaged + missing === 0 && refused.length === 0;
  return (
    <Alert tone={clean ? "ok" : "warn"} title={clean ? CARRIED.done(folder) : CARRIED.doneWithFaults(folder)}>
      {carriedFound(run).map((words) => (
        <p key={words}>{words}</p>
      ))}
      {refused.length > 0 && (
        <ul class="plain-list">
          {refused.map(({ session, reason }) => (
            <li key={`${session} ${reason}`}>
              {facts.value.sessions.get(session)?.name ?? session}: {CARRIED_REFUSED[reason]}
            </li>
          ))}
        </ul>
      )}
    </Alert>
  );
}
