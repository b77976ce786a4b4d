import { Maximize2, ZoomIn, ZoomOut } from "lucide-preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { TIMELINE } from "../text/recordings.ts";
import { TIMELINE_LOG } from "../text/timeline.ts";
import { clockTime, clockTimeSeconds, duration } from "../text/format.ts";
import { IconButton } from "./button.tsx";
import { TimelineMarks, type TimelineMark } from "./timeline-marks.tsx";
import { type Bar, follow, pan, position, type Span, ticks, zoom } from "./timeline-scale.ts";
import { Waveform } from "./waveform-canvas.tsx";
import type { Sound, Stretch } from "./waveform.ts";

export interface TimelineGap extends Span {
  words: string;
}
export interface TimelineRow {
  id: string;
  name: string;
  /** Said beside the name and by screen readers: how much there is and what is missing. */
  note: string;
  bars: Bar[];
  gaps: TimelineGap[];
  /** How loud it is there, as far as that is known, and where the stretches are that can be heard. */
  sound?: { of: Sound; stretches: readonly Stretch[] } | undefined;
}
interface Props {
  rows: TimelineRow[];
  whole: Span;
  cursor: number;
  onSeek: (at: number) => void;
  /** Things that happened to the whole session, drawn on top. */
  marks: readonly TimelineMark[];
  /** What happened last before the cursor, in words. */
  latest: string | undefined;
  /** The row whose sound is heard. */
  chosen: string | null;
  onChoose: (id: string) => void;
}

const ZOOM_STEP = 0.6;
/** A longer name takes two small lines: its end is what tells rooms apart. */
const LONG_NAME = 30;
const percent = (share: number): string => `${share * 100}%`;
const place = (view: Span, span: Span) => {
  const from = Math.max(position(view, span.from), 0);
  return { left: percent(from), width: percent(Math.min(position(view, span.to), 1) - from) };
};
const inView = (view: Span, span: Span): boolean => span.to > view.from && span.from < view.to;

