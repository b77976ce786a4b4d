import { useSignal, useSignalEffect } from "@preact/signals";
import { Bookmark, Hand, Headphones, MonitorUp, TriangleAlert, Volume2, VolumeX } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { ErrorView, SessionView } from "../../hub/http/views.ts";
import {
  audibleTo,
  GAIN_DB_MIN,
  largeOf,
  type LayoutMode,
  type PointId,
  type Stage,
  type StageRoom,
} from "../../protocol/protocol.ts";
import { Button } from "../design/button.tsx";
import { Segmented } from "../design/field.tsx";
import { meterOf } from "../design/meter.ts";
import { Alert, Badge } from "../design/states.tsx";
import type { Column } from "../design/table.tsx";
import { ASK_INTERRUPTION, ASK_MARK, askMessage, askMute, type AskWords, CONTROL } from "../text/control.ts";
import { clockTime, clockTimeSeconds, duration } from "../text/format.ts";
import type { Answer, Refusal, RoomAct } from "./api.ts";
import { Ask } from "./ask.tsx";
import { CONTROL_TILE, type RoomFacts } from "./facts.ts";
import { RefusalAlert } from "./page.tsx";
import { RoomsTable } from "./session-tables.tsx";
import { useDesk } from "./store.ts";
import type { TileExtras } from "./tile.tsx";
import { RoomWall } from "./wall.tsx";

/** Above this many rooms only those that matter now are shown as pictures; a table has them all. */
const WALL_MOST = 24;

interface Question {
  words: AskWords;
  answer: (text: string) => Promise<Answer<unknown>>;
}

