import "../design/timeline.css";
import { useSignal } from "@preact/signals";
import { ArrowRight } from "lucide-preact";
import { useLocation, useRoute } from "preact-iso";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { RecordingOverview, RoomOverview, SegmentView, TrackView } from "../../hub/http/views.ts";
import { type SessionId, segmentFileName } from "../../protocol/protocol.ts";
import { Button, ButtonLink } from "../design/button.tsx";
import { Confirm } from "../design/dialog.tsx";
import { Alert, Badge, Skeleton } from "../design/states.tsx";
import { type Column, DataTable } from "../design/table.tsx";
import { WORDS } from "../text/desk.ts";
import { HUB_COPY, RECORDING, RECORDINGS } from "../text/recordings.ts";
import { UNKNOWN_CAUSE } from "../text/sessions.ts";
import { clockTimeSeconds, count, dayAndTime, duration, longDate, size } from "../text/format.ts";
import { alarmTitle, gapWords, ROLES } from "../text/terms.ts";
import type { Refusal } from "./api.ts";
import { WholeCopy } from "./recording-copy.tsx";
import { CopiesBadge, CopiesPath } from "./copies.tsx";
import { EventLog } from "./event-log.tsx";
import { isOpen } from "./facts.ts";
import { createMaster, type Master } from "./master.ts";
import { Missing, Page, RefusalAlert } from "./page.tsx";
import { firstPlayable, lanesOf, segmentsIn, wholeOf } from "./playback.ts";
import { useRecording, useRoomRecording } from "./recording-data.ts";
import { RecordingPlayer } from "./recording-player.tsx";
import { ROUTES } from "./routes.ts";
import { SessionBadge } from "./session-words.tsx";
import { useDesk, useMay } from "./store.ts";

export function RecordingPage() {
  const id = useRoute().params["id"] as SessionId;
  return <OneRecording key={id} id={id} />;
}

function OneRecording({ id }: { id: SessionId }) {
  const { facts } = useDesk();
  const view = useRecording(id, true).value;
  if (view === "missing")
    return (
      <Missing
        title={RECORDING.notFound}
        text={RECORDING.notFoundText}
        href={ROUTES.recordings}
        action={RECORDINGS.title}
      />
    );
  const name = view?.session.name ?? facts.value.sessions.get(id)?.name ?? RECORDINGS.title;
  const state = view?.session.state;
  return (
    <Page
      title={name}
      badge={state && state !== "ended" && <SessionBadge state={state} />}
      lead={view?.session.startedAt && <p>{longDate(view.session.startedAt)}</p>}
      actions={
        <ButtonLink icon={ArrowRight} href={ROUTES.session(id)}>
          {RECORDINGS.session}
        </ButtonLink>
      }
    >
      {view ? <Whole view={view} /> : <Skeleton lines={8} label={WORDS.loading} />}
    </Page>
  );
}

function Whole({ view }: { view: RecordingOverview }) {
  const operates = useMay("operator");
  const gapsFirst = useLocation().query["xem"] === "gian-doan";
  const gaps = useRef<HTMLElement>(null);
  const master = useMemo(
    () => createMaster(firstPlayable(view.rooms) ?? wholeOf(lanesOf(view.rooms, RECORDING.screenOf)).from),
    [],
  );
  useEffect(() => () => master.close(), [master]);
  useEffect(() => {
    if (gapsFirst) gaps.current?.scrollIntoView();
  }, []);
  return (
    <div class="stack-wide">
      <CopiesPath copies={view.copies} recording={isOpen(view.session)} />
      <RecordingPlayer view={view} master={master} />
      <section class="stack" ref={gaps}>
        <h2>{RECORDING.gaps}</h2>
        <Gaps view={view} master={master} />
      </section>
      <section class="stack">
        <h2>{RECORDING.alarms}</h2>
        <Alarms view={view} master={master} />
      </section>
      <section class="stack">
        <h2>{RECORDING.perRoom}</h2>
        <ul class="room-records">
          {view.rooms.map((room) => (
            <RoomRecord
              key={room.point.id}
              room={room}
              session={view.session.id}
              isOver={view.session.state === "ended"}
            />
          ))}
        </ul>
      </section>
      {operates && view.session.state === "ended" && view.copies.hubComplete && <WholeCopy session={view.session.id} />}
      <section class="stack">
        <h2>{RECORDING.events}</h2>
        <EventLog events={view.events} onSeek={(at) => master.seek(at)} />
      </section>
    </div>
  );
}

