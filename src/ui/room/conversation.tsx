import { useSignal } from "@preact/signals";
import { Hand, MicOff, Volume2 } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { ROOM_HAND_PATH, type RoomHand, type RoomStage, type RoomState } from "../../protocol/protocol.ts";
import { Lamp } from "../design/states.tsx";
import { clockTime, stopwatch } from "../text/format.ts";
import { shortPlace } from "../text/place.ts";
import { ROOM } from "../text/room.ts";
import { RECORDING_SIGN, ROLES, troubleWords } from "../text/terms.ts";
import { Act } from "./act.tsx";
import { perform } from "./agent.ts";
import { arrange, type Rect, renditionFor, shownOf } from "./arrangement.ts";
import { OwnPicture } from "./own-picture.tsx";
import { useHeldBack } from "./held-back.ts";
import { RemoteRoom } from "./remote.tsx";

type Remote = RoomStage["rooms"][number];

/** The room among the others: who speaks large, the rest and itself small, and in words what concerns this room. */
export function Conversation({ state, stage, nowMs }: { state: RoomState; stage: RoomStage; nowMs: number }) {
  const silent = useHeldBack();
  return (
    <main class="room talk">
      <header class="talk-head">
        <div>
          <h1>{state.point?.name}</h1>
          <p class="talk-session">
            {state.session?.name} · {ROOM.roomsIn(stage.rooms.length + 1)}
          </p>
        </div>
        <p class="talk-lamps">
          <Lamp of="picture" state={state.lamps.picture} short />
          <Lamp of="sound" state={state.lamps.sound} short />
          <Lamp of="link" state={state.lamps.link} short />
        </p>
        <p class="room-time">{clockTime(nowMs)}</p>
      </header>
      <Notices state={state} stage={stage} silent={silent} />
      <Pictures stage={stage} />
      <footer class="talk-foot">
        <Sign state={state} />
        <Watchers state={state} stage={stage} />
        <div class="talk-acts">
          <HandButton stage={stage} />
          <Act state={state} focused={false} />
        </div>
      </footer>
    </main>
  );
}

function Sign({ state: { recording } }: { state: RoomState }) {
  if (!recording) return <p class="room-sign room-sign-off">{ROOM.notRecording}</p>;
  return (
    <p class="room-sign">
      <i aria-hidden="true" />
      <span>{RECORDING_SIGN}</span>
      <b>{stopwatch(recording.seconds * 1_000)}</b>
    </p>
  );
}

/** Nobody watches unseen: other rooms by their number, people of the desk by name. */
function Watchers({ state, stage }: { state: RoomState; stage: RoomStage }) {
  const rooms = stage.watchers.filter(({ kind, name }) => kind === "room" && name !== state.point?.name).length;
  const people = stage.watchers.filter(({ kind }) => kind === "desk").map(({ name }) => name);
  return <p class="talk-watchers">{rooms + people.length === 0 ? ROOM.nobodyWatches : ROOM.watchers(rooms, people)}</p>;
}

interface Notice {
  tone: "bad" | "warn" | "info";
  title: string;
  text: string;
}

/** The most pressing comes first; more than two at once nobody reads. */
const NOTICES_MOST = 2;

function noticesOf(state: RoomState, { own, interruption }: RoomStage): Notice[] {
  const trouble = state.lamps.troubles[0];
  const words = trouble && troubleWords(trouble, state.health);
  const notices: (Notice | false | null | undefined)[] = [
    words && { tone: "bad", title: words.title, text: words.repair },
    own.message && { tone: "info", title: ROOM.messageTitle, text: own.message.text },
    interruption && { tone: "warn", title: ROOM.interruptedTitle, text: ROOM.interruptedText(interruption.reason) },
    own.muted && {
      tone: "warn",
      title: ROOM.mutedTitle,
      text: own.muted.reason ? ROOM.mutedWhy(own.muted.reason) : ROOM.mutedText,
    },
    own.hand !== null && { tone: "info", title: ROOM.askedTitle, text: ROOM.askedText },
    own.place === "standby" && own.hand === null && { tone: "info", title: ROOM.standbyTitle, text: ROOM.standbyText },
  ];
  return notices.filter((notice): notice is Notice => Boolean(notice));
}

function Notices({ state, stage, silent }: { state: RoomState; stage: RoomStage; silent: boolean }) {
  const notices = noticesOf(state, stage).slice(0, NOTICES_MOST);
  return (
    <output class="talk-notices">
      {silent && <Line tone="warn" title={ROOM.silentScreen} text="" />}
      {notices.map((notice) => (
        <Line key={notice.title} {...notice} />
      ))}
    </output>
  );
}

const Line = ({ tone, title, text }: Notice) => (
  <span class={`talk-notice talk-${tone}`}>
    <b>{title}</b>
    {text && <span>{text}</span>}
  </span>
);