/** Rooms as rows on one axis of time. The list of gaps beside it says the same in words. */
export function Timeline(props: Props) {
  const { whole, rows } = props;
  const [view, setView] = useState<Span>(whole);
  const tracks = useRef<HTMLDivElement>(null);
  const dragging = useRef(false);

  // A session that is still recorded grows: a view of the whole stays a view of the whole.
  const seen = useRef(whole);
  useEffect(() => {
    const before = seen.current;
    seen.current = whole;
    setView((now) => (now.from === before.from && now.to === before.to ? whole : now));
  }, [whole.from, whole.to]);
  useEffect(() => setView((now) => follow(now, whole, props.cursor)), [props.cursor]);

  const zoomBy = (factor: number, at = props.cursor) => setView((now) => zoom(now, whole, factor, at));
  const instantAt = (clientX: number): number => {
    const box = tracks.current!.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (clientX - box.left) / box.width));
    return view.from + share * (view.to - view.from);
  };

  // A listener of our own: the page must not scroll while the wheel zooms, and Preact's would be passive.
  useEffect(() => {
    const element = tracks.current;
    if (!element) return undefined;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const box = element.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      setView((now) => {
        const length = now.to - now.from;
        if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
          return pan(now, whole, ((event.deltaX || event.deltaY) / box.width) * length);
        return zoom(now, whole, event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, now.from + share * length);
      });
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [whole.from, whole.to]);

  const onKeyDown = (event: KeyboardEvent) => {
    // Seconds, ends and larger steps are the slider's own; its keys are not the page's.
    event.stopPropagation();
    const acts: Record<string, () => void> = {
      "+": () => zoomBy(ZOOM_STEP),
      "=": () => zoomBy(ZOOM_STEP),
      "-": () => zoomBy(1 / ZOOM_STEP),
      "0": () => setView(whole),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };

  const axis = ticks(view, 9);
  const label = axis.stepMs < 60_000 ? clockTimeSeconds : clockTime;
  const zoomed = view.from !== whole.from || view.to !== whole.to;
  return (
    <div class="timeline">
      <div class="timeline-frame">
        <div class="timeline-names">
          <div class="timeline-tools">
            <IconButton
              icon={ZoomOut}
              label={TIMELINE.zoomOut}
              disabled={!zoomed}
              onPress={() => zoomBy(1 / ZOOM_STEP)}
            />
            <IconButton icon={ZoomIn} label={TIMELINE.zoomIn} onPress={() => zoomBy(ZOOM_STEP)} />
            <IconButton icon={Maximize2} label={TIMELINE.zoomAll} disabled={!zoomed} onPress={() => setView(whole)} />
          </div>
          <p class="timeline-marks-name" aria-hidden="true">
            {TIMELINE_LOG.name}
          </p>
          <ul aria-label={TIMELINE.label(rows.length)}>
            {rows.map((row) => (
              <li key={row.id}>
                <button type="button" aria-pressed={row.id === props.chosen} onClick={() => props.onChoose(row.id)}>
                  <span class={`timeline-name${row.name.length > LONG_NAME ? " long" : ""}`}>{row.name}</span>
                  <span class="aside">{row.note}</span>
                </button>
              </li>
            ))}
          </ul>
        </div>
        <div
          class="timeline-tracks"
          ref={tracks}
          onPointerDown={(event) => {
            if (event.button !== 0) return;
            dragging.current = true;
            tracks.current!.setPointerCapture(event.pointerId);
            props.onSeek(instantAt(event.clientX));
          }}
          onPointerMove={(event) => dragging.current && props.onSeek(instantAt(event.clientX))}
          onPointerUp={() => {
            dragging.current = false;
          }}
          onPointerCancel={() => {
            dragging.current = false;
          }}
        >
          <div class="timeline-axis" aria-hidden="true">
            {axis.at.map((at) => (
              <span key={at} style={{ left: percent(position(view, at)) }}>
                {label(at)}
              </span>
            ))}
          </div>
          <TimelineMarks marks={props.marks} view={view} label={TIMELINE_LOG.label} onSeek={props.onSeek} />
          {rows.map((row) => (
            <div
              key={row.id}
              class={`timeline-row${row.id === props.chosen ? " timeline-chosen" : ""}`}
              aria-hidden="true"
            >
              {row.sound && <Waveform sound={row.sound.of} stretches={row.sound.stretches} view={view} />}
              {row.bars
                .filter((bar) => inView(view, bar))
                .map((bar) => (
                  <i key={bar.from} class={`bar bar-${bar.state}`} style={place(view, bar)} />
                ))}
              {row.gaps
                .filter((gap) => inView(view, gap))
                .map((gap) => (
                  <i
                    key={`${gap.from}${gap.words}`}
                    class="bar bar-gap"
                    style={place(view, gap)}
                    title={`${gap.words}, ${duration(gap.to - gap.from)}`}
                  >
                    {gap.words}
                  </i>
                ))}
            </div>
          ))}
          <input
            class="timeline-slider"
            type="range"
            min={0}
            max={Math.round((whole.to - whole.from) / 1_000)}
            step={1}
            value={Math.round((props.cursor - whole.from) / 1_000)}
            aria-label={TIMELINE.cursor}
            aria-valuetext={TIMELINE.cursorAt(clockTimeSeconds(props.cursor), duration(props.cursor - whole.from))}
            onInput={(event) => props.onSeek(whole.from + Number(event.currentTarget.value) * 1_000)}
            onKeyDown={onKeyDown}
          />
          <i
            class="timeline-cursor"
            aria-hidden="true"
            style={{ left: percent(Math.min(1, Math.max(0, position(view, props.cursor)))) }}
          />
        </div>
      </div>
      <p class="timeline-latest">
        <b>{TIMELINE_LOG.latest}</b> {props.latest ?? TIMELINE_LOG.none}
      </p>
      <p class="hint">
        {TIMELINE.hint} {TIMELINE_LOG.hint}
      </p>
      <ul class="timeline-legend" aria-label={TIMELINE.legend}>
        {(["province", "hub", "waiting", "refused", "hubCopy", "gap"] as const).map((state) => (
          <li key={state}>
            <i class={`bar bar-${state}`} aria-hidden="true" />
            {TIMELINE[state]}
          </li>
        ))}
        {(["mark", "break", "trouble", "act"] as const).map((kind) => (
          <li key={kind}>
            <i class={`timeline-mark timeline-mark-${kind}`} aria-hidden="true" />
            {TIMELINE_LOG.kinds[kind]}
          </li>
        ))}
      </ul>
    </div>
  );
}
