import type { Clock } from "./clock.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Record<string, string | number | boolean | null | undefined>;

/** One line of JSON per event on standard error; the journal or a file keeps it. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** The same log with fields added to every line. */
  with(fields: LogFields): Log;
}

const REPEAT_WINDOW_MS = 1_000;
/** Of a flood that does not end: a day of it is a thousand lines and not a hundred thousand. */
const FLOOD_WINDOW_MS = 60_000;
/** Events and reasons are closed lists; this is for one that is not. */
const MAX_KINDS = 1_000;

/**
 * A warn or error event (of one `reason`, where it has one) that repeats within a second is counted, not printed; the next
 * line of it carries `repeated`. While it goes on so, each next line is twice as far away, up to a minute. A fuzzer or a
 * dead line cannot fill a disk.
 */
export function createLog(
  clock: Pick<Clock, "wallMs" | "monotonicMs">,
  write: (line: string) => void = (line) => process.stderr.write(line),
  minimum: LogLevel = "info",
): Log {
  const order: LogLevel[] = ["debug", "info", "warn", "error"];
  const seen = new Map<string, { untilMs: number; windowMs: number; repeated: number }>();
  const make = (bound: LogFields): Log => {
    const emit = (level: LogLevel, event: string, fields: LogFields = {}) => {
      if (order.indexOf(level) < order.indexOf(minimum)) return;
      let repeated: number | undefined;
      if (level === "warn" || level === "error") {
        const now = clock.monotonicMs();
        // Refusals share an event and differ in their reason: a flood of one kind must not hide another.
        const key = typeof fields["reason"] === "string" ? `${event} ${fields["reason"]}` : event;
        const last = seen.get(key);
        if (last && now < last.untilMs) {
          last.repeated++;
          return;
        }
        repeated = last?.repeated || undefined;
        if (seen.size >= MAX_KINDS) seen.clear();
        const goesOn = last && repeated && now < last.untilMs + last.windowMs;
        const windowMs = goesOn ? Math.min(last.windowMs * 2, FLOOD_WINDOW_MS) : REPEAT_WINDOW_MS;
        seen.set(key, { untilMs: now + windowMs, windowMs, repeated: 0 });
      }
      const at = new Date(clock.wallMs()).toISOString();
      write(`${JSON.stringify({ at, level, event, ...bound, ...fields, repeated })}\n`);
    };
    return {
      debug: (event, fields) => emit("debug", event, fields),
      info: (event, fields) => emit("info", event, fields),
      warn: (event, fields) => emit("warn", event, fields),
      error: (event, fields) => emit("error", event, fields),
      with: (fields) => make({ ...bound, ...fields }),
    };
  };
  return make({});
}

/** The message of anything thrown, with its causes. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${causeOf(error.cause)}`;
}