/** What the timeline hatches, in words; each can be gone to. */
function Gaps({ view, master }: { view: RecordingOverview; master: Master }) {
  const rows = lanesOf(view.rooms, RECORDING.screenOf).flatMap((room) => room.gaps.map((gap) => ({ room, gap })));
  type Row = (typeof rows)[number];
  const columns: Column<Row>[] = [
    {
      key: "room",
      head: RECORDING.gapRoom,
      names: true,
      value: ({ room }) => room.name,
      cell: ({ room }) => room.name,
    },
    {
      key: "cause",
      head: RECORDING.gapCause,
      value: ({ room, gap }) => gapWords(gap.cause, room.track),
      cell: ({ room, gap }) => gapWords(gap.cause, room.track),
    },
    {
      key: "from",
      head: RECORDING.gapFrom,
      value: ({ gap }) => Date.parse(gap.from),
      cell: ({ gap }) => clockTimeSeconds(gap.from),
    },
    {
      key: "to",
      head: RECORDING.gapTo,
      value: ({ gap }) => Date.parse(gap.to),
      cell: ({ gap }) => clockTimeSeconds(gap.to),
    },
    {
      key: "length",
      head: RECORDING.gapLength,
      align: "end",
      value: ({ gap }) => gap.durationMs,
      cell: ({ gap }) => duration(gap.durationMs),
    },
    {
      key: "seek",
      head: RECORDING.seek,
      headUnseen: true,
      align: "end",
      cell: ({ gap }) => (
        <button
          type="button"
          class="link"
          onClick={() => master.seek(Date.parse(gap.from) - 2_000)}
          aria-label={`${RECORDING.seek} ${clockTimeSeconds(gap.from)}`}
        >
          {RECORDING.seek}
        </button>
      ),
    },
  ];
  if (rows.length === 0) return <p class="soft">{RECORDING.noGaps}</p>;
  return (
    <DataTable
      caption={RECORDING.gaps}
      rows={rows}
      columns={columns}
      rowKey={({ room, gap }) => `${room.id} ${gap.take} ${gap.from} ${gap.cause}`}
      sort={{ key: "from" }}
      filterLabel={RECORDING.gapRoom}
    />
  );
}

/** What was wrong in the files while they were being written: whoever watches them knows what to expect. */
function Alarms({ view, master }: { view: RecordingOverview; master: Master }) {
  const rows = view.rooms.flatMap((room) => room.alarms.map((alarm) => ({ room, alarm })));
  type Row = (typeof rows)[number];
  const title = ({ alarm }: Row) => alarmTitle(alarm.cause) ?? UNKNOWN_CAUSE;
  const columns: Column<Row>[] = [
    {
      key: "room",
      head: RECORDING.gapRoom,
      names: true,
      value: ({ room }) => room.point.name,
      cell: ({ room }) => room.point.name,
    },
    { key: "cause", head: RECORDING.alarmCause, value: title, cell: title },
    {
      key: "from",
      head: RECORDING.gapFrom,
      value: ({ alarm }) => Date.parse(alarm.raisedAt),
      cell: ({ alarm }) => clockTimeSeconds(alarm.raisedAt),
    },
    {
      key: "to",
      head: RECORDING.gapTo,
      value: ({ alarm }) => (alarm.clearedAt === null ? Number.MAX_SAFE_INTEGER : Date.parse(alarm.clearedAt)),
      cell: ({ alarm }) => (alarm.clearedAt === null ? RECORDING.alarmStands : clockTimeSeconds(alarm.clearedAt)),
    },
    { key: "facts", head: RECORDING.alarmFacts, cell: ({ alarm }) => <code>{alarm.facts}</code> },
    {
      key: "seek",
      head: RECORDING.seek,
      headUnseen: true,
      align: "end",
      cell: ({ alarm }) => (
        <button
          type="button"
          class="link"
          onClick={() => master.seek(Date.parse(alarm.raisedAt) - 10_000)}
          aria-label={`${RECORDING.seek} ${clockTimeSeconds(alarm.raisedAt)}`}
        >
          {RECORDING.seek}
        </button>
      ),
    },
  ];
  if (rows.length === 0) return <p class="soft">{RECORDING.noAlarms}</p>;
  return (
    <DataTable
      caption={RECORDING.alarms}
      rows={rows}
      columns={columns}
      rowKey={({ room, alarm }) => `${room.point.id} ${alarm.raisedAt} ${alarm.cause}`}
      sort={{ key: "from" }}
      filterLabel={RECORDING.gapRoom}
    />
  );
}

interface RoomProps {
  room: RoomOverview;
  session: SessionId;
  isOver: boolean;
}

