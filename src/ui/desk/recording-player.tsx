import { useSignal } from "@preact/signals";
import { Hourglass, Pause, Play, SkipBack, SkipForward, StepBack, StepForward } from "lucide-preact";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { RecordingView, RoomRecordingView } from "../../hub/http/views.ts";
import type { PointId } from "../../protocol/protocol.ts";
import { Button } from "../design/button.tsx";
import { Segmented } from "../design/field.tsx";
import { EmptyState } from "../design/states.tsx";
import { Timeline } from "../design/timeline.tsx";
import { mergeBars } from "../design/timeline-scale.ts";
import { EVENT_WORDS, RECORDING, TIMELINE, UNKNOWN_CAUSE } from "../text/desk.ts";
import { byName, clockTimeSeconds, stopwatch } from "../text/format.ts";
import { alarmTitle, GAP_CAUSES } from "../text/terms.ts";
import { RECORDING_TILE, wallShape } from "./facts.ts";
import type { Master } from "./master.ts";
import { barsOf, frameMs, playables, wholeOf } from "./playback.ts";
import { RecordingVideo } from "./recording-video.tsx";

/** More decoders than this at once make an ordinary office PC stutter. */
const SHOWN_MOST = 9;
const RATES = [0.5, 1, 1.5, 2];

const centralFirst = (a: RoomRecordingView, b: RoomRecordingView): number =>
  Number(b.role === "central") - Number(a.role === "central") || byName(a.point.name, b.point.name);

/** Pictures of the rooms in step, the controls, and the timeline under them. */
export function RecordingPlayer({ view, master }: { view: RecordingView; master: Master }) {
  const rooms = useMemo(() => [...view.rooms].sort(centralFirst), [view.rooms]);
  const ready = rooms.filter(({ playlist }) => playlist !== null);
  const heard = useSignal<PointId | null>(ready[0]?.point.id ?? null);
  const shown = useSignal<PointId[]>(ready.slice(0, SHOWN_MOST).map(({ point }) => point.id));
  const whole = useMemo(() => wholeOf(rooms), [rooms]);
  // Rooms whose first segment came in after the page was opened.
  useEffect(() => {
    heard.value ??= ready[0]?.point.id ?? null;
    if (shown.value.length === 0) shown.value = ready.slice(0, SHOWN_MOST).map(({ point }) => point.id);
  }, [ready.length]);

  const hear = (id: PointId) => {
    if (!ready.some(({ point }) => point.id === id)) return;
    heard.value = id;
    // The one least worth seeing makes room: the last that is not heard.
    if (!shown.value.includes(id)) shown.value = [...shown.value.slice(0, SHOWN_MOST - 1), id];
  };
  const seek = (at: number) => master.seek(Math.min(Math.max(at, whole.from), whole.to - 1));
  const frame = () => {
    const room = rooms.find(({ point }) => point.id === heard.value);
    return room ? frameMs(playables(room), master.at.peek()) : 40;
  };
  const toggle = () => {
    if (master.at.peek() >= whole.to - 1) master.seek(whole.from);
    master.playing.value = !master.playing.peek();
  };
  const stepFrame = (direction: 1 | -1) => {
    master.playing.value = false;
    seek(master.at.peek() + direction * frame());
  };

  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (
        event.ctrlKey ||
        event.altKey ||
        event.metaKey ||
        target.closest("input,select,textarea,dialog,.table-scroll")
      )
        return;
      // A button in focus is pressed by space; the page's own meaning yields.
      if (event.key === " " && target.closest("button,a,summary")) return;
      const acts: Record<string, () => void> = {
        " ": toggle,
        ArrowLeft: () => seek(master.at.peek() - 1_000),
        ArrowRight: () => seek(master.at.peek() + 1_000),
        ",": () => stepFrame(-1),
        ".": () => stepFrame(1),
      };
      const act = acts[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, [whole.from, whole.to, rooms]);

  const rows = useMemo(
    () =>
      rooms.map((room) => ({
        id: room.point.id,
        name: room.point.name,
        note: TIMELINE.rowSummary(room.segments.length, room.gaps.length, room.hubCopies.length),
        bars: mergeBars(barsOf(room)),
        gaps: room.gaps.map(({ from, to, cause }) => ({
          from: Date.parse(from),
          to: Date.parse(to),
          words: GAP_CAUSES[cause],
        })),
      })),
    [rooms],
  );
  const marks = useMemo(
    () =>
      view.events
        .filter(({ kind }) => kind !== "created")
        .map(({ at, kind, point, cause }) => ({
          at: Date.parse(at),
          words: `${clockTimeSeconds(at)} ${EVENT_WORDS[kind]}${point ? `: ${point.name}` : ""}${cause === undefined ? "" : `, ${alarmTitle(cause) ?? UNKNOWN_CAUSE}`}`,
        })),
    [view.events],
  );

  return (
    <section class="stack" aria-label={RECORDING.player}>
      {ready.length === 0 ? (
        <EmptyState icon={Hourglass} title={RECORDING.player}>
          {RECORDING.notPlayable}
        </EmptyState>
      ) : (
        <>
          <h2 class="aside">{RECORDING.player}</h2>
          <Videos rooms={ready} shown={shown.value} heard={heard.value} master={master} onHear={hear} />
          <div class="player">
            <div class="row">
              <Button kind="primary" large icon={master.playing.value ? Pause : Play} onPress={toggle}>
                {master.playing.value ? RECORDING.pause : RECORDING.play}
              </Button>
              <div class="row-tight">
                <Button icon={SkipBack} label={RECORDING.backSecond} onPress={() => seek(master.at.peek() - 1_000)}>
                  {RECORDING.second}
                </Button>
                <Button icon={StepBack} label={RECORDING.previousFrame} onPress={() => stepFrame(-1)}>
                  {RECORDING.frame}
                </Button>
                <Button icon={StepForward} label={RECORDING.nextFrame} onPress={() => stepFrame(1)}>
                  {RECORDING.frame}
                </Button>
                <Button
                  icon={SkipForward}
                  label={RECORDING.forwardSecond}
                  onPress={() => seek(master.at.peek() + 1_000)}
                >
                  {RECORDING.second}
                </Button>
              </div>
              <Position master={master} from={whole.from} to={whole.to} />
            </div>
            <Segmented
              legend={RECORDING.rate}
              hideLegend
              name="rate"
              value={String(master.rate.value)}
              choices={RATES.map((rate) => ({ value: String(rate), label: RECORDING.rateOf(rate) }))}
              onChange={(value) => {
                master.rate.value = Number(value);
              }}
            />
          </div>
        </>
      )}
      <TimelineAt
        master={master}
        rows={rows}
        whole={whole}
        marks={marks}
        chosen={heard.value}
        onSeek={seek}
        onChoose={(id) => hear(id as PointId)}
      />
      {ready.length > 0 && <p class="hint">{RECORDING.keys}</p>}
      {ready.length > SHOWN_MOST && <p class="hint">{RECORDING.tooMany(SHOWN_MOST)}</p>}
    </section>
  );
}

