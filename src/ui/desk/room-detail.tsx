import { useComputed } from "@preact/signals";
import { Plug, Volume2, VolumeX, X } from "lucide-preact";
import type { ComponentChildren } from "preact";
import { Button, ButtonLink, IconButton } from "../design/button.tsx";
import { Lamp } from "../design/states.tsx";
import { ROOMS } from "../text/rooms.ts";
import { SESSION } from "../text/sessions.ts";
import { count, dayAndTime, duration } from "../text/format.ts";
import { SOUND_TEST_AT_DESK, soundTestWords } from "../text/sound-test.ts";
import { ROLES } from "../text/terms.ts";
import type { RoomFacts } from "./facts.ts";
import { ROUTES } from "./routes.ts";
import { useDesk, useMay } from "./store.ts";
import { TroubleAlert } from "./trouble.tsx";
import { RecordingState, Since } from "./tile.tsx";

/** The chosen room: its sound, what is wrong with the repair, and what its box measures. */
export function RoomDetail(props: { facts: RoomFacts; onClose: () => void; children?: ComponentChildren }) {
  const { facts, onClose } = props;
  const { listening } = useDesk();
  const { room, lamps } = facts;
  const administers = useMay("administrator");
  const heard = useComputed(() => listening.value === room.point.id);
  return (
    <aside class="detail card" aria-label={ROOMS.detail}>
      <div class="detail-head">
        <h2>{room.point.name}</h2>
        <IconButton icon={X} label={ROOMS.closeDetail} onPress={onClose} />
      </div>
      {props.children}
      {!room.box && (
        <>
          <p>{ROOMS.noBoxText}</p>
          {administers && (
            <ButtonLink icon={Plug} href={`${ROUTES.pairing}?diem=${room.point.id}`}>
              {ROOMS.pair}
            </ButtonLink>
          )}
        </>
      )}
      {room.box && (
        <>
          {room.connected && (
            <Button
              icon={heard.value ? VolumeX : Volume2}
              onPress={() => {
                listening.value = heard.value ? null : room.point.id;
              }}
            >
              {heard.value ? ROOMS.stopListening : ROOMS.startListening}
            </Button>
          )}
          <p class="stack detail-lamps">
            <Lamp of="picture" state={lamps.picture} />
            <Lamp of="sound" state={lamps.sound} />
            <Lamp of="link" state={lamps.link} />
          </p>
          {lamps.troubles.length === 0 && <p class="soft">{ROOMS.noTrouble}</p>}
          {lamps.troubles.map((trouble) => (
            <TroubleAlert key={trouble} trouble={trouble} health={room.health} calm={facts.need === "away"} />
          ))}
          <Measured facts={facts} />
        </>
      )}
    </aside>
  );
}

function Measured({ facts }: { facts: RoomFacts }) {
  const { now } = useDesk();
  const { room } = facts;
  const { health } = room;
  const rows: [string, ComponentChildren][] = [];
  if (room.session) {
    rows.push([ROOMS.session, <a href={ROUTES.session(room.session.id)}>{room.session.name}</a>]);
    rows.push([ROOMS.role, ROLES[room.session.role]]);
    rows.push([SESSION.recordingColumn, <RecordingState facts={facts} />]);
  }
  if (!room.connected) rows.push([ROOMS.seen, room.seenAt ? dayAndTime(room.seenAt, now.peek()) : ROOMS.neverSeen]);
  if (health && room.connected) {
    if (health.recording.seconds > 0) rows.push([ROOMS.recorded, duration(health.recording.seconds * 1_000)]);
    rows.push([ROOMS.source, ROOMS.sourceOf(health.source)]);
    rows.push([ROOMS.speed, ROOMS.fps(health.encoder.fps)]);
    if (health.encoder.by) rows.push([ROOMS.encoder, ROOMS.encoders[health.encoder.by.kind]]);
    if (health.encoder.droppedFrames > 0) rows.push([ROOMS.dropped, count(health.encoder.droppedFrames)]);
    if (health.sound.levelLufs !== null)
      rows.push([ROOMS.loudness, `${ROOMS.lufs(health.sound.levelLufs)}, ${ROOMS.speech(health.sound.speech)}`]);
    rows.push([
      SOUND_TEST_AT_DESK.title,
      health.soundTest
        ? `${soundTestWords(health.soundTest)}, ${dayAndTime(health.soundTest.at, now.peek())}`
        : SOUND_TEST_AT_DESK.none,
    ]);
    if (health.link.roundTripMs !== null) rows.push([ROOMS.roundTrip, ROOMS.milliseconds(health.link.roundTripMs)]);
    rows.push([ROOMS.disk, ROOMS.diskOf(health.diskFreeBytes, health.diskTotalBytes)]);
    rows.push([ROOMS.version, health.agentVersion]);
  }
  rows.push([ROOMS.pending, ROOMS.pendingSegments(room.pendingSegments)]);
  return (
    <>
      {!room.connected && (
        <p class="soft">
          <Since facts={facts} />
        </p>
      )}
      <dl class="facts">
        {rows.map(([term, words], i) => (
          <div key={i}>
            <dt>{term}</dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
