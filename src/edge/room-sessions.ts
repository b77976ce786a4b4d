import { causeOf, isoUtc, randomId, type Clock, type Log } from "../platform/platform.ts";
import { makeId, type RoomSession, type SessionId } from "../protocol/protocol.ts";
import { hubNow, readHubTime, type OffsetAt } from "./hub-time.ts";
import { decide, offerOf, type RecordingGoal, type Situation } from "./schedule.ts";
import type { EdgeState } from "./state.ts";

/** What decides about sessions, of the connection to the hub. */
interface HubSide {
  connected(): boolean;
  /** A hub that refuses this box is there; it only has nothing to say to it. */
  refused(): boolean;
  /** The sessions begun in this room have changed. */
  tellOwn(): void;
}

interface RoomSessionsOptions {
  log: Log;
  clock: Clock;
  state: EdgeState;
  offsetAt: OffsetAt;
  hub: HubSide;
}

/**
 * Which session this room is in: as the hub has it, as the schedule has it while the hub is away, and as the room's own
 * hands began and ended it.
 *
 * INVARIANTS
 * - What is recorded follows from cached schedule and the room's own sessions. The connection only tells whether somebody
 *   else is there to begin what is due.
 * - A session begun here is in memory at once, and on its way to the disk at the same time: a slow disk delays no
 *   recording.
 */
export class RoomSessions {
  private readonly options: RoomSessionsOptions;
  private awaySinceMs: number | undefined;
  private current: RecordingGoal = { session: null, why: "sessionEnded" };

  constructor(options: RoomSessionsOptions) {
    this.options = options;
    this.awaySinceMs = options.clock.monotonicMs();
  }

  /** As it was decided last. */
  get goal(): RecordingGoal {
    return this.current;
  }

  /** A session is being recorded, or should be. */
  isOn(): boolean {
    return this.current.session !== null;
  }

  situation(): Situation {
    const { clock, state, hub, offsetAt } = this.options;
    if (hub.connected() || hub.refused()) this.awaySinceMs = undefined;
    else this.awaySinceMs ??= clock.monotonicMs();
    return {
      assignment: state.assignment(),
      own: state.own(),
      now: hubNow(clock, state.hubTime(), offsetAt),
      awayMs: this.awaySinceMs === undefined ? null : clock.monotonicMs() - this.awaySinceMs,
    };
  }

  /** Begins and ends what is due, and says what is to be recorded now. */
  follow(): RecordingGoal {
    let decision = decide(this.situation());
    if (decision.end.length > 0) this.end(decision.end);
    if (decision.begin) {
      const { id, name } = decision.begin;
      this.begin({ id, name, adHoc: false, by: "schedule" });
      decision = decide(this.situation());
    }
    this.current = decision.goal;
    return decision.goal;
  }

  /**
   * Refuses (false) what is not on offer any more: a press may be late, or the second of two.
   * @param session null for one that nobody has prepared
   */
  beginByHand(session: SessionId | null, adHocName: string): boolean {
    const { start } = offerOf(this.situation());
    if (!start || start.session !== session) return false;
    const id = session ?? makeId("session", randomId());
    const known = this.options.state.assignment()?.sessions.find((each) => each.id === session);
    this.begin({ id, name: known?.name ?? adHocName, adHoc: session === null, by: "hand" });
    return true;
  }

  /** The same for the end. */
  endByHand(session: SessionId): boolean {
    if (offerOf(this.situation()).stop?.session !== session) return false;
    this.end([session]);
    return true;
  }

  /** In the recorder's own time, which without the hub is the wall clock as it is: only the distance to now counts. */
  inRecorderTime(startedAt: string): string {
    const { clock, state, offsetAt } = this.options;
    if (offsetAt(0, 0)) return startedAt;
    const sinceMs = hubNow(clock, state.hubTime(), offsetAt).utcMs - Date.parse(startedAt);
    return isoUtc(clock.wallMs() - sinceMs);
  }

  private begin({ id, name, adHoc, by }: Pick<RoomSession, "id" | "name" | "adHoc" | "by">): void {
    const others = this.options.state.own().filter((session) => session.id !== id);
    this.keep([...others, { id, name, adHoc, by, startedAt: this.reading(), endedAt: null }]);
    this.options.log.info("session.begunHere", { session: id, by, adHoc });
  }

  private end(ids: readonly SessionId[]): void {
    const endedAt = this.reading();
    const own = this.options.state.own();
    this.keep(own.map((mine) => (ids.includes(mine.id) && mine.endedAt === null ? { ...mine, endedAt } : mine)));
    for (const session of ids) this.options.log.info("session.endedHere", { session });
  }

  private reading(): RoomSession["startedAt"] {
    const { clock, state, offsetAt } = this.options;
    return readHubTime(clock, state.hubTime(), offsetAt);
  }

  private keep(own: RoomSession[]): void {
    const { log, state, hub } = this.options;
    state.setOwn(own).catch((error: unknown) => log.error("agent.notKept", { cause: causeOf(error) }));
    hub.tellOwn();
  }
}