function Pictures({ stage }: { stage: RoomStage }) {
  const frame = useRef<HTMLDivElement>(null);
  const area = useSignal({ width: 0, height: 0, screenHeight: 0 });
  useLayoutEffect(() => {
    const element = frame.current!;
    const observer = new ResizeObserver(() => {
      area.value = { width: element.clientWidth, height: element.clientHeight, screenHeight: innerHeight };
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const large = stage.rooms.filter(({ size }) => size === "large");
  // Who is heard is seen before those who wait.
  const small = stage.rooms
    .filter(({ size }) => size === "small")
    .sort((a, b) => Number(b.audible) - Number(a.audible));
  const shown = shownOf(area.value, large.length, small.length);
  const rects = arrange(area.value, Math.max(1, shown.large), shown.small);
  const unseen = [...large.slice(shown.large), ...small.slice(shown.small)].filter(({ audible }) => audible);
  // One list in one order: a room that moves between large and small keeps its element and its connection.
  const places = [
    ...large.slice(0, shown.large).map((room, i) => ({ room, rect: rects.large[i]! })),
    ...small.slice(0, shown.small).map((room, i) => ({ room, rect: rects.small[i]! })),
  ].sort((a, b) => (a.room.point.id < b.room.point.id ? -1 : 1));
  return (
    <div ref={frame} class="talk-pictures">
      {area.value.width > 0 && (
        <>
          {places.map(({ room, rect }) => (
            <RemoteTile
              key={room.point.id}
              room={room}
              rect={rect}
              rendition={renditionFor(rect, shown.large)}
              alone={shown.large === 1}
            />
          ))}
          {unseen.map(
            ({ box, point, gainDb }) =>
              box && (
                <div key={point.id} hidden>
                  <RemoteRoom box={box} name={point.name} rendition="small" audible gainDb={gainDb} />
                </div>
              ),
          )}
          {shown.large === 0 && (
            <Tile rect={rects.large[0]!} class="talk-alone">
              <div class="talk-words">
                <h2>{ROOM.aloneTitle}</h2>
                <p>{ROOM.aloneText}</p>
              </div>
            </Tile>
          )}
          <Tile rect={rects.small.at(-1)!}>
            <OwnPicture />
            <p class="talk-plate">
              <b>{ROOM.own}</b>
              {stage.own.muted && <Mark icon={MicOff} words={ROOM.isMuted} />}
            </p>
          </Tile>
        </>
      )}
    </div>
  );
}

function Tile(props: { rect: Rect; class?: string; children: ComponentChildren }) {
  const { left, top, width, height } = props.rect;
  return (
    <figure class={`talk-tile ${props.class ?? ""}`} style={{ left, top, width, height }}>
      {props.children}
    </figure>
  );
}

interface RemoteProps {
  room: Remote;
  rect: Rect;
  rendition: "video" | "small";
  /** No other one is large: there is room for its whole name. */
  alone: boolean;
}

function RemoteTile({ room, rect, rendition, alone }: RemoteProps) {
  const whole = room.size === "large" && alone;
  const speaks = room.speaking && room.audible;
  const name = whole ? room.point.name : shortPlace(room.point.name);
  return (
    <Tile rect={rect} class={`${whole ? "talk-large" : ""}${speaks ? " talk-speaks" : ""}`}>
      {room.box && room.connected ? (
        <RemoteRoom {...{ box: room.box, name, rendition, audible: room.audible, gainDb: room.gainDb }} />
      ) : (
        <p class="talk-words">{ROOM.noPictureOf(name)}</p>
      )}
      <figcaption class="talk-plate">
        <b>{name}</b>
        {whole && <span class="talk-role">{ROLES[room.role]}</span>}
        {speaks && <Mark icon={Volume2} words={ROOM.speaking} />}
        {room.muted && <Mark icon={MicOff} words={ROOM.isMuted} />}
        {room.hand && <Mark icon={Hand} words={ROOM.handUp} />}
      </figcaption>
    </Tile>
  );
}

function Mark({ icon: Icon, words }: { icon: typeof Hand; words: string }) {
  return (
    <span class="talk-mark">
      <Icon aria-hidden="true" />
      <span>{words}</span>
    </span>
  );
}

/** Asks for the floor, and takes it back: one key of a remote control is enough. */
function HandButton({ stage }: { stage: RoomStage }) {
  const failed = useSignal(false);
  const button = useRef<HTMLButtonElement>(null);
  const raised = stage.own.hand !== null;
  useEffect(() => button.current?.focus(), []);
  const press = async () => {
    const hand: RoomHand = { session: stage.session, raised: !raised };
    failed.value = (await perform(ROOM_HAND_PATH, hand)) !== "done";
  };
  return (
    <div class="room-act">
      <button
        ref={button}
        type="button"
        class={raised ? "room-button talk-raised" : "room-button"}
        aria-pressed={raised}
        onClick={(event) => {
          if (event.detail <= 1) void press();
        }}
        onKeyDown={(event) => {
          if (event.repeat) event.preventDefault();
        }}
      >
        <Hand aria-hidden="true" />
        <span>{raised ? ROOM.handDown : ROOM.hand}</span>
      </button>
      {failed.value && <output>{ROOM.actFailed}</output>}
    </div>
  );
}
