import { type ComponentChildren } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { soundTestPassed, type RoomStage, type RoomState } from "../../protocol/protocol.ts";
import { Lamp } from "../design/states.tsx";
import { clockTime, dayAndTime, duration, remaining, size, stopwatch } from "../text/format.ts";
import { NETWORK, ROOM, ROOM_RESET, ROOM_RESET_DONE, ROOM_STICK } from "../text/room.ts";
import { stickFaultWords } from "../text/stick.ts";
import { RECORDING_SIGN, ROLES, TROUBLES, troubleWords, type TroubleWords } from "../text/terms.ts";
import { Act } from "./act.tsx";
import type { Room } from "./agent.ts";
import { Conversation } from "./conversation.tsx";
import { OwnPicture } from "./own-picture.tsx";
import { qrModules, qrPath } from "./qr.ts";
import { SelfTest } from "./self-test.tsx";
import { SoundTestPanel, useSoundTest } from "./sound-test.tsx";
import { Try } from "./try.tsx";

/** The room's TV: one look from 4 m says whether all is well, and if not, what to do. */
export function RoomScreen({ room }: { room: Room }) {
  useEffect(() => () => room.close(), [room]);
  const state = room.state.value;
  if (!state) return <Plain title={ROOM.starting} text={ROOM.startingText} />;
  if (!room.present.value) return <Plain title={ROOM.agentAway} text={ROOM.agentAwayText} />;
  switch (state.pairing.state) {
    case "paired":
      return talksIn(state) ? (
        <Conversation state={state} stage={state.stage} nowMs={room.now.value} />
      ) : (
        <Paired room={room} state={state} nowMs={room.now.value} />
      );
    case "code":
      return <Code pairing={state.pairing} nowMs={room.now.value} state={state} />;
    case "connecting":
      return <Waiting title={ROOM.connecting} text={ROOM.connectingText} state={state} />;
    case "wrongHub":
      return <Plain title={ROOM.wrongHub} text={ROOM.wrongHubText} state={state} />;
    default:
      return (
        <Waiting title={ROOM.hubUnreachable} text={ROOM.hubUnreachableText} state={state}>
          <p class="soft">{ROOM.hubUnreachableSince(clockTime(state.pairing.since))}</p>
        </Waiting>
      );
  }
}

/**
 * While a session is paused nobody hears anybody, and without the hub there is nobody to be heard. Where another system
 * carries the talk, its page stands over this one, and nothing may be heard twice.
 */
const talksIn = (state: RoomState): state is RoomState & { stage: RoomStage } =>
  !state.companion &&
  state.stage !== null &&
  state.session?.state === "live" &&
  state.stage.session === state.session.id;

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

/** Not paired and no code yet: what the network lacks comes before that nothing answers. */
function Waiting(props: { title: string; text: string; state: RoomState; children?: ComponentChildren }) {
  const { state } = props;
  const trouble = state.network?.trouble;
  const words = trouble ? NETWORK[trouble] : props;
  return (
    <Plain title={words.title} text={words.text} state={state}>
      {props.children}
      <Stick state={state} />
    </Plain>
  );
}

/** What the box makes of the stick that is plugged in. */
function Stick({ state: { stick } }: { state: RoomState }) {
  if (!stick) return null;
  if (stick.state === "reset") {
    if (stick.outcome.state === "done") return <output class="lead">{ROOM_RESET_DONE}</output>;
    const { title, repair } = ROOM_RESET[stick.outcome.reason];
    return (
      <div class="room-say room-trouble" role="alert">
        <h2 class="long">{title}</h2>
        <p>{repair}</p>
      </div>
    );
  }
  if (stick.state !== "faulty")
    return (
      <output class={stick.state === "otherHub" ? "lead word-bad" : "lead word-ok"}>{ROOM_STICK[stick.state]}</output>
    );
  const [first, ...others] = stick.faults;
  if (!first) return null;
  const { title, repair } = stickFaultWords(first);
  return (
    <div class="room-say room-trouble" role="alert">
      <h2 class="long">{title}</h2>
      <p>{repair}</p>
      {others.length > 0 && <p class="soft">{ROOM_STICK.more(others.length)}</p>}
    </div>
  );
}

