import { ALARM_CAUSES, type Alarm, type AlarmCause, type SessionId } from "../../protocol/protocol.ts";

/** What is known of a cause now; one that is left out cannot be known, and its alarm stays as it is. */
export type Situation = Partial<Record<AlarmCause, { present: boolean; facts: string }>>;

/**
 * How long a cause must be there, without a break, before its alarm is raised, and gone before it is cleared. With what
 * the measuring itself takes (a key frame a second, pieces of 400 ms, a look a second) the alarm is at the hub within 10 s.
 */
const PATIENCE: Record<AlarmCause, { raiseMs: number; clearMs: number }> = {
  encoderFailed: { raiseMs: 0, clearMs: 3_000 },
  // A take's change, a device's return and a start of the encoder are over sooner.
  notRecording: { raiseMs: 4_000, clearMs: 3_000 },
  fileUnchecked: { raiseMs: 12_000, clearMs: 3_000 },
  cameraNone: { raiseMs: 1_000, clearMs: 3_000 },
  pictureBlack: { raiseMs: 3_000, clearMs: 4_000 },
  pictureDark: { raiseMs: 8_000, clearMs: 8_000 },
  pictureFrozen: { raiseMs: 2_000, clearMs: 4_000 },
  microphoneNone: { raiseMs: 1_000, clearMs: 3_000 },
  // A plug that was moved is in again sooner.
  cameraSpare: { raiseMs: 6_000, clearMs: 3_000 },
  microphoneSpare: { raiseMs: 6_000, clearMs: 3_000 },
  soundSilent: { raiseMs: 2_000, clearMs: 4_000 },
  soundClipping: { raiseMs: 1_000, clearMs: 10_000 },
  soundHum: { raiseMs: 4_000, clearMs: 10_000 },
  soundNoSpeech: { raiseMs: 0, clearMs: 0 },
  // A busy moment is no slow machine.
  encoderSlow: { raiseMs: 10_000, clearMs: 10_000 },
  frameRateLow: { raiseMs: 3_000, clearMs: 10_000 },
  avOffset: { raiseMs: 4_000, clearMs: 6_000 },
  echoOpen: { raiseMs: 3_000, clearMs: 3_000 },
  // A browser needs some seconds to show a page.
  screenNotRecording: { raiseMs: 8_000, clearMs: 3_000 },
  // What a disk and a battery say stays as it is for hours.
  diskFailing: { raiseMs: 0, clearMs: 0 },
  diskWorn: { raiseMs: 0, clearMs: 0 },
  batteryEmpty: { raiseMs: 0, clearMs: 0 },
};

/**
 * Turns what is seen now into alarms. Pure: times come in. INVARIANTS: at most one alarm stands for each cause; one
 * that was raised is cleared exactly once; an alarm of a session ends with it at the latest.
 */
export class AlarmEngine {
  private readonly open = new Map<AlarmCause, Alarm>();
  /** Since when a cause has been other than its alarm says, monotonic. */
  private readonly since = new Map<AlarmCause, number>();
  private readonly newId: () => string;

  /** @param standing alarms of an earlier life */
  constructor(standing: readonly Alarm[], newId: () => string) {
    this.newId = newId;
    for (const cause of ALARM_CAUSES) {
      const alarm = standing.find((other) => other.cause === cause);
      if (alarm) this.open.set(cause, alarm);
    }
  }

  standing(): Alarm[] {
    return [...this.open.values()];
  }

  /** @returns alarms that were raised or cleared by this look */
  look(session: SessionId | null, situation: Situation, now: { monotonicMs: number; utc: string }): Alarm[] {
    const changed: Alarm[] = [];
    const clear = (cause: AlarmCause, alarm: Alarm) => {
      this.open.delete(cause);
      this.since.delete(cause);
      changed.push({ ...alarm, clearedAt: now.utc });
    };
    for (const cause of ALARM_CAUSES) {
      const former = this.open.get(cause);
      if (former && former.session !== session) clear(cause, former);
      const seen = situation[cause];
      if (!seen) continue;
      const alarm = this.open.get(cause);
      if (seen.present === (alarm !== undefined)) {
        this.since.delete(cause);
        continue;
      }
      const since = this.since.get(cause) ?? now.monotonicMs;
      this.since.set(cause, since);
      const { raiseMs, clearMs } = PATIENCE[cause];
      if (now.monotonicMs - since < (alarm ? clearMs : raiseMs)) continue;
      if (alarm) {
        clear(cause, alarm);
        continue;
      }
      const raised: Alarm = {
        ...{ id: this.newId(), cause, session, raisedAt: now.utc, clearedAt: null },
        facts: seen.facts.slice(0, 300),
      };
      this.open.set(cause, raised);
      this.since.delete(cause);
      changed.push(raised);
    }
    return changed;
  }
}
