import type { SessionEventView } from "../../hub/http/views.ts";
import { EVENT_BY_SYSTEM, EVENT_WORDS, SESSION, UNKNOWN_CAUSE } from "../text/desk.ts";
import { clockTimeSeconds, sameDay, shortDate } from "../text/format.ts";
import { alarmTitle } from "../text/terms.ts";

/** The session's log, newest first: what, where, who. */
export function EventLog({ events }: { events: SessionEventView[] }) {
  if (events.length === 0) return <p class="soft">{SESSION.noEvents}</p>;
  const first = events[0]!.at;
  const oneDay = events.every(({ at }) => sameDay(at, first));
  return (
    <ol class="log">
      {[...events].reverse().map((event) => (
        <li key={`${event.at}${event.kind}${event.point?.id ?? ""}${event.cause ?? ""}`} class={`log-${event.kind}`}>
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
            <span class="soft">{event.actor ?? EVENT_BY_SYSTEM}</span>
          </span>
        </li>
      ))}
    </ol>
  );
}
