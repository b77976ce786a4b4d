import {
  audibleTo,
  EMPTY_FLOOR,
  followSpeech,
  isSpeaking,
  type BoxId,
  type Floor,
  type HubMessage,
  type LiveKind,
  type PointId,
  type PointRole,
  type SessionId,
  type Stage,
  type StageNote,
  type StageWatcher,
} from "../../protocol/protocol.ts";
import { causeOf, isoUtc, runForever, type Clock, type Log } from "../../platform/platform.ts";
import type { HubDatabase } from "../database/database.ts";
import type { ErrorView, LevelsView } from "../http/views.ts";
import type { RunningRoom } from "../reception/reception.ts";
import { Audience, type Viewer, type Watching } from "./audience.ts";
import { judgeLayout, OPEN_SEAT, planSeat, words, type StageCore, type LayoutWish, type SeatAct } from "./acts.ts";
import { createKeptStages, type StageLine } from "./kept.ts";
import { Telling } from "./telling.ts";

export { StageRoomAct, stageText } from "./acts.ts";
export type { Viewer, Watching } from "./audience.ts";

export type StageOutcome =
  | { ok: true; stage: Stage }
  | {
      ok: false;
      code: "notFound" | "wrongState" | "badRequest" | "stageConflict";
      detail: string;
      by?: NonNullable<ErrorView["by"]>;
    };

export interface StageOptions {
  db: HubDatabase;
  clock: Clock;
  log: Log;
  /** Rooms of running sessions. */
  running(): Promise<RunningRoom[]>;
  /** By name. */
  rooms(): Promise<{ point: { id: PointId; name: string }; box: BoxId | null; connected: boolean }[]>;
  publishing(box: BoxId): LiveKind[];
  send(box: BoxId, message: HubMessage): boolean;
  /** Boxes whose sound nobody but their own rooms may hear now: all others may be heard. */
  silence(boxes: ReadonlySet<BoxId>): void;
}

/** The stages of all running sessions. */
export interface Stages {
  stage(session: SessionId): Stage | undefined;
  all(): Stage[];
  setLayout(session: SessionId, wish: LayoutWish, actor: string): Promise<StageOutcome>;
  act(session: SessionId, point: PointId, act: SeatAct, actor: string | null): Promise<StageOutcome>;
  interrupt(session: SessionId, reason: string, actor: string): Promise<StageOutcome>;
  endInterruption(session: SessionId, actor: string): Promise<StageOutcome>;
  /** A place in the recording that somebody wants to find again. */
  mark(session: SessionId, label: string, actor: string): Promise<StageOutcome>;
  /** Sessions, boxes or their links have changed: looks again, once for many calls. */
  refresh(): Promise<void>;
  /** What arrives live from this box has changed. */
  liveChanged(box: BoxId): void;
  /** A new control channel stands: the box knows of nothing yet. */
  connected(box: BoxId): void;
  /** Somebody in the room has raised a hand, or taken it down. */
  hand(box: BoxId, session: SessionId, raised: boolean): void;
  /** What the room's microphone hears. */
  level(box: BoxId, level: Level): void;
  /** Asked before anything live is sent to a viewer; undefined: not to this one. `end` when it is over. */
  admit(viewer: Viewer, box: BoxId, kind: LiveKind, end: () => void): Watching | undefined;
  /** After the change is in force; `logged` where it is in the session's log too. */
  onChange(listener: (session: SessionId, logged: boolean) => void): () => void;
  /** Five times a second while rooms of running sessions are heard. */
  onLevels(listener: (levels: LevelsView) => void): () => void;
  /** Follows who speaks. */
  run(signal: AbortSignal): Promise<void>;
}

interface Level {
  lufs: number | null;
  speech: boolean;
}

/** Turning a knob is one act; each position it passes is not. */
const ONE_GAIN_MS = 5_000;
/** Boxes are told at once of the first change and then of all that came within this time. */
const TELL_EVERY_MS = 100;
/** Boxes say this often how loud it is. */
const LISTEN_EVERY_MS = 200;

interface Member {
  point: { id: PointId; name: string };
  role: PointRole;
  box: BoxId | null;
  connected: boolean;
}

