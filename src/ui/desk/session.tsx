import { useComputed, useSignal } from "@preact/signals";
import { CircleStop, Film, Pause, Play, TriangleAlert } from "lucide-preact";
import { useRoute } from "preact-iso";
import { useEffect } from "preact/hooks";
import type { SessionView } from "../../hub/http/views.ts";
import type { SessionId } from "../../protocol/protocol.ts";
import { Button, ButtonLink } from "../design/button.tsx";
import { Confirm } from "../design/dialog.tsx";
import { Alert, Badge } from "../design/states.tsx";
import { ASK_PAUSE } from "../text/control.ts";
import { TODAY } from "../text/desk.ts";
import { SESSION, SESSIONS } from "../text/sessions.ts";
import { dayAndTime, duration, remaining, stopwatch } from "../text/format.ts";
import { TROUBLES } from "../text/terms.ts";
import type { Answer, Refusal, SessionAct } from "./api.ts";
import { Ask } from "./ask.tsx";
import { ConnectionTests } from "./connection-tests.tsx";
import { Control } from "./control.tsx";
import { EventLog } from "./event-log.tsx";
import {
  byNeed,
  expectedPoints,
  isOpen,
  isReady,
  needsHelp,
  type RoomFacts,
  roomFacts,
  sessionClock,
} from "./facts.ts";
import { NoRoom } from "./no-room.tsx";
import { Missing, Page, RefusalAlert } from "./page.tsx";
import { ROUTES } from "./routes.ts";
import { Copies, RoomsTable } from "./session-tables.tsx";
import { SessionBadge } from "./session-words.tsx";
import { SoundTests } from "./sound-tests.tsx";
import { useDesk, useMay } from "./store.ts";
import { RecordingCount } from "./trouble.tsx";
import { RoomWall } from "./wall.tsx";

/** Above this many rooms a table is read faster than pictures. */
const WALL_MOST = 24;
const HELP_SHOWN = 3;

export function SessionPage() {
  const { facts } = useDesk();
  const id = useRoute().params["id"] as SessionId;
  const session = facts.value.sessions.get(id);
  if (!session)
    return (
      <Missing title={SESSION.notFound} text={SESSION.notFoundText} href={ROUTES.sessions} action={SESSIONS.title} />
    );
  return <OneSession key={id} session={session} />;
}

function OneSession({ session }: { session: SessionView }) {
  const desk = useDesk();
  const ending = useSignal(false);
  const busy = useSignal<SessionAct | "pause" | null>(null);
  const refusal = useSignal<Refusal | null>(null);
  const rooms = useRoomsOf(session);
  const operates = useMay("operator");
  const recording = rooms.filter((facts) => facts.recording).length;
  const stage = desk.facts.value.stages.get(session.id);
  const pausing = useSignal(false);
  // Another person may have ended it while the question stood.
  useEffect(() => {
    if (!isOpen(session)) ending.value = false;
    if (session.state !== "live") pausing.value = false;
  }, [session.state]);

  async function perform(name: SessionAct | "pause", asked: Promise<Answer<SessionView>>): Promise<void> {
    busy.value = name;
    refusal.value = null;
    const answer = await asked;
    busy.value = null;
    ending.value = false;
    pausing.value = false;
    if (!answer.ok) refusal.value = answer.code;
  }
  const act = (name: SessionAct) => perform(name, desk.api.act(session.id, name));
  const button = (name: SessionAct, icon: typeof Play, words: string, primary: boolean) => (
    <Button
      kind={primary ? "primary" : "plain"}
      large
      icon={icon}
      busy={busy.value !== null}
      onPress={() => void act(name)}
    >
      {words}
    </Button>
  );
  const acts = operates && (
    <>
      {session.state === "draft" && button("start", Play, SESSION.start, true)}
      {session.state === "live" && (
        <Button
          large
          icon={Pause}
          busy={busy.value !== null}
          onPress={() => {
            pausing.value = true;
          }}
        >
          {SESSION.pause}
        </Button>
      )}
      {session.state === "paused" && button("resume", Play, SESSION.resume, true)}
      {isOpen(session) && (
        <Button
          kind="danger"
          large
          icon={CircleStop}
          onPress={() => {
            ending.value = true;
          }}
        >
          {SESSION.end}
        </Button>
      )}
    </>
  );
  return (
    <Page
      title={session.name}
      badge={
        <>
          <SessionBadge state={session.state} />
          {session.adHoc && <Badge>{SESSIONS.adHoc}</Badge>}
        </>
      }
      lead={
        <>
          <When session={session} />
          {session.companion && <p title={session.companion.url}>{SESSION.companion(session.companion.name)}</p>}
        </>
      }
      actions={
        <>
          {session.state === "ended" && (
            <ButtonLink kind="primary" large icon={Film} href={ROUTES.recording(session.id)}>
              {SESSION.openRecording}
            </ButtonLink>
          )}
          {acts}
        </>
      }
    >
      <div class="stack-wide">
        {refusal.value && <RefusalAlert code={refusal.value} />}
        {session.state !== "ended" && <Clock session={session} rooms={rooms} />}
        {session.state !== "ended" && <NoRoom session={session} rooms={rooms} />}
        {session.state === "draft" && <ConnectionTests session={session} />}
        {session.state === "ended" ? (
          <Copies session={session} />
        ) : operates && stage && isOpen(session) ? (
          <Control session={session} stage={stage} rooms={rooms} />
        ) : (
          <Rooms session={session} rooms={rooms} />
        )}
        <section class="stack">
          <h2>{SESSION.events}</h2>
          <EventLog events={session.events} />
        </section>
      </div>
      <Confirm
        open={ending.value}
        title={SESSION.endTitle}
        confirm={SESSION.endConfirm}
        cancel={SESSION.endCancel}
        busy={busy.value === "end"}
        onConfirm={() => void act("end")}
        onCancel={() => {
          ending.value = false;
        }}
      >
        <p>
          <b>{session.name}</b>
        </p>
        <p>{SESSION.endText}</p>
        {recording > 0 && <p>{SESSION.endRooms(recording)}</p>}
      </Confirm>
      <Ask
        words={pausing.value ? ASK_PAUSE : null}
        optional
        busy={busy.value === "pause"}
        onAnswer={(reason) => void perform("pause", desk.api.pause(session.id, reason))}
        onCancel={() => {
          pausing.value = false;
        }}
      />
    </Page>
  );
}

