import type { SessionId, Stage } from "../../protocol/protocol.ts";
import { causeOf, type Clock, type Log } from "../../platform/platform.ts";
import type { DeskEvents, HubDiskView, LevelsView, RecordingSummaryView, RoomView, SessionView } from "./views.ts";

/** What happened within this time becomes one event per room, session and recording. */
const THROTTLE_MS = 200;
const HEARTBEAT_MS = 15_000;
/** A reader that has this many different things outstanding gets one snapshot instead. */
const OUTSTANDING_MAX = 256;

export interface EventSources {
  rooms(): Promise<RoomView[]>;
  sessions(): Promise<SessionView[]>;
  session(id: SessionId): Promise<SessionView | undefined>;
  stages(): Stage[];
  stage(id: SessionId): Stage | undefined;
  recording(id: SessionId): Promise<RecordingSummaryView | undefined>;
  waitingBoxes(): number;
  hubDisk(): HubDiskView;
}

export interface DeskEventStream {
  /** Something about some room changed; what did is found by comparison. */
  roomsChanged(): void;
  sessionChanged(id: SessionId): void;
  stageChanged(id: SessionId): void;
  /** Said as it comes: five times a second. */
  levels(levels: LevelsView): void;
  recordingChanged(id: SessionId): void;
  waitingBoxesChanged(): void;
  hubDiskChanged(): void;
  /** One reader's stream: a snapshot, then changes. Ends when `allowed` says no, asked every 15 s. */
  open(allowed: () => Promise<boolean>): ReadableStream<Uint8Array>;
  close(): void;
}

interface Reader {
  /** By what it is about: a newer statement takes the place of an older one that was not read yet. */
  outstanding: Map<string, string>;
  needsSnapshot: boolean;
  wake: () => void;
}

/**
 * INVARIANTS
 * - Every event is a full statement about one thing, so a lost or repeated one does no harm.
 * - A reader costs at most OUTSTANDING_MAX texts, which readers share; a slow one delays nobody.
 * - A reader is among `readers` before its snapshot is taken, so no change falls between the two.
 */