interface Entry {
  core: StageCore;
  /** As the stage orders them. */
  members: Member[];
  paused: StageNote | null;
  floor: Floor;
  watchers: StageWatcher[];
  /** Said by the rooms since they were listened to last. */
  levels: Map<PointId, Level>;
  /** All of this, as everybody is told. */
  view: Stage;
  lastGain: { point: PointId; actor: string | null; atMs: number; event: number } | undefined;
}

/**
 * INVARIANTS
 * - What people decided and its line in the log are in the database, in one transaction, before anybody is told of it: a
 *   killed hub restarts with all or none of it.
 * - Acts and looks are done one after the other; a revision is given once.
 * - A box is told of the stage of its own room only, and of none when its session is over.
 * - What a viewer may have follows a change in the turn in which it comes into force.
 */
export function createStages({ db, clock, log, ...sources }: StageOptions): Stages {
  const entries = new Map<SessionId, Entry>();
  const listeners = new Set<(session: SessionId, logged: boolean) => void>();
  const levelListeners = new Set<(levels: LevelsView) => void>();
  const telling = new Telling((box, message) => sources.send(box, message));
  const kept = createKeptStages({ db, clock, log });
  const sessionOf = new Map<BoxId, SessionId>();
  const audience = new Audience({
    clock,
    stageOf(box) {
      const session = sessionOf.get(box);
      return session && entries.get(session)?.view;
    },
    onChange: () => tell(),
  });
  let tail: Promise<unknown> = Promise.resolve();
  let refreshing: Promise<void> | undefined;
  let toldMs = Number.NEGATIVE_INFINITY;
  let isDue = false;

  const now = () => isoUtc(clock.wallMs());
  const nextRevision = (core: StageCore) => Math.max(core.revision + 1, Math.floor(clock.wallMs()));
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = tail.then(work);
    tail = done.catch(() => {});
    return done;
  };

  function compose(session: SessionId, entry: Omit<Entry, "view">): Stage {
    const { core, members, paused, floor, watchers } = entry;
    const nowMs = clock.monotonicMs();
    return {
      session,
      revision: core.revision,
      layout: core.layout,
      speakers: [...floor.speakers],
      rooms: members.map(({ point, role, box, connected }) => ({
        ...{ point, role, box, connected, ...seatOf(core, point.id) },
        live: box === null ? [] : sources.publishing(box),
        speaking: isSpeaking(floor, point.id, nowMs),
      })),
      paused,
      interruption: core.interruption,
      watchers,
    };
  }

  /** Whoever watches is on the stage, too. */
  function noteWatchers(): void {
    for (const [session, entry] of entries) {
      const names = new Map(entry.members.flatMap(({ box, point }) => (box === null ? [] : [[box, point.name]])));
      const watchers = audience.watchers(names);
      if (JSON.stringify(watchers) === JSON.stringify(entry.watchers)) continue;
      entry.watchers = watchers;
      moved(session, entry);
      for (const listener of listeners) listener(session, false);
    }
  }

  function tell(): void {
    if (isDue) return;
    const waitMs = toldMs + TELL_EVERY_MS - clock.monotonicMs();
    if (waitMs <= 0) {
      toldMs = clock.monotonicMs();
      noteWatchers();
      telling.tell(
        [...entries.values()].map(({ view }) => view),
        (box) => audience.deskOf(box),
      );
      return;
    }
    isDue = true;
    void clock.sleep(waitMs).then(() => {
      isDue = false;
      tell();
    });
  }

  /** Something that nobody decided has changed. */
  function moved(session: SessionId, entry: Entry): void {
    entry.core = { ...entry.core, revision: nextRevision(entry.core) };
    entry.view = compose(session, entry);
  }

  /** To be called in the turn in which a view changed. */
  function changed(session: SessionId, logged: boolean): void {
    audience.review();
    sources.silence(
      new Set(
        [...entries.values()].flatMap(({ view }) => {
          const open = new Set(audibleTo(view, null));
          return view.rooms.flatMap(({ box }) => (box !== null && !open.has(box) ? [box] : []));
        }),
      ),
    );
    tell();
    for (const listener of listeners) listener(session, logged);
  }

  /** Decides on the present stage, writes what follows and its line in the log, then tells everybody. */
  function decide(
    session: SessionId,
    plan: (entry: Entry) => StageOutcome | Change | undefined,
    actor: string | null,
  ): Promise<StageOutcome> {
    return inTurn(async () => {
      const entry = entries.get(session);
      if (!entry) return refuse("wrongState", "the session is not running");
      const planned = plan(entry);
      if (planned === undefined) return { ok: true, stage: entry.view };
      if ("ok" in planned) return planned;
      const { core, kind, point, detail } = planned;
      const atMs = clock.monotonicMs();
      const { lastGain } = entry;
      const isSameGain =
        kind === "gainChanged" &&
        lastGain?.point === point &&
        lastGain?.actor === actor &&
        atMs - lastGain.atMs < ONE_GAIN_MS;
      const line = { kind, actor, point, detail };
      const event = await kept.write(session, core, line, isSameGain ? lastGain.event : undefined);
      // Connections and speech may have moved the stage on while it was written.
      const revision = Math.max(core.revision, entry.core.revision + 1);
      const isLaid = core.layout.revision !== entry.core.layout.revision;
      entry.core = { ...core, revision, layout: isLaid ? { ...core.layout, revision } : core.layout };
      entry.view = compose(session, entry);
      entry.lastGain = kind === "gainChanged" && point ? { point, actor, atMs, event } : undefined;
      log.info("stage.changed", { session, kind, point, actor });
      changed(session, true);
      return { ok: true, stage: entry.view };
    });
  }

  async function look(): Promise<void> {
    const [running, rooms] = await Promise.all([sources.running(), sources.rooms()]);
    const bySession = Map.groupBy(running, ({ session }) => session.id);
    const gone = [...entries.keys()].filter((session) => !bySession.has(session));
    telling.look(rooms);
    for (const session of gone) entries.delete(session);
    sessionOf.clear();
    for (const { point, session } of running) {
      const box = rooms.find((room) => room.point.id === point)?.box;
      if (box) sessionOf.set(box, session.id);
    }
    for (const [session, seats] of bySession) {
      const roles = new Map(seats.map(({ point, session }) => [point, session.role]));
      const members: Member[] = rooms
        .filter(({ point }) => roles.has(point.id))
        .map(({ point, box, connected }) => ({ point, box, connected, role: roles.get(point.id)! }))
        .sort((a, b) => Number(b.role === "central") - Number(a.role === "central"));
      const paused = seats[0]!.session.state === "paused" ? await kept.pausedSince(session) : null;
      const known = entries.get(session);
      if (known && JSON.stringify([known.members, known.paused]) === JSON.stringify([members, paused])) continue;
      const core =
        known?.core ??
        (await kept.open(
          session,
          members.map(({ point, role }) => ({ id: point.id, role })),
        ));
      const begun = { floor: EMPTY_FLOOR, watchers: [], levels: new Map(), lastGain: undefined };
      const next = { ...(known ?? begun), core: { ...core, revision: nextRevision(core) }, members, paused };
      entries.set(session, { ...next, view: compose(session, next) });
      changed(session, false);
    }
    // What has ended, and boxes that have changed their point, are nobody's any more.
    audience.review();
    await kept.keepOnly(entries.keys());
    for (const session of gone) changed(session, false);
    tell();
  }

  const actOn: Stages["act"] = (session, point, act, actor) =>
    decide(
      session,
      ({ core, members }) => {
        if (!members.some((member) => member.point.id === point))
          return refuse("notFound", "the room is no part of this session");
        const change = planSeat(seatOf(core, point), act, now(), actor);
        if (!change) return undefined;
        const { seat, kind, detail } = change;
        const seats = { ...core.seats, [point]: seat };
        return { core: { ...core, revision: nextRevision(core), seats }, kind, point, detail };
      },
      actor,
    );

  const memberOf = (box: BoxId) => {
    const session = sessionOf.get(box);
    const entry = session && entries.get(session);
    const point = entry?.members.find((member) => member.box === box)?.point.id;
    return session && entry && point ? { session, entry, point } : undefined;
  };

  /** Follows who speaks, and hands on how loud it is. */
  function listen(): void {
    const nowMs = clock.monotonicMs();
    const heard: LevelsView["rooms"] = [];
    for (const [session, entry] of entries) {
      const { view, levels, floor } = entry;
      for (const [point, level] of levels) heard.push({ point, ...level });
      const open = new Set(audibleTo(view, null));
      const listened = new Set(view.rooms.flatMap(({ point, box }) => (box && open.has(box) ? [point.id] : [])));
      const speech = new Set([...levels].flatMap(([point, level]) => (level.speech ? [point] : [])));
      levels.clear();
      entry.floor = followSpeech(floor, listened, speech, nowMs);
      const isSame =
        entry.floor.speakers === floor.speakers &&
        view.rooms.every(({ point, speaking }) => speaking === isSpeaking(entry.floor, point.id, nowMs));
      if (isSame) continue;
      moved(session, entry);
      changed(session, false);
    }
    if (heard.length > 0) for (const listener of levelListeners) listener({ rooms: heard });
  }

  return {
    stage: (session) => entries.get(session)?.view,
    all: () => [...entries.values()].map(({ view }) => view),
    setLayout: (session, wish, actor) =>
      decide(
        session,
        ({ core, members }) => {
          const { mode, onScreen } = wish;
          const chosen = onScreen.map((id) => members.find(({ point }) => point.id === id)?.point.name);
          if (chosen.includes(undefined) || new Set(onScreen).size < onScreen.length)
            return refuse("badRequest", "a room is on the screen once, and a room of this session");
          const { at, by } = core.layout;
          const judgement = judgeLayout(core.layout, wish);
          if (judgement === "same") return undefined;
          if (judgement === "conflict")
            return { ...refuse("stageConflict", `${by} changed the layout at ${at}`), by: { name: by, at } };
          const revision = nextRevision(core);
          return {
            core: { ...core, revision, layout: { mode, onScreen, by: actor, at: now(), revision } },
            kind: "layoutChanged",
            detail: { mode, onScreen: chosen.map(String) },
          };
        },
        actor,
      ),
    act: actOn,
    interrupt: (session, reason, actor) =>
      decide(
        session,
        ({ core }) => {
          if (core.interruption?.reason === reason) return undefined;
          const interruption = { at: core.interruption?.at ?? now(), reason, by: actor };
          return {
            core: { ...core, revision: nextRevision(core), interruption },
            kind: "interrupted",
            detail: words(reason),
          };
        },
        actor,
      ),
    endInterruption: (session, actor) =>
      decide(
        session,
        ({ core }) =>
          core.interruption
            ? { core: { ...core, revision: nextRevision(core), interruption: null }, kind: "interruptionEnded" }
            : undefined,
        actor,
      ),
    mark: (session, label, actor) =>
      decide(session, ({ core }) => ({ core, kind: "marked", detail: words(label) }), actor),
    refresh() {
      refreshing ??= inTurn(async () => {
        refreshing = undefined;
        await look();
      });
      return refreshing;
    },
    liveChanged(box) {
      const member = memberOf(box);
      if (!member) return;
      moved(member.session, member.entry);
      changed(member.session, false);
    },
    connected(box) {
      telling.forget(box);
      tell();
    },
    hand(box, session, raised) {
      const member = memberOf(box);
      if (member?.session !== session) return;
      actOn(session, member.point, { act: raised ? "raiseHand" : "lowerHand" }, null).catch((error: unknown) =>
        log.error("stage.failed", { box, cause: causeOf(error) }),
      );
    },
    level(box, level) {
      const member = memberOf(box);
      member?.entry.levels.set(member.point, level);
    },
    admit: (viewer, box, kind, end) => audience.admit(viewer, box, kind, end),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    onLevels(listener) {
      levelListeners.add(listener);
      return () => void levelListeners.delete(listener);
    },
    run: (signal) =>
      runForever({ name: "stage", clock, log, baseMs: LISTEN_EVERY_MS, capMs: 10_000 }, signal, async (signal) => {
        for (;;) {
          await clock.sleep(LISTEN_EVERY_MS, signal);
          listen();
        }
      }),
  };
}

interface Change extends Omit<StageLine, "actor"> {
  core: StageCore;
}

const refuse = (code: (StageOutcome & { ok: false })["code"], detail: string) => ({ ok: false, code, detail }) as const;

const seatOf = (core: StageCore, point: PointId) => core.seats[point] ?? OPEN_SEAT;
