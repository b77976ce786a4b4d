import { useSignal } from "@preact/signals";
import { type ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ROOM_PICTURE_PATH, ROOM_START_PATH, ROOM_STOP_PATH, type RoomState } from "../../protocol/protocol.ts";
import { Lamp } from "../design/states.tsx";
import { clockTime, dayAndTime, duration, remaining, size, stopwatch } from "../text/format.ts";
import { ROOM } from "../text/room.ts";
import { RECORDING_SIGN, ROLES, TROUBLES, type TroubleWords } from "../text/terms.ts";
import { perform, type Room } from "./agent.ts";

/** The room's TV: one look from 4 m says whether all is well, and if not, what to do. */
export function RoomScreen({ room }: { room: Room }) {
  useEffect(() => () => room.close(), [room]);
  const state = room.state.value;
  if (!state) return <Plain title={ROOM.starting} text={ROOM.startingText} />;
  if (!room.present.value) return <Plain title={ROOM.agentAway} text={ROOM.agentAwayText} />;
  switch (state.pairing.state) {
    case "paired":
      return <Paired state={state} nowMs={room.now.value} />;
    case "code":
      return <Code pairing={state.pairing} nowMs={room.now.value} state={state} />;
    case "connecting":
      return <Plain title={ROOM.connecting} text={ROOM.connectingText} state={state} />;
    case "wrongHub":
      return <Plain title={ROOM.wrongHub} text={ROOM.wrongHubText} state={state} />;
    default:
      return (
        <Plain title={ROOM.hubUnreachable} text={ROOM.hubUnreachableText} state={state}>
          <p class="soft">{ROOM.hubUnreachableSince(clockTime(state.pairing.since))}</p>
        </Plain>
      );
  }
}

function Plain(props: { title: string; text: string; state?: RoomState; children?: ComponentChildren }) {
  return (
    <main class="room room-plain">
      <h1>{props.title}</h1>
      <p class="lead">{props.text}</p>
      {props.children}
      {props.state && <Addresses state={props.state} />}
    </main>
  );
}

function Addresses({ state }: { state: RoomState }) {
  return (
    <p class="room-foot soft">
      {ROOM.hub} {state.hubAddress} · {ROOM.address} {state.addresses.join(", ")}
    </p>
  );
}

type CodePairing = Extract<RoomState["pairing"], { state: "code" }>;

function Code({ pairing, nowMs, state }: { pairing: CodePairing; nowMs: number; state: RoomState }) {
  const leftMs = Date.parse(pairing.expiresAt) - nowMs;
  return (
    <main class="room room-plain">
      <h1>{ROOM.pairTitle}</h1>
      <p class="room-code">
        <span class="aside">{ROOM.spelled([...pairing.code.replace("-", "")].join(" "))}</span>
        {pairing.code.split("-").map((group) => (
          <span key={group} aria-hidden="true">
            {group}
          </span>
        ))}
      </p>
      <p class="lead">{pairing.hubAnswers ? (pairing.revoked ? ROOM.pairRevoked : ROOM.pairText) : ROOM.pairOffline}</p>
      {leftMs > 0 && <p class="soft">{ROOM.pairExpires(duration(Math.ceil(leftMs / 60_000) * 60_000))}</p>}
      <Addresses state={state} />
    </main>
  );
}

function Paired({ state, nowMs }: { state: RoomState; nowMs: number }) {
  const { lamps, recording } = state;
  return (
    <main class="room room-paired">
      <header class="room-head">
        <h1 class={isLong(state.point?.name) ? "long" : undefined}>{state.point?.name}</h1>
        <p class="room-time">{clockTime(nowMs)}</p>
      </header>
      <p class="room-lamps">
        <Lamp of="picture" state={lamps.picture} />
        <Lamp of="sound" state={lamps.sound} />
        <Lamp of="link" state={lamps.link} />
      </p>
      <OwnPicture />
      <section class="room-side">
        <Say state={state} nowMs={nowMs} />
        <Receipt state={state} />
      </section>
      <footer class="room-bottom">
        {recording ? (
          <p class="room-sign">
            <i aria-hidden="true" />
            <span>{RECORDING_SIGN}</span>
            <b>{stopwatch(recording.seconds * 1_000)}</b>
          </p>
        ) : (
          <Sign state={state} />
        )}
        <Act state={state} />
      </footer>
    </main>
  );
}

/** What stands where the recording sign would: that a session is not recorded, or that the room is ready for one. */
function Sign({ state: { session, lamps } }: { state: RoomState }) {
  if (session?.state === "live") return <p class="room-sign room-sign-off">{ROOM.notRecording}</p>;
  const ready = [lamps.picture, lamps.sound, lamps.link].every((lamp) => lamp === "ok") && !session;
  return ready ? <p class="room-sign room-sign-ready">{ROOM.ready}</p> : null;
}

