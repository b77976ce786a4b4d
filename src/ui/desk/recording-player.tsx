import { useSignal } from "@preact/signals";
import { Hourglass, Pause, Play, SkipBack, SkipForward, StepBack, StepForward } from "lucide-preact";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { RecordingOverview } from "../../hub/http/views.ts";
import { Button } from "../design/button.tsx";
import { Segmented } from "../design/field.tsx";
import { EmptyState } from "../design/states.tsx";
import { Timeline } from "../design/timeline.tsx";
import { mergeBars } from "../design/timeline-scale.ts";
import { RECORDING, TIMELINE } from "../text/recordings.ts";
import { byName, clockTimeSeconds, stopwatch } from "../text/format.ts";
import { gapWords } from "../text/terms.ts";
import { RECORDING_TILE, wallShape } from "./facts.ts";
import { useLoudness } from "./loudness.ts";
import type { Master } from "./master.ts";
import { barsOf, frameMs, type Lane, lanesOf, playables, segmentsIn, wholeOf } from "./playback.ts";
import { RecordingVideo } from "./recording-video.tsx";
import { latestMark, marksOf, nextMark } from "./session-marks.ts";

/** More decoders than this at once make an ordinary office PC stutter. */
const SHOWN_MOST = 9;
const RATES = [0.5, 1, 1.5, 2];

const centralFirst = (a: Lane, b: Lane): number =>
  Number(b.role === "central") - Number(a.role === "central") || byName(a.name, b.name);

/** Pictures of the rooms in step, the controls, and the timeline under them. */
export function RecordingPlayer({ view, master }: { view: RecordingOverview; master: Master }) {
  const rooms = useMemo(() => lanesOf(view.rooms, RECORDING.screenOf).sort(centralFirst), [view.rooms]);
  const ready = rooms.filter(({ playlist }) => playlist !== null);
  const heard = useSignal<string | null>(ready[0]?.id ?? null);
  const shown = useSignal<string[]>(ready.slice(0, SHOWN_MOST).map(({ id }) => id));
  const whole = useMemo(() => wholeOf(rooms), [rooms]);
  // Rooms whose first segment came in after the page was opened.
  useEffect(() => {
    heard.value ??= ready[0]?.id ?? null;
    if (shown.value.length === 0) shown.value = ready.slice(0, SHOWN_MOST).map(({ id }) => id);
  }, [ready.length]);

  const hear = (id: string) => {
    if (!ready.some((lane) => lane.id === id)) return;
    heard.value = id;
    // The one least worth seeing makes room: the last that is not heard.
    if (!shown.value.includes(id)) shown.value = [...shown.value.slice(0, SHOWN_MOST - 1), id];
  };
  const seek = (at: number) => master.seek(Math.min(Math.max(at, whole.from), whole.to - 1));
  const frame = () => {
    const room = rooms.find(({ id }) => id === heard.value);
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

  const marks = useMemo(() => marksOf(view.events), [view.events]);
  const toMark = (direction: 1 | -1) => {
    const at = nextMark(marks, master.at.peek(), direction);
    if (at !== undefined) seek(at);
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
        ArrowLeft: () => (event.shiftKey ? toMark(-1) : seek(master.at.peek() - 1_000)),
        ArrowRight: () => (event.shiftKey ? toMark(1) : seek(master.at.peek() + 1_000)),
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
  }, [whole.from, whole.to, rooms, marks]);

  const sounds = useLoudness(
    view.session.id,
    ready.filter(({ id }) => shown.value.includes(id)),
  );
  const stretches = useMemo(() => new Map(rooms.map((room) => [room.id, playables(room)])), [rooms]);
  const soundOf = (id: string) => {
    const of = sounds.get(id);
    return of && { of, stretches: stretches.get(id) ?? [] };
  };
  const rows = useMemo(
    () =>
      rooms.map((room) => ({
        sound: soundOf(room.id),
        id: room.id,
        name: room.name,
        note: TIMELINE.rowSummary(segmentsIn(room.spans), room.gaps.length, room.hubCopies.length),
        bars: mergeBars(barsOf(room)),
        gaps: room.gaps.map(({ from, to, cause }) => ({
          from: Date.parse(from),
          to: Date.parse(to),
          words: gapWords(cause, room.track),
        })),
      })),
    [rooms, sounds],
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
        onChoose={hear}
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

function TimelineAt({
  master,
  ...props
}: Omit<Parameters<typeof Timeline>[0], "cursor" | "latest"> & { master: Master }) {
  const at = master.at.value;
  return <Timeline {...props} cursor={at} latest={latestMark(props.marks, at)?.words} />;
}

interface VideosProps {
  rooms: Lane[];
  shown: string[];
  heard: string | null;
  master: Master;
  onHear: (id: string) => void;
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
  const visible = rooms.filter(({ id }) => shown.includes(id));
  const shape = wallShape(space.value.width, space.value.height, visible.length, RECORDING_TILE);
  return (
    <div ref={frame}>
      <ul class="wall" style={{ gridTemplateColumns: `repeat(${shape.columns}, ${shape.tilePx}px)` }}>
        {visible.map((room) => (
          <RecordingVideo
            key={room.id}
            room={room}
            playlist={room.playlist!}
            master={master}
            heard={room.id === heard}
            onHear={() => onHear(room.id)}
          />
        ))}
      </ul>
    </div>
  );
}