/** Alone, so that only these few words are drawn sixty times a second. */
function Position({ master, from, to }: { master: Master; from: number; to: number }) {
  return (
    <p class="player-position">
      <b>{stopwatch(master.at.value - from)}</b>
      <span class="soft">
        / {stopwatch(to - from)}, {clockTimeSeconds(master.at.value)}
      </span>
    </p>
  );
}

function TimelineAt({ master, ...props }: Omit<Parameters<typeof Timeline>[0], "cursor"> & { master: Master }) {
  return <Timeline {...props} cursor={master.at.value} />;
}

interface VideosProps {
  rooms: RoomRecordingView[];
  shown: PointId[];
  heard: PointId | null;
  master: Master;
  onHear: (id: PointId) => void;
}

function Videos({ rooms, shown, heard, master, onHear }: VideosProps) {
  const frame = useRef<HTMLDivElement>(null);
  const space = useSignal({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = frame.current!;
    const measure = () => {
      space.value = { width: element.clientWidth, height: Math.max(260, innerHeight * 0.5) };
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const visible = rooms.filter(({ point }) => shown.includes(point.id));
  const shape = wallShape(space.value.width, space.value.height, visible.length, RECORDING_TILE);
  return (
    <div ref={frame}>
      <ul class="wall" style={{ gridTemplateColumns: `repeat(${shape.columns}, ${shape.tilePx}px)` }}>
        {visible.map((room) => (
          <RecordingVideo
            key={room.point.id}
            room={room}
            playlist={room.playlist!}
            master={master}
            heard={room.point.id === heard}
            onHear={() => onHear(room.point.id)}
          />
        ))}
      </ul>
    </div>
  );
}