/** One thing at a time: what is wrong comes before what goes on, and that before what is next. */
function Say({ state, nowMs }: { state: RoomState; nowMs: number }) {
  const trouble = state.lamps.troubles[0];
  if (trouble) {
    const words =
      trouble === "offline"
        ? offlineWords(state)
        : trouble === "diskLow" && state.noRoom
          ? { ...TROUBLES.diskLow, title: ROOM.noRoom(state.noRoom.name, size(state.noRoom.missingBytes)) }
          : TROUBLES[trouble];
    const others = state.lamps.troubles.length - 1;
    return (
      <div class="room-say room-trouble" role="alert">
        <h2 class={words.title.length > LONG_TITLE ? "long" : undefined}>{words.title}</h2>
        <p class="lead">{words.repair}</p>
        <p>{words.comfort}</p>
        {others > 0 && <p class="soft">{ROOM.others(others)}</p>}
      </div>
    );
  }
  if (state.session)
    return (
      <div class="room-say">
        <p class="soft">{state.session.state === "paused" ? ROOM.paused : ROOM.now}</p>
        <SessionName name={state.session.name} />
        <p>{ROLES[state.session.role]}</p>
        {state.session.state === "paused" && <p class="lead">{ROOM.pausedText}</p>}
        {state.session.begunBy === "schedule" && <p>{ROOM.begunBySchedule}</p>}
        {state.session.begunBy === "hand" && <p>{ROOM.begunByHand}</p>}
      </div>
    );
  if (state.nextSession) {
    const { name, role, scheduledAt } = state.nextSession;
    return (
      <div class="room-say">
        <p class="soft">{ROOM.next}</p>
        <SessionName name={name} />
        {scheduledAt && (
          <p class="lead">
            {dayAndTime(scheduledAt, nowMs)}, {remaining(Date.parse(scheduledAt) - nowMs)}
          </p>
        )}
        <p>{ROLES[role]}</p>
      </div>
    );
  }
  return (
    <div class="room-say">
      <h2>{ROOM.noNext}</h2>
      <p class="lead">{ROOM.readyText}</p>
    </div>
  );
}

/** After a session, until the next one: whether everything that was recorded here has arrived. */
function Receipt({ state: { session, receipt } }: { state: RoomState }) {
  if (session || !receipt) return null;
  const { name, complete, verified, segments } = receipt;
  return (
    <p class="room-receipt">
      <span class="soft">{ROOM.receiptOf}</span>
      <span class="room-receipt-name">{name}</span>
      <b class={complete ? "word-ok" : undefined}>
        {complete ? ROOM.receiptDone : ROOM.receiptUnderway(verified, segments)}
      </b>
    </p>
  );
}

/** A first press only asks; what was asked and not answered is forgotten. */
const SURE_MS = 8_000;

/**
 * Begins or ends a session in this room: one button, two presses. It has the focus by itself, so that the one key of
 * a simple remote control is enough.
 */
function Act({ state: { start, stop } }: { state: RoomState }) {
  const asked = useSignal(false);
  const said = useSignal<string | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  const path = stop ? ROOM_STOP_PATH : ROOM_START_PATH;
  const session = stop ? stop.session : (start?.session ?? null);
  const offered = start !== null || stop !== null;
  // Another offer is another question: it must be asked anew.
  useEffect(() => {
    asked.value = false;
    said.value = null;
    button.current?.focus();
  }, [offered, path, session]);
  useEffect(() => {
    if (!asked.value) return undefined;
    const timer = setTimeout(() => {
      asked.value = false;
    }, SURE_MS);
    return () => clearTimeout(timer);
  }, [asked.value]);
  if (!offered) return null;
  const words = stop ? ROOM.end : session === null ? ROOM.beginAdHoc : ROOM.begin;
  const press = async () => {
    said.value = null;
    asked.value = !asked.value;
    if (asked.value) return;
    const done = await perform(path, { session });
    said.value = done === "done" ? null : done === "late" ? ROOM.actLate : ROOM.actFailed;
  };
  return (
    <div class="room-act">
      <button
        ref={button}
        type="button"
        class={asked.value ? "room-button room-button-sure" : "room-button"}
        onClick={(event) => {
          // A double click is one press of an unsteady hand.
          if (event.detail <= 1) void press();
        }}
        onKeyDown={(event) => {
          if (event.repeat) event.preventDefault();
          if (event.key === "Escape") asked.value = false;
        }}
        onBlur={() => {
          asked.value = false;
        }}
      >
        {asked.value ? (stop ? ROOM.endSure : ROOM.beginSure) : words}
      </button>
      {said.value && <output>{said.value}</output>}
    </div>
  );
}

/** Here the box is plainly switched on: only its line is left to look at. */
const offlineWords = ({ recording }: RoomState): TroubleWords => ({
  title: TROUBLES.offline.title,
  repair: ROOM.offlineRepair,
  comfort: recording ? ROOM.offlineRecording : ROOM.offlineIdle,
});

/** Above this a name at the large size would push the rest off the screen. */
const LONG_NAME = 44;
const LONG_TITLE = 22;
const isLong = (name = ""): boolean => name.length > LONG_NAME;

const SessionName = ({ name }: { name: string }) => <h2 class={isLong(name) ? "long" : undefined}>{name}</h2>;

/** What the camera sees. A broken stream of pictures is asked for again, with a new address. */
function OwnPicture() {
  const attempt = useSignal(0);
  const broken = useSignal(false);
  useEffect(() => {
    if (!broken.value) return undefined;
    const timer = setTimeout(() => {
      attempt.value += 1;
      broken.value = false;
    }, 2_000);
    return () => clearTimeout(timer);
  }, [broken.value]);
  return (
    <figure class="room-picture">
      {broken.value ? (
        <p>{ROOM.noPicture}</p>
      ) : (
        <img
          src={`${ROOM_PICTURE_PATH}?${attempt.value}`}
          alt={ROOM.picture}
          onError={() => {
            broken.value = true;
          }}
        />
      )}
    </figure>
  );
}