/** What an operator does while rooms talk: who is large, who is heard, who waits, and what the log must hold. */
export function Control({ session, stage, rooms }: { session: SessionView; stage: Stage; rooms: RoomFacts[] }) {
  const { api, hearing, listening } = useDesk();
  const question = useSignal<Question | null>(null);
  const busy = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const conflict = useSignal<ErrorView["by"] | null>(null);
  const hears = useSignal(false);
  /** What the hub has answered to this operator, which the events may bring a moment later. */
  const answered = useRef(0);
  const lastLayout = useRef<Promise<unknown>>(Promise.resolve());
  const { large } = largeOf(stage, null);
  const seats = new Map(stage.rooms.map((room) => [room.point.id, room]));

  const audible = audibleTo(stage, null).join();
  useEffect(() => {
    hearing.value = new Set(hears.value ? audibleTo(stage, null) : []);
  }, [hears.value, audible]);
  useEffect(
    () => () => {
      hearing.value = new Set();
    },
    [],
  );

  async function perform(asked: Promise<Answer<unknown>>): Promise<void> {
    // The next question may be open by the time of the answer, and is not closed by it.
    const about = question.peek();
    const close = () => {
      if (question.peek() === about) question.value = null;
    };
    busy.value = true;
    refusal.value = null;
    conflict.value = null;
    const answer = await asked;
    busy.value = false;
    if (answer.ok) close();
    else if (answer.code === "stageConflict" && answer.by) conflict.value = answer.by;
    else {
      refusal.value = answer.code;
      close();
    }
  }
  const onRoom = (point: PointId, act: RoomAct) => perform(api.actOnRoom(session.id, point, act));
  /** One after the other: two quick presses of one operator are not two operators. */
  const setLayout = (mode: LayoutMode, onScreen: PointId[]) => {
    const asked = lastLayout.current.then(async () => {
      const seen = Math.max(stage.revision, answered.current);
      const answer = await api.setLayout(session.id, { mode, onScreen, seen });
      if (answer.ok) answered.current = answer.value.revision;
      return answer;
    });
    lastLayout.current = asked;
    return perform(asked);
  };
  const ask = (words: AskWords, answer: Question["answer"]) => {
    question.value = { words, answer };
  };
  const askToMute = ({ point }: StageRoom) =>
    ask(askMute(point.name), (reason) => api.actOnRoom(session.id, point.id, { act: "mute", reason }));

  /** In a grid a room joins or leaves the others; otherwise it takes the screen, or gives it back to whoever speaks. */
  const toggleLarge = ({ point }: StageRoom) => {
    const { mode, onScreen } = stage.layout;
    const isChosen = onScreen.includes(point.id);
    if (mode === "grid")
      return setLayout("grid", isChosen ? onScreen.filter((id) => id !== point.id) : [...onScreen, point.id]);
    return mode === "spotlight" && isChosen ? setLayout("auto", []) : setLayout("spotlight", [point.id]);
  };
  const chooseMode = (mode: LayoutMode) =>
    setLayout(mode, mode === "auto" ? [] : mode === "spotlight" ? large.slice(0, 1) : stage.layout.onScreen);

  const acts = (seat: StageRoom) => (
    <div class="control-acts">
      <Button
        icon={MonitorUp}
        pressed={stage.layout.mode !== "auto" && stage.layout.onScreen.includes(seat.point.id)}
        onPress={() => void toggleLarge(seat)}
      >
        {CONTROL.show}
      </Button>
      {seat.place === "standby" ? (
        <Button kind="primary" icon={Volume2} onPress={() => void onRoom(seat.point.id, { act: "callUp" })}>
          {CONTROL.callUp}
        </Button>
      ) : seat.muted ? (
        <Button icon={Volume2} onPress={() => void onRoom(seat.point.id, { act: "unmute" })}>
          {CONTROL.unmute}
        </Button>
      ) : (
        <Button icon={VolumeX} onPress={() => askToMute(seat)}>
          {CONTROL.mute}
        </Button>
      )}
    </div>
  );
  const marks = (seat: StageRoom) => (
    <>
      {large.includes(seat.point.id) && <Badge tone="accent">{CONTROL.onScreen}</Badge>}
      {seat.muted && (
        <Badge tone="warn">
          <VolumeX size={14} aria-hidden="true" /> {CONTROL.muted}
        </Badge>
      )}
      {seat.place === "standby" && <Badge>{CONTROL.waiting}</Badge>}
      {seat.hand && (
        <Badge tone="warn">
          <Hand size={14} aria-hidden="true" /> {CONTROL.hand}
        </Badge>
      )}
    </>
  );
  const extras = ({ room }: RoomFacts): TileExtras => {
    const seat = seats.get(room.point.id);
    return {
      speaks: seat?.speaking ?? false,
      marks: seat && marks(seat),
      meter: <RoomMeter point={room.point.id} />,
      controls: seat && acts(seat),
    };
  };
  const detail = ({ room }: RoomFacts) => {
    const seat = seats.get(room.point.id);
    if (!seat) return null;
    const message = () =>
      ask(askMessage(seat.point.name), (text) => api.actOnRoom(session.id, seat.point.id, { act: "message", text }));
    return <SeatDetail seat={seat} onAct={(act) => void onRoom(seat.point.id, act)} onMessage={message} />;
  };

  const byStage = new Map(stage.rooms.map(({ point }, i) => [point.id, i]));
  const ordered = [...rooms].sort((a, b) => (byStage.get(a.room.point.id) ?? 0) - (byStage.get(b.room.point.id) ?? 0));
  const few = ordered.length <= WALL_MOST;
  const matters = ({ room: { point } }: RoomFacts) => {
    const seat = seats.get(point.id);
    return large.includes(point.id) || (seat !== undefined && (seat.hand !== null || seat.place === "in"));
  };
  const pictured = few ? ordered : ordered.filter(matters).slice(0, WALL_MOST);
  const column: Column<RoomFacts> = {
    key: "acts",
    head: CONTROL.title,
    cell: ({ room }) => {
      const seat = seats.get(room.point.id);
      return (
        seat && (
          <div class="row">
            {acts(seat)}
            {marks(seat)}
          </div>
        )
      );
    },
  };
  const hands = stage.rooms.filter(({ hand }) => hand !== null).sort((a, b) => (a.hand! < b.hand! ? -1 : 1));
  return (
    <section class="stack" aria-label={CONTROL.title}>
      <div class="control-head">
        <h2>{CONTROL.title}</h2>
        <Watchers stage={stage} />
      </div>
      <div class="control-bar">
        <Segmented
          legend={
            <>
              {CONTROL.layout}{" "}
              <small class="soft">{CONTROL.layoutBy(stage.layout.by, clockTime(stage.layout.at))}</small>
            </>
          }
          name="layout"
          value={stage.layout.mode}
          choices={(["auto", "spotlight", "grid"] as const).map((mode) => ({
            value: mode,
            label: CONTROL.layouts[mode],
          }))}
          onChange={(mode) => void chooseMode(mode as LayoutMode)}
        />
        <div class="row">
          <Button
            icon={Headphones}
            pressed={hears.value}
            onPress={() => {
              hears.value = !hears.value;
              listening.value = null;
            }}
          >
            {CONTROL.hear}
          </Button>
          <Button icon={Bookmark} onPress={() => ask(ASK_MARK, (label) => api.mark(session.id, label))}>
            {CONTROL.mark}
          </Button>
          {stage.interruption === null && (
            <Button
              icon={TriangleAlert}
              onPress={() => ask(ASK_INTERRUPTION, (reason) => api.interrupt(session.id, reason))}
            >
              {CONTROL.interrupt}
            </Button>
          )}
        </div>
      </div>
      {conflict.value && (
        <Alert
          tone="warn"
          live
          title={CONTROL.conflict(conflict.value.name, clockTimeSeconds(conflict.value.at))}
          comfort={CONTROL.conflictText}
        />
      )}
      {refusal.value && <RefusalAlert code={refusal.value} />}
      {stage.interruption && (
        <Alert
          tone="warn"
          title={CONTROL.interrupted(clockTime(stage.interruption.at))}
          comfort={stage.interruption.reason ?? undefined}
          action={<Button onPress={() => void perform(api.interrupt(session.id, null))}>{CONTROL.interruptEnd}</Button>}
        />
      )}
      {hands.length > 0 && (
        <Alert tone="info" title={CONTROL.hands}>
          <ul class="control-hands">
            {hands.map((seat) => (
              <HandLine key={seat.point.id} seat={seat}>
                {seat.place === "standby" && (
                  <Button kind="primary" onPress={() => void onRoom(seat.point.id, { act: "callUp" })}>
                    {CONTROL.callUp}
                  </Button>
                )}
                <Button onPress={() => void onRoom(seat.point.id, { act: "lowerHand" })}>{CONTROL.lowerHand}</Button>
              </HandLine>
            ))}
          </ul>
        </Alert>
      )}
      <RoomWall rooms={pictured} tile={CONTROL_TILE} extras={extras} detail={detail} />
      {!few && <RoomsTable session={session} rooms={ordered} column={column} />}
      <Ask
        words={question.value?.words ?? null}
        busy={busy.value}
        onAnswer={(text) => text !== null && question.value && void perform(question.value.answer(text))}
        onCancel={() => {
          question.value = null;
        }}
      />
    </section>
  );
}