/** For whoever is on the telephone: where the hub is looked for, and which box on which network this is. */
function Addresses({ state: { hubAddress, addresses, network } }: { state: RoomState }) {
  const mac = network?.macs[0];
  return (
    <p class="room-foot soft">
      {ROOM.hub} {hubAddress || ROOM.hubNotKnown} · {ROOM.address} {addresses.slice(0, 2).join(", ") || ROOM.noAddress}
      {mac && ` · ${ROOM.mac} ${mac}`}
    </p>
  );
}

/** Without the code itself: a page that is not the hub's would be told it. */
function Qr({ text }: { text: string }) {
  const modules = qrModules(text);
  const size = modules.length + 8;
  return (
    <figure class="room-qr">
      <svg viewBox={`-4 -4 ${size} ${size}`} aria-hidden="true" shape-rendering="crispEdges">
        <rect x="-4" y="-4" width={size} height={size} fill="#fff" />
        <path d={qrPath(modules)} fill="#000" />
      </svg>
      <figcaption>{ROOM.pairPage}</figcaption>
    </figure>
  );
}

/** A test that was opened and forgotten gives the page back. */
const TEST_MS = 60_000;

type CodePairing = Extract<RoomState["pairing"], { state: "code" }>;

function Code({ pairing, nowMs, state }: { pairing: CodePairing; nowMs: number; state: RoomState }) {
  const leftMs = Date.parse(pairing.expiresAt) - nowMs;
  const page = state.network?.pairingPage;
  const trouble = state.network?.trouble;
  return (
    <main class="room room-plain room-pairing">
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
      <div class="room-pairing-side">
        {page && <Qr text={page} />}
        {state.stick ? (
          <Stick state={state} />
        ) : trouble ? (
          <p class="word-bad">{NETWORK[trouble].title}</p>
        ) : (
          <SelfTest state={state} />
        )}
      </div>
      <Addresses state={state} />
    </main>
  );
}

function Paired({ room, state, nowMs }: { room: Room; state: RoomState; nowMs: number }) {
  const { lamps, recording } = state;
  const testing = useSignal(false);
  useEffect(() => {
    if (!testing.value) return undefined;
    const timer = setTimeout(() => {
      testing.value = false;
    }, TEST_MS);
    return () => clearTimeout(timer);
  }, [testing.value]);
  const idle = !state.session && !recording;
  const sound = useSoundTest(state.soundTest);
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
        {state.watchedBy.length > 0 && <span class="room-watched">{ROOM.watchers(0, state.watchedBy)}</span>}
      </p>
      <OwnPicture />
      <section class="room-side">
        {idle && (sound.state?.running || sound.shown) ? (
          <SoundTestPanel test={sound} />
        ) : state.stick && idle ? (
          <Stick state={state} />
        ) : testing.value && idle ? (
          <SelfTest state={state} />
        ) : (
          <>
            <Say state={state} nowMs={nowMs} />
            <Receipt state={state} />
          </>
        )}
        {idle && (
          <Try
            room={room}
            sound={sound}
            test={{
              open: testing.value,
              toggle: () => (testing.value = !testing.value),
              close: () => (testing.value = false),
            }}
          />
        )}
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
function Sign({ state: { session, lamps, soundTest } }: { state: RoomState }) {
  if (session?.state === "live") return <p class="room-sign room-sign-off">{ROOM.notRecording}</p>;
  const ready = [lamps.picture, lamps.sound, lamps.link].every((lamp) => lamp === "ok") && !session;
  if (!ready) return null;
  if (soundTest?.result && !soundTestPassed(soundTest.result))
    return <p class="room-sign room-sign-half">{ROOM.readyButSound}</p>;
  return <p class="room-sign room-sign-ready">{ROOM.ready}</p>;
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
          : troubleWords(trouble, state.health);
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
        {state.companion && !state.companion.showing && <p>{ROOM.companionOpening(state.companion.name)}</p>}
        {state.session.state === "paused" && (
          <p class="lead">
            {state.stage?.paused?.reason && `${ROOM.pausedWhy(state.stage.paused.reason)} `}
            {ROOM.pausedText}
          </p>
        )}
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
