import { useComputed } from "@preact/signals";
import { CalendarPlus, CircleCheck, Plug } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { RecordingSummaryView, SessionView } from "../../hub/http/views.ts";
import { ButtonLink } from "../design/button.tsx";
import { EmptyState, Progress, Skeleton } from "../design/states.tsx";
import { TODAY, WORDS } from "../text/desk.ts";
import { COPIES } from "../text/recordings.ts";
import { SESSION } from "../text/sessions.ts";
import { count, dayAndTime, longDate, percent, remaining, stopwatch } from "../text/format.ts";
import { SESSION_STATES } from "../text/terms.ts";
import { bySession, expectedPoints, isOpen, isReady, needsHelp, roomFacts, sessionClock } from "./facts.ts";
import { Page } from "./page.tsx";
import { ROUTES } from "./routes.ts";
import { SessionBadge, sessionWhen } from "./session-words.tsx";
import { useDesk, useMay } from "./store.ts";
import { TestWarning } from "./test-warning.tsx";
import { RecordingCount, TroubleAlert } from "./trouble.tsx";

const HELP_SHOWN = 4;
const LATER_SHOWN = 4;
/** A session that should have begun longer ago than this is no longer the next one. */
const OVERDUE_MS = 12 * 3_600_000;

/** What goes on now, who needs somebody, what comes next, what is still on its way. */
export function TodayPage() {
  const { facts, now } = useDesk();
  const day = useComputed(() => longDate(now.value));
  const { rooms } = facts.value;
  const sessions = [...facts.value.sessions.values()].sort(bySession);
  const nowMs = now.peek();
  const open = sessions.filter(isOpen);
  const coming = sessions.filter(
    ({ state, scheduledAt }) => state === "draft" && (!scheduledAt || Date.parse(scheduledAt) > nowMs - OVERDUE_MS),
  );
  const [next, ...later] = coming;
  const [operates, administers] = [useMay("operator"), useMay("administrator")];
  const first = rooms.size === 0;
  return (
    <Page title={TODAY.title} lead={<p>{day.value}</p>}>
      <div class="today">
        <div class="stack-wide">
          {open.length > 0 && (
            <div class="now-list">
              {open.map((session) => (
                <NowCard key={session.id} session={session} />
              ))}
            </div>
          )}
          {open.length === 0 && next && <NextCard session={next} />}
          {open.length === 0 && !next && !first && (
            <EmptyState
              icon={CalendarPlus}
              title={TODAY.none}
              action={
                operates && (
                  <ButtonLink kind="primary" icon={CalendarPlus} href={ROUTES.newSession}>
                    {TODAY.create}
                  </ButtonLink>
                )
              }
            >
              {TODAY.noneText}
            </EmptyState>
          )}
          {first ? (
            <EmptyState
              icon={Plug}
              title={TODAY.noPoints}
              action={
                administers && (
                  <ButtonLink kind="primary" icon={Plug} href={ROUTES.pairing}>
                    {TODAY.pair}
                  </ButtonLink>
                )
              }
            >
              {TODAY.noPointsText}
            </EmptyState>
          ) : (
            <>
              <Help />
              <Later sessions={open.length > 0 ? coming : later} />
            </>
          )}
        </div>
        {!first && (
          <div class="stack-wide">
            <Numbers />
            <Underway />
          </div>
        )}
      </div>
    </Page>
  );
}

function NowCard({ session }: { session: SessionView }) {
  const { facts, now } = useDesk();
  const here = session.points.flatMap(({ id }) => facts.value.rooms.get(id) ?? []);
  const recording = here.filter((room) => room.connected && room.health?.recording.growing).length;
  return (
    <section class="card now">
      <div class="row">
        <SessionBadge state={session.state} />
        {session.state === "live" && (
          <RecordingCount
            recording={recording}
            all={session.points.length}
            words={TODAY.recordingRooms(recording, session.points.length)}
          />
        )}
      </div>
      <h2>
        <a href={ROUTES.session(session.id)}>{session.name}</a>
      </h2>
      <p>
        <span class="soft">{SESSION.elapsed}</span>
        <b class="clock-digits">{stopwatch(sessionClock(session, now.value).runningMs)}</b>
      </p>
      <div class="row">
        <ButtonLink kind="primary" href={ROUTES.session(session.id)}>
          {TODAY.open}
        </ButtonLink>
        <ButtonLink kind="quiet" href={ROUTES.rooms}>
          {TODAY.openRooms}
        </ButtonLink>
      </div>
    </section>
  );
}