/** Rooms of this session with what is known of them; a session that has not begun waits for all of them. */
function useRoomsOf(session: SessionView): RoomFacts[] {
  const { facts, now } = useDesk();
  const minute = useComputed(() => Math.floor(now.value / 60_000) * 60_000);
  const expected =
    session.state === "draft" ? expectedPoints([session], minute.value) : new Set(session.points.map(({ id }) => id));
  return session.points
    .flatMap(({ id }) => {
      const room = facts.value.rooms.get(id);
      return room ? [roomFacts(room, expected)] : [];
    })
    .sort(byNeed);
}

function When({ session }: { session: SessionView }) {
  const { now } = useDesk();
  const nowMs = now.peek();
  if (session.endedAt && session.startedAt)
    return (
      <p>
        {SESSION.ran(
          dayAndTime(session.startedAt, nowMs),
          dayAndTime(session.endedAt, nowMs),
          duration(sessionClock(session, nowMs).runningMs),
        )}
      </p>
    );
  if (session.startedAt) return <p>{SESSION.startedAt(dayAndTime(session.startedAt, nowMs))}</p>;
  return <p>{session.scheduledAt ? SESSION.scheduled(dayAndTime(session.scheduledAt, nowMs)) : SESSION.unscheduled}</p>;
}

/** The worst troubles in one line each, with the repair; the tile of the room says the rest. */
function Troubles({ rooms }: { rooms: RoomFacts[] }) {
  const troubled = rooms.filter(needsHelp);
  if (troubled.length === 0) return null;
  return (
    <ul class="clock-troubles small" aria-label={TODAY.help}>
      {troubled.slice(0, HELP_SHOWN).map(({ room, lamps, need }) => {
        const words = TROUBLES[lamps.troubles[0] ?? "offline"];
        return (
          <li key={room.point.id} class={need}>
            <TriangleAlert size={18} aria-hidden="true" />
            <span>
              <b>
                {room.point.name}: {words.title}.
              </b>{" "}
              {words.repair}
            </span>
          </li>
        );
      })}
      {troubled.length > HELP_SHOWN && (
        <li>
          <a href={`${ROUTES.rooms}?nhom=needHelp`}>{TODAY.moreHelp(troubled.length - HELP_SHOWN)}</a>
        </li>
      )}
    </ul>
  );
}

/** The big clock, and beside it the one sentence that matters in this state. */
function Clock({ session, rooms }: { session: SessionView; rooms: RoomFacts[] }) {
  const { now } = useDesk();
  const clock = sessionClock(session, now.value);
  const recording = rooms.filter((facts) => facts.recording && facts.room.session?.id === session.id).length;
  const ready = rooms.filter(isReady).length;
  if (session.state === "draft") {
    const untilMs = session.scheduledAt ? Date.parse(session.scheduledAt) - now.value : undefined;
    return (
      <div class="card clock">
        {untilMs !== undefined && (
          <p>
            <span class="soft">{SESSION.startsIn}</span>
            <b class="clock-words">{remaining(untilMs)}</b>
          </p>
        )}
        {ready === rooms.length ? (
          <Alert tone="ok" title={SESSION.allReady} />
        ) : (
          <Alert tone="warn" title={SESSION.notReady(rooms.length - ready, rooms.length)}>
            <p>{SESSION.notReadyText}</p>
          </Alert>
        )}
        <SoundTests rooms={rooms} nowMs={now.value} />
      </div>
    );
  }
  return (
    <div class="card clock clock-running">
      <p>
        <span class="soft">{SESSION.elapsed}</span>
        <b class="clock-digits">{stopwatch(clock.runningMs)}</b>
      </p>
      {session.state === "live" && (
        <p class="clock-note">
          <RecordingCount
            recording={recording}
            all={rooms.length}
            words={
              recording === rooms.length
                ? SESSION.recordingAll(recording)
                : SESSION.recordingSome(recording, rooms.length)
            }
          />
        </p>
      )}
      {session.state === "live" && <Troubles rooms={rooms} />}
      {session.state === "paused" && (
        <Alert tone="warn" title={`${SESSION.pausedFor} ${duration(clock.thisPauseMs)}`}>
          <p>{SESSION.paused}</p>
        </Alert>
      )}
    </div>
  );
}

function Rooms({ session, rooms }: { session: SessionView; rooms: RoomFacts[] }) {
  return (
    <section class="stack">
      <h2>{SESSION.rooms}</h2>
      {rooms.length <= WALL_MOST ? <RoomWall rooms={rooms} /> : <RoomsTable session={session} rooms={rooms} />}
    </section>
  );
}
