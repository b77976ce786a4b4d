import { useRef, useState } from "preact/hooks";
import { position, type Span } from "./timeline-scale.ts";

/**
 * Something that happened to the whole session. `mark`: somebody wanted to find this place again. `break`: it was
 * interrupted or paused, until `to`. `trouble`: something went wrong in a room. `act`: all else.
 */
export interface TimelineMark {
  at: number;
  to?: number;
  kind: "mark" | "break" | "trouble" | "act";
  /** Name of a mark, drawn where there is room for it. */
  label?: string;
  /** All of it in one line: time, what, where, who. */
  words: string;
}

interface Props {
  marks: readonly TimelineMark[];
  view: Span;
  label: string;
  onSeek: (at: number) => void;
}

/** A name is drawn if the next mark is at least this share of the view away. */
const LABEL_SHARE = 0.07;
const percent = (share: number): string => `${share * 100}%`;

/** One stop of the tabulator; the arrow keys go from mark to mark, Enter goes there. */
export function TimelineMarks({ marks, view, label, onSeek }: Props) {
  const row = useRef<HTMLDivElement>(null);
  const [reached, setReached] = useState(0);
  const shown = marks.map((mark, index) => ({ mark, index })).filter(({ mark }) => touches(mark, view));
  if (marks.length === 0) return <div class="timeline-marks" />;
  const stop = shown.some(({ index }) => index === reached) ? reached : (shown[0]?.index ?? 0);
  const onKeyDown = (event: KeyboardEvent) => {
    const at = shown.findIndex(({ index }) => index === stop);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: shown.length - 1 }[event.key];
    // Its arrows are not the page's.
    if (to !== undefined || event.key === " ") event.stopPropagation();
    if (to === undefined) return;
    event.preventDefault();
    const next = shown[Math.min(Math.max(to, 0), shown.length - 1)];
    if (!next) return;
    setReached(next.index);
    row.current?.querySelector<HTMLElement>(`[data-index="${next.index}"]`)?.focus();
  };
  const named = shown.filter(({ mark }) => mark.label !== undefined);
  return (
    <div class="timeline-marks" role="toolbar" aria-label={label} tabIndex={-1} ref={row} onKeyDown={onKeyDown}>
      {shown.map(({ mark, index }) => {
        const from = Math.max(0, position(view, mark.at));
        const after = named.find((other) => other.mark.at > mark.at);
        const roomy = !after || position(view, after.mark.at) - from > LABEL_SHARE;
        return (
          <button
            key={index}
            type="button"
            data-index={index}
            tabIndex={index === stop ? 0 : -1}
            class={`timeline-mark timeline-mark-${mark.kind}`}
            aria-label={mark.words}
            title={mark.words}
            style={{
              left: percent(from),
              ...(mark.to !== undefined && { width: percent(Math.min(1, position(view, mark.to)) - from) }),
              ...(mark.label !== undefined && after && { maxWidth: percent(position(view, after.mark.at) - from) }),
            }}
            // The tracks below would take the pointer for themselves.
            onPointerDown={(event) => event.stopPropagation()}
            onFocus={() => setReached(index)}
            onClick={() => onSeek(mark.at)}
          >
            {roomy && mark.label}
          </button>
        );
      })}
    </div>
  );
}

const touches = ({ at, to = at }: TimelineMark, view: Span): boolean => to >= view.from && at <= view.to;
