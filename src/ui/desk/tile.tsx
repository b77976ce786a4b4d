import { useComputed } from "@preact/signals";
import { Volume2 } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { Badge, Lamp, RecordingMark } from "../design/states.tsx";
import { ROOMS } from "../text/rooms.ts";
import { dayAndTime } from "../text/format.ts";
import { ROLES, TROUBLES } from "../text/terms.ts";
import type { RoomFacts } from "./facts.ts";
import { LivePicture } from "./picture.tsx";
import { useDesk } from "./store.ts";

export interface TileExtras {
  marks: ComponentChildren;
  controls: ComponentChildren;
  /** Shown around the picture of who speaks. */
  speaks: boolean;
  /** Somewhere to draw how loud it is there; the hub's own measure, heard here or not. */
  meter: ComponentChildren;
}

interface Props {
  facts: RoomFacts;
  extras?: TileExtras | undefined;
  /** Which of the room's live pictures to show. */
  picture: "video" | "small";
  chosen: boolean;
  onChoose: () => void;
}

/** One room on the wall: picture, name, lamps, and the worst of what is wrong. */
export function RoomTile({ facts, picture, chosen, onChoose, extras }: Props) {
  const { room, lamps, need } = facts;
  const trouble = lamps.troubles[0];
  return (
    <li class={`tile tile-${need}${chosen ? " tile-chosen" : ""}${extras?.speaks ? " tile-speaks" : ""}`}>
      <div class="tile-picture">
        {room.box && room.connected ? (
          <LivePicture box={room.box} picture={picture} point={room.point.id} name={room.point.name} />
        ) : (
          <p class="picture-words">{room.box ? <Since facts={facts} /> : ROOMS.noBoxText}</p>
        )}
        <Marks facts={facts}>{extras?.marks}</Marks>
        {extras?.meter}
      </div>
      <div class="tile-words">
        <h3>
          <TileName name={room.point.name} pressed={chosen} onPress={onChoose} />
        </h3>
        {room.box && room.connected ? (
          <p class="lamps tile-lamps">
            <Lamp of="picture" state={lamps.picture} short />
            <Lamp of="sound" state={lamps.sound} short />
            <Lamp of="link" state={lamps.link} short />
          </p>
        ) : (
          need !== "bad" && <p class="soft small">{room.box ? ROOMS.offline : ROOMS.noBox}</p>
        )}
        {trouble && (need === "bad" || need === "warn") && (
          <p class={`tile-trouble tile-trouble-${need}`}>{TROUBLES[trouble].title}</p>
        )}
        {extras?.controls}
      </div>
    </li>
  );
}

/** A longer name is written smaller, so that its end is seen. */
const LONG_NAME = 28;

export function TileName({ name, pressed, onPress }: { name: string; pressed: boolean; onPress: () => void }) {
  return (
    <button
      type="button"
      class={name.length > LONG_NAME ? "long" : undefined}
      aria-pressed={pressed}
      title={name}
      onClick={onPress}
    >
      <span>{name}</span>
    </button>
  );
}

/** Since when a room is away, in the words of the day. */
export function Since({ facts }: { facts: RoomFacts }) {
  const { now } = useDesk();
  const { seenAt } = facts.room;
  // Once a minute is often enough for a day and a time.
  const minute = useComputed(() => Math.floor(now.value / 60_000) * 60_000);
  return <>{seenAt ? ROOMS.offlineSince(dayAndTime(seenAt, minute.value)) : ROOMS.neverSeen}</>;
}

function Marks({ facts, children }: { facts: RoomFacts; children?: ComponentChildren }) {
  const { listening } = useDesk();
  const heard = useComputed(() => listening.value === facts.room.point.id);
  const { session } = facts.room;
  return (
    <div class="tile-marks">
      {facts.recording ? (
        <Badge tone="rec">{ROOMS.isRecording}</Badge>
      ) : session?.state === "live" && facts.recording === false ? (
        <Badge tone="bad">{ROOMS.notRecording}</Badge>
      ) : undefined}
      {session?.role === "central" && <Badge>{ROLES.central}</Badge>}
      {heard.value && (
        <Badge tone="accent">
          <Volume2 size={14} aria-hidden="true" /> {ROOMS.listening}
        </Badge>
      )}
      {children}
    </div>
  );
}

/** Recording as the box measures it, in words for a table. */
export function RecordingState({ facts }: { facts: RoomFacts }) {
  if (facts.recording) return <RecordingMark>{ROOMS.isRecording}</RecordingMark>;
  return <span class="soft">{facts.recording === null ? ROOMS.recordingUnknown : ROOMS.notRecording}</span>;
}
