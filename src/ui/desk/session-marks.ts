import type { SessionEventView } from "../../hub/http/views.ts";
import type { TimelineMark } from "../design/timeline-marks.tsx";
import { EVENT_WORDS, eventDetail, EVENT_BY_SYSTEM, UNKNOWN_CAUSE } from "../text/sessions.ts";
import { clockTimeSeconds } from "../text/format.ts";
import { alarmTitle } from "../text/terms.ts";

/** What ends what: a break lasts until then, or until the session ends. */
const ENDS = { interrupted: "interruptionEnded", paused: "resumed" } as const;
type Break = keyof typeof ENDS;

const kindOf = (kind: SessionEventView["kind"]): TimelineMark["kind"] => {
  if (kind === "marked") return "mark";
  if (kind in ENDS) return "break";
  return kind === "roomLost" || kind === "alarmRaised" ? "trouble" : "act";
};

const wordsOf = ({ at, kind, point, cause, detail, actor }: SessionEventView): string =>
  [
    `${clockTimeSeconds(at)} ${EVENT_WORDS[kind]}${point ? `: ${point.name}` : ""}`,
    cause === undefined ? "" : (alarmTitle(cause) ?? UNKNOWN_CAUSE),
    detail ? eventDetail(detail) : "",
    actor ?? EVENT_BY_SYSTEM,
  ]
    .filter(Boolean)
    .join(", ");

const PREPARING: ReadonlySet<SessionEventView["kind"]> = new Set(["created", "tested", "testMissed"]);
/** Whether it can be looked for in a recording: what was done before the session is in none. */
export const isInRecording = ({ kind }: Pick<SessionEventView, "kind">): boolean => !PREPARING.has(kind);

/** The session's log on the axis of time, oldest first. */
export function marksOf(events: readonly SessionEventView[]): TimelineMark[] {
  const after = (index: number, kind: Break) =>
    events.slice(index + 1).find((event) => event.kind === ENDS[kind] || event.kind === "ended")?.at;
  return events.flatMap((event, index) => {
    if (!isInRecording(event)) return [];
    const kind = kindOf(event.kind);
    const end = kind === "break" ? after(index, event.kind as Break) : undefined;
    const label = event.kind === "marked" ? event.detail?.text : undefined;
    const mark: TimelineMark = {
      ...{ at: Date.parse(event.at), kind, words: wordsOf(event) },
      ...(end !== undefined && { to: Date.parse(end) }),
      ...(label !== undefined && { label }),
    };
    return [mark];
  });
}

/** Closer than this to a mark, going back means the one before it. */
const HERE_MS = 1_500;

/** The mark, break or trouble before or after an instant: what somebody looks for. */
export function nextMark(marks: readonly TimelineMark[], at: number, direction: 1 | -1): number | undefined {
  const places = marks.filter(({ kind }) => kind !== "act").map((mark) => mark.at);
  return direction > 0
    ? places.filter((place) => place > at + 1).sort((a, b) => a - b)[0]
    : places.filter((place) => place < at - HERE_MS).sort((a, b) => b - a)[0];
}

/** What happened last before this instant. */
export const latestMark = (marks: readonly TimelineMark[], at: number): TimelineMark | undefined =>
  marks
    .filter((mark) => mark.at <= at + 1)
    .reduce<TimelineMark | undefined>((last, mark) => (!last || mark.at >= last.at ? mark : last), undefined);