function NextCard({ session }: { session: SessionView }) {
  const { facts, now } = useDesk();
  const untilMs = session.scheduledAt ? Date.parse(session.scheduledAt) - now.value : undefined;
  const expected = expectedPoints([session], now.value);
  const ready = session.points.filter(({ id }) => {
    const room = facts.value.rooms.get(id);
    return room && isReady(roomFacts(room, expected));
  }).length;
  return (
    <section class="card now">
      <p class="soft">{TODAY.next}</p>
      <h2>
        <a href={ROUTES.session(session.id)}>{session.name}</a>
      </h2>
      <p>
        <span class="soft">{sessionWhen(session, now.value)}</span>
        <b class="clock-words">{untilMs === undefined ? SESSION_STATES.draft : remaining(untilMs)}</b>
      </p>
      <p class={ready === session.points.length ? "word-ok" : "word-warn"}>
        {TODAY.readyRooms(ready, session.points.length)}
      </p>
      <TestWarning session={session} />
      <div class="row">
        <ButtonLink kind="primary" href={ROUTES.session(session.id)}>
          {TODAY.open}
        </ButtonLink>
        <ButtonLink kind="quiet" href={ROUTES.rooms}>
          {TODAY.openRooms}
        </ButtonLink>
      </div>
    </section>
  );
}

function Help() {
  const { rooms } = useDesk();
  const troubled = rooms.value.filter(needsHelp);
  const connected = rooms.value.filter(({ room }) => room.connected).length;
  return (
    <section class="stack">
      <h2>{TODAY.help}</h2>
      {troubled.length === 0 ? (
        <p class="row calm">
          <CircleCheck size={20} aria-hidden="true" />
          <span>
            <b>{TODAY.noHelp}</b>
            {connected > 0 && <span class="soft"> {TODAY.noHelpText(connected)}</span>}
          </span>
        </p>
      ) : (
        <>
          {troubled.slice(0, HELP_SHOWN).map(({ room, lamps }) => (
            <TroubleAlert
              key={room.point.id}
              trouble={lamps.troubles[0] ?? "offline"}
              health={room.health}
              room={room.point.name}
            />
          ))}
          {troubled.length > HELP_SHOWN && (
            <p>
              <a href={`${ROUTES.rooms}?nhom=needHelp`}>{TODAY.moreHelp(troubled.length - HELP_SHOWN)}</a>
            </p>
          )}
        </>
      )}
    </section>
  );
}

/** Each number opens the rooms that it counts. */
function Numbers() {
  const { rooms } = useDesk();
  const number = (n: number, words: string, group: string, tone?: ComponentChildren) => (
    <li>
      <a href={`${ROUTES.rooms}?nhom=${group}`}>
        <b>{count(n)}</b>
        <span>
          {words}
          {tone}
        </span>
      </a>
    </li>
  );
  const list = rooms.value;
  return (
    <section class="stack" aria-label={TODAY.numbers}>
      <h2>{TODAY.numbers}</h2>
      <ul class="numbers">
        {number(list.filter(({ room }) => room.connected).length, TODAY.connected, "connected")}
        {number(list.filter(({ recording }) => recording).length, TODAY.recording, "recording")}
        {number(list.filter(needsHelp).length, TODAY.needHelp, "needHelp")}
        {number(list.filter(({ room }) => room.box && !room.connected).length, TODAY.offline, "offline")}
      </ul>
    </section>
  );
}

function Underway() {
  const { facts, loadRecordings } = useDesk();
  useEffect(() => void loadRecordings(), []);
  const { recordings } = facts.value;
  const underway = [...(recordings?.values() ?? [])].filter(
    ({ copies }) => copies.recorded > 0 && !copies.provinceComplete,
  );
  return (
    <section class="stack">
      <h2>{TODAY.underway}</h2>
      {recordings === null ? (
        <Skeleton lines={2} label={WORDS.loading} />
      ) : underway.length === 0 ? (
        <p class="soft">
          {TODAY.allHome}. {TODAY.allHomeText}
        </p>
      ) : (
        <ul class="stack">
          {underway.map((summary) => (
            <OneUnderway key={summary.session.id} summary={summary} />
          ))}
        </ul>
      )}
    </section>
  );
}

function OneUnderway({ summary: { session, copies } }: { summary: RecordingSummaryView }) {
  const line = (title: string, part: number, done: boolean) => (
    <div class="underway-line">
      <span class="small">{title}</span>
      <Progress part={done ? 1 : part} whole={done ? 1 : copies.recorded} label={`${title}: ${session.name}`} />
      <span class="small">{percent(part, copies.recorded)}</span>
    </div>
  );
  return (
    <li class="underway">
      <a href={ROUTES.recording(session.id)}>{session.name}</a>
      {line(COPIES.hub, copies.hub, copies.hubComplete)}
      {line(COPIES.province, copies.province, copies.provinceComplete)}
    </li>
  );
}

function Later({ sessions }: { sessions: SessionView[] }) {
  const { now } = useDesk();
  if (sessions.length === 0) return null;
  return (
    <section class="stack">
      <h2>{TODAY.later}</h2>
      <ul class="later">
        {sessions.slice(0, LATER_SHOWN).map((session) => (
          <li key={session.id}>
            <a href={ROUTES.session(session.id)}>{session.name}</a>
            <span class="soft small">
              {session.scheduledAt ? dayAndTime(session.scheduledAt, now.peek()) : TODAY.unscheduled}
            </span>
            <TestWarning session={session} />
          </li>
        ))}
      </ul>
    </section>
  );
}