function Watchers({ stage }: { stage: Stage }) {
  const people = stage.watchers.filter(({ kind }) => kind === "desk").map(({ name }) => name);
  const rooms = stage.watchers.filter(({ kind }) => kind === "room").length;
  return (
    <p class="soft small">
      {CONTROL.watchers}: {CONTROL.watchersText(people, rooms)}
    </p>
  );
}

function HandLine({ seat, children }: { seat: StageRoom; children: ComponentChildren }) {
  const { now } = useDesk();
  const waitedMs = Math.max(0, now.value - Date.parse(seat.hand ?? ""));
  return (
    <li>
      <span>
        <b>{seat.point.name}</b> {waitedMs >= 60_000 && CONTROL.handFor(duration(waitedMs))}
      </span>
      {children}
    </li>
  );
}

interface SeatProps {
  seat: StageRoom;
  onAct: (act: RoomAct) => void;
  onMessage: () => void;
}

/** The rarer acts on the chosen room. */
function SeatDetail({ seat, onAct, onMessage }: SeatProps) {
  return (
    <div class="stack">
      {seat.muted && (
        <p class="small">
          {CONTROL.mutedBy(seat.muted.by, clockTime(seat.muted.at))}
          {seat.muted.reason && `: ${seat.muted.reason}`}
        </p>
      )}
      <label class="control-gain">
        <span>
          {CONTROL.gain}: <b>{CONTROL.gainWords(seat.gainDb)}</b>
        </span>
        <input
          type="range"
          min={GAIN_DB_MIN}
          max={0}
          step={3}
          value={seat.gainDb}
          aria-valuetext={CONTROL.gainWords(seat.gainDb)}
          onChange={(event) => onAct({ act: "gain", gainDb: event.currentTarget.valueAsNumber })}
        />
      </label>
      {seat.message && (
        <p class="small">
          {CONTROL.messageNow} <b>{seat.message.text}</b>
        </p>
      )}
      <div class="row">
        <Button onPress={onMessage}>{CONTROL.message}</Button>
        {seat.message && <Button onPress={() => onAct({ act: "message", text: null })}>{CONTROL.messageTake}</Button>}
        {seat.place === "in" && <Button onPress={() => onAct({ act: "standBy" })}>{CONTROL.standBy}</Button>}
      </div>
    </div>
  );
}

/** How loud it is in the room by its box's own measure. Drawn, not stated: it changes five times a second. */
function RoomMeter({ point }: { point: PointId }) {
  const { levels } = useDesk();
  const bar = useRef<HTMLElement>(null);
  useSignalEffect(() => {
    const share = meterOf(levels.value.get(point)?.lufs);
    if (bar.current) bar.current.style.transform = `scaleX(${share})`;
  });
  return (
    <span class="meter" aria-hidden="true">
      <i ref={bar} />
    </span>
  );
}
