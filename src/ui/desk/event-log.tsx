import type { SessionEventView } from "../../hub/http/views.ts";
import { RECORDING } from "../text/recordings.ts";
import { EVENT_BY_SYSTEM, EVENT_WORDS, eventDetail, SESSION, UNKNOWN_CAUSE } from "../text/sessions.ts";
import { isInRecording } from "./session-marks.ts";
import { useDesk } from "./store.ts";
import { clockTimeSeconds, sameDay, shortDate } from "../text/format.ts";
import { alarmTitle } from "../text/terms.ts";

interface Props {
  events: SessionEventView[];
  /** Where there is a recording of it: shows that moment. */
  onSeek?: (at: number) => void;
}

/** The session's log, newest first: what, where, who. */
export function EventLog({ events, onSeek }: Props) {
  const { now } = useDesk();
  if (events.length === 0) return <p class="soft">{SESSION.noEvents}</p>;
  const first = events[0]!.at;
  // A recording says its day by itself.
  const oneDay = events.every(({ at }) => sameDay(at, onSeek ? first : now.peek()));
  return (
    <ol class="log">
      {[...events].reverse().map((event) => (
        <li
          key={[event.at, event.kind, event.point?.id, event.cause, event.detail?.test?.minutesBefore].join(" ")}
          class={`log-${event.kind}`}
        >
          <time dateTime={event.at}>
            {clockTimeSeconds(event.at)}
            {!oneDay && <small> {shortDate(event.at)}</small>}
          </time>
          <span>
            <b>
              {EVENT_WORDS[event.kind]}
              {event.point && `: ${event.point.name}`}
            </b>{" "}
            {event.cause !== undefined && <>{alarmTitle(event.cause) ?? UNKNOWN_CAUSE} </>}
            {event.detail && <>{eventDetail(event.detail)} </>}
            <span class="soft">{event.actor ?? EVENT_BY_SYSTEM}</span>
          </span>
          {onSeek && isInRecording(event) && (
            <button
              type="button"
              class="link"
              aria-label={`${RECORDING.seek} ${clockTimeSeconds(event.at)}`}
              onClick={() => onSeek(Date.parse(event.at))}
            >
              {RECORDING.seek}
            </button>
          )}
        </li>
      ))}
    </ol>
  );
}
