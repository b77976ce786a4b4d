import { useSignal } from "@preact/signals";
import { ListChecks } from "lucide-preact";
import type { ConnectionTestView, SessionView } from "../../hub/http/views.ts";
import { Button } from "../design/button.tsx";
import { Badge } from "../design/states.tsx";
import { findingTitle, TESTS, verdict } from "../text/connection-tests.ts";
import { dayAndTime } from "../text/format.ts";
import type { Refusal } from "./api.ts";
import { RefusalAlert } from "./page.tsx";
import { useDesk, useMay } from "./store.ts";

/** The log has those before. */
const TESTS_SHOWN = 4;
const ROOMS_SHOWN = 8;
/** A test that is made this much later than it was due is called late. */
const LATE_MS = 5 * 60_000;

/** Before a session: what its connection tests found, when the next is made, and one on demand. */
export function ConnectionTests({ session }: { session: SessionView }) {
  const { api, now } = useDesk();
  const busy = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const operates = useMay("operator");
  const nowMs = now.peek();
  async function test(): Promise<void> {
    busy.value = true;
    const answer = await api.testConnections(session.id);
    busy.value = false;
    refusal.value = answer.ok ? null : answer.code;
  }
  const none = session.scheduledAt === null ? TESTS.unscheduled : TESTS.noneToCome;
  return (
    <section class="card stack">
      <div class="row tests-head">
        <h2>{TESTS.title}</h2>
        {operates && (
          <Button icon={ListChecks} busy={busy.value} onPress={() => void test()}>
            {TESTS.now}
          </Button>
        )}
      </div>
      {refusal.value && <RefusalAlert code={refusal.value} />}
      {session.tests.length === 0 && session.testsToCome.length === 0 ? (
        <p class="soft">{none}</p>
      ) : (
        <ol class="tests">
          {session.tests.slice(-TESTS_SHOWN).map((one) => (
            <Made key={`${one.at}${one.dueAt}`} test={one} nowMs={nowMs} />
          ))}
          {session.testsToCome.map(({ minutesBefore, dueAt }) => (
            <li key={dueAt}>
              <b>{TESTS.before(minutesBefore)}</b>
              <span class="soft">{TESTS.toCome(dayAndTime(dueAt, nowMs))}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function Made({ test, nowMs }: { test: ConnectionTestView; nowMs: number }) {
  const { minutesBefore, dueAt, at, actor, rooms } = test;
  const others = rooms.filter(({ clear }) => !clear);
  const tried = rooms.filter(({ soundTest }) => soundTest === "passed").length;
  const lateMs = at && dueAt ? Date.parse(at) - Date.parse(dueAt) : 0;
  return (
    <li>
      <div>
        <b>{minutesBefore === null ? TESTS.byHand(actor ?? "") : TESTS.before(minutesBefore)}</b>
        <span class="soft small">
          {dayAndTime(at ?? dueAt ?? 0, nowMs)}
          {lateMs > LATE_MS && `, ${TESTS.late(lateMs)}`}
        </span>
      </div>
      {at === null ? (
        <p>
          <Badge tone="bad">{TESTS.missed}</Badge> {TESTS.missedText}
        </p>
      ) : (
        <div>
          <Badge tone={others.length === 0 ? "ok" : "warn"}>
            {verdict({ clear: rooms.length - others.length, rooms: rooms.length })}
          </Badge>
          {others.length > 0 && (
            <ul class="plain-list">
              {others.slice(0, ROOMS_SHOWN).map(({ point, troubles }) => (
                <li key={point.id}>
                  <b>{point.name}:</b> {troubles.map(findingTitle).join("; ")}
                </li>
              ))}
              {others.length > ROOMS_SHOWN && <li>{TESTS.more(others.length - ROOMS_SHOWN)}</li>}
            </ul>
          )}
          <span class="soft small">{TESTS.sound(tried, rooms.length)}</span>
        </div>
      )}
    </li>
  );
}