export function createEventStream({
  clock,
  log,
  sources,
}: {
  clock: Clock;
  log: Log;
  sources: EventSources;
}): DeskEventStream {
  const readers = new Set<Reader>();
  const stopping = new AbortController();
  const lastRoom = new Map<string, string>();
  const dirty = {
    rooms: false,
    waitingBoxes: false,
    hubDisk: false,
    sessions: new Set<SessionId>(),
    stages: new Set<SessionId>(),
    recordings: new Set<SessionId>(),
    planned: false,
  };

  const tell = <K extends keyof DeskEvents>(event: K, about: string, data: DeskEvents[K]) => {
    const text = encodeEvent(event, data);
    for (const reader of readers) {
      reader.outstanding.set(`${event} ${about}`, text);
      if (reader.outstanding.size > OUTSTANDING_MAX) {
        reader.outstanding.clear();
        reader.needsSnapshot = true;
      }
      reader.wake();
    }
  };

  async function flush(): Promise<void> {
    const { rooms, waitingBoxes, hubDisk } = dirty;
    const sessions = [...dirty.sessions];
    const stages = [...dirty.stages];
    const recordings = [...dirty.recordings];
    dirty.planned = dirty.rooms = dirty.waitingBoxes = dirty.hubDisk = false;
    dirty.sessions.clear();
    dirty.stages.clear();
    dirty.recordings.clear();
    // Whoever comes later begins with a snapshot.
    if (readers.size === 0) return;
    if (rooms)
      for (const room of await sources.rooms()) {
        // While a room is connected the time it was seen is always now, and no news.
        const text = JSON.stringify(room.connected ? { ...room, seenAt: null } : room);
        if (lastRoom.get(room.point.id) === text) continue;
        lastRoom.set(room.point.id, text);
        tell("room", room.point.id, room);
      }
    for (const id of sessions) {
      const session = await sources.session(id);
      if (session) tell("session", id, session);
    }
    for (const id of stages) {
      const stage = sources.stage(id);
      if (stage) tell("stage", id, stage);
    }
    for (const id of recordings) {
      const summary = await sources.recording(id);
      if (summary) tell("recording", id, summary);
    }
    if (waitingBoxes) tell("waitingBoxes", "", { count: sources.waitingBoxes() });
    if (hubDisk) tell("hubDisk", "", sources.hubDisk());
  }

  function plan(): void {
    if (dirty.planned || stopping.signal.aborted) return;
    dirty.planned = true;
    clock
      .sleep(THROTTLE_MS, stopping.signal)
      .then(flush)
      .catch((error: unknown) => {
        if (stopping.signal.aborted) return;
        log.error("events.failed", { cause: causeOf(error) });
        // What could not be told is told whole.
        for (const reader of readers) {
          reader.needsSnapshot = true;
          reader.wake();
        }
      });
  }

  async function snapshot(): Promise<string> {
    const [rooms, sessions] = await Promise.all([sources.rooms(), sources.sessions()]);
    return encodeEvent("snapshot", {
      rooms,
      sessions,
      stages: sources.stages(),
      waitingBoxes: sources.waitingBoxes(),
      hubDisk: sources.hubDisk(),
    });
  }

  /** The next text for this reader, or undefined where nothing came up for a heartbeat's time. */
  async function next(reader: Reader): Promise<string | undefined> {
    if (!reader.needsSnapshot && reader.outstanding.size === 0) {
      const waiting = new AbortController();
      reader.wake = () => waiting.abort();
      await clock.sleep(HEARTBEAT_MS, AbortSignal.any([waiting.signal, stopping.signal])).catch(() => {});
      reader.wake = () => {};
    }
    if (reader.needsSnapshot) {
      reader.needsSnapshot = false;
      reader.outstanding.clear();
      return snapshot();
    }
    if (reader.outstanding.size === 0) return undefined;
    const text = [...reader.outstanding.values()].join("");
    reader.outstanding.clear();
    return text;
  }

  return {
    roomsChanged() {
      dirty.rooms = true;
      plan();
    },
    sessionChanged(id) {
      dirty.sessions.add(id);
      dirty.rooms = true;
      plan();
    },
    levels: (levels) => tell("levels", "", levels),
    stageChanged(id) {
      dirty.stages.add(id);
      plan();
    },
    recordingChanged(id) {
      dirty.recordings.add(id);
      dirty.rooms = true;
      plan();
    },
    waitingBoxesChanged() {
      dirty.waitingBoxes = true;
      plan();
    },
    hubDiskChanged() {
      dirty.hubDisk = true;
      plan();
    },
    open(allowed) {
      const reader: Reader = { outstanding: new Map(), needsSnapshot: true, wake: () => {} };
      const encoder = new TextEncoder();
      let askedMs = clock.monotonicMs();
      readers.add(reader);
      return new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            const end = () => {
              if (readers.delete(reader)) controller.close();
            };
            try {
              const text = await next(reader);
              if (!readers.has(reader)) return;
              if (stopping.signal.aborted) return end();
              if (clock.monotonicMs() - askedMs >= HEARTBEAT_MS) {
                askedMs = clock.monotonicMs();
                if (!(await allowed())) return end();
                if (!readers.has(reader)) return;
              }
              controller.enqueue(encoder.encode(text ?? ": still here\n\n"));
            } catch (error) {
              log.error("events.failed", { cause: causeOf(error) });
              end();
            }
          },
          cancel() {
            readers.delete(reader);
            reader.wake();
          },
        },
        { highWaterMark: 0 },
      );
    },
    close() {
      stopping.abort(new Error("the hub is stopping"));
    },
  };
}

/** `text/event-stream` (WHATWG HTML, 9.2); JSON holds no line feed, so one data line is enough. */
const encodeEvent = <K extends keyof DeskEvents>(event: K, data: DeskEvents[K]): string =>
  `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