function RoomRecord({ room, session, isOver }: RoomProps) {
  const open = useSignal(false);
  const { screen } = room;
  const bytes = [...room.spans, ...(screen?.spans ?? [])].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return (
    <li>
      <details
        onToggle={(event) => {
          open.value = event.currentTarget.open;
        }}
      >
        <summary>
          <span class="room-record-name">
            <b>{room.point.name}</b>
            {room.role === "central" && <Badge>{ROLES.central}</Badge>}
            {room.times !== "hub" && (
              <Badge tone={room.times === "box" ? "warn" : "neutral"}>{RECORDING.times[room.times]}</Badge>
            )}
          </span>
          <span class="soft">
            {size(bytes)}, {RECORDING.gapCount(room.gaps.length)}, {RECORDING.alarmCount(room.alarms.length)}
            {screen && `, ${RECORDING.screenCount(segmentsIn(screen.spans), screen.gaps.length)}`}
          </span>
          <CopiesBadge copies={room.copies} />
        </summary>
        <Lost room={room} session={session} isOver={isOver} />
        {open.value && <RoomHashes {...{ room, session }} />}
      </details>
    </li>
  );
}

/** A box that will not come back: said by a person, in two presses, and then by everything that shows this room. */
function Lost({ room, session, isOver }: RoomProps) {
  const { api, now } = useDesk();
  const administers = useMay("administrator");
  const asking = useSignal(false);
  const busy = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  if (room.lost)
    return (
      <Alert tone="warn" title={RECORDING.lost(room.lost.by, dayAndTime(room.lost.at, now.peek()))}>
        <p>{room.lost.filledAt === null ? RECORDING.lostFilling : RECORDING.lostText}</p>
      </Alert>
    );
  if (!administers || !isOver || room.copies.hubComplete) return null;
  const declare = async () => {
    busy.value = true;
    const answer = await api.declareLost(session, room.point.id);
    busy.value = false;
    asking.value = false;
    refusal.value = answer.ok ? null : answer.code;
  };
  return (
    <div class="stack">
      {refusal.value && <RefusalAlert code={refusal.value} />}
      <Button
        onPress={() => {
          asking.value = true;
        }}
      >
        {RECORDING.lostAsk}
      </Button>
      <Confirm
        open={asking.value}
        title={RECORDING.lostTitle(room.point.name)}
        confirm={RECORDING.lostConfirm}
        cancel={RECORDING.lostCancel}
        busy={busy.value}
        onConfirm={() => void declare()}
        onCancel={() => {
          asking.value = false;
        }}
      >
        <p>{RECORDING.lostExplain}</p>
      </Confirm>
    </div>
  );
}

/** Asked for when somebody wants to see them: of many rooms and hours they are tens of megabytes. */
function RoomHashes({ room, session }: Pick<RoomProps, "room" | "session">) {
  const whole = useRoomRecording(session, room).value;
  if (!whole) return <Skeleton lines={4} label={WORDS.loading} />;
  const { screen } = whole;
  return (
    <>
      <Hashes name={room.point.name} {...{ room, session }} segments={whole.segments} />
      {screen && (
        <Hashes name={RECORDING.screenOf(room.point.name)} {...{ room, session }} segments={screen.segments} />
      )}
    </>
  );
}

/** Every segment with its hash, for whoever wants to prove it with tools of their own. */
function Hashes(props: { name: string; room: RoomOverview; session: SessionId; segments: TrackView["segments"] }) {
  const { name, room, session, segments } = props;
  type Row = SegmentView;
  const columns: Column<Row>[] = [
    {
      key: "start",
      head: RECORDING.start,
      names: true,
      value: ({ startedAt }) => Date.parse(startedAt),
      cell: ({ startedAt }) => clockTimeSeconds(startedAt),
    },
    { key: "length", head: RECORDING.length, align: "end", cell: ({ durationMs }) => duration(durationMs) },
    {
      key: "size",
      head: RECORDING.size,
      align: "end",
      value: ({ sizeBytes }) => sizeBytes,
      cell: ({ sizeBytes }) => size(sizeBytes),
    },
    {
      key: "frames",
      head: RECORDING.frames,
      align: "end",
      value: ({ frames }) => frames,
      cell: ({ frames }) => count(frames),
    },
    {
      key: "hash",
      head: RECORDING.hash,
      value: ({ sha256 }) => sha256,
      cell: ({ sha256 }) => <code>{sha256}</code>,
    },
    { key: "state", head: RECORDING.state, value: ({ hub }) => HUB_COPY[hub], cell: ({ hub }) => HUB_COPY[hub] },
    {
      key: "file",
      head: RECORDING.download,
      headUnseen: true,
      align: "end",
      cell: (segment) =>
        segment.hub === "verified" ? (
          <a
            href={`/api/recordings/${session}/${room.point.id}/${segment.take}/${segmentFileName(segment.seq)}`}
            download
          >
            {RECORDING.download}
          </a>
        ) : undefined,
    },
  ];
  return (
    <div class="stack">
      <p class="hint">{RECORDING.hashesHint}</p>
      <DataTable
        caption={`${RECORDING.hashes}: ${name}`}
        rows={segments}
        columns={columns}
        rowKey={({ take, seq }) => `${take} ${seq}`}
      />
    </div>
  );
}
