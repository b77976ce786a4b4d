import { describe, expect, it } from "vitest";
import type { Alarm, SessionId } from "../../protocol/protocol.ts";
import { AlarmEngine, type Situation } from "./engine.ts";

const SESSION = "session_a" as SessionId;
const OTHER = "session_b" as SessionId;
const utc = (ms: number) => new Date(ms).toISOString();

function engineOf(standing: Alarm[] = []) {
  let ids = 0;
  const engine = new AlarmEngine(standing, () => `alarm-${++ids}`);
  let atMs = 0;
  /** Looks once a second, for so long. */
  const look = (seconds: number, situation: Situation, session: SessionId | null = SESSION): Alarm[] => {
    const changed: Alarm[] = [];
    for (let i = 0; i < seconds; i++) {
      atMs += 1_000;
      changed.push(...engine.look(session, situation, { monotonicMs: atMs, utc: utc(atMs) }));
    }
    return changed;
  };
  return { engine, look };
}
const silent: Situation = { soundSilent: { present: true, facts: "at most -∞ LUFS" } };
const heard: Situation = { soundSilent: { present: false, facts: "" } };

describe("alarm engine", () => {
  it("raises one alarm for a cause that stays, with the session, the time and what was measured", () => {
    const { engine, look } = engineOf();
    const raised = look(60, silent);
    expect(raised).toHaveLength(1);
    expect(raised[0]).toMatchObject({
      cause: "soundSilent",
      session: SESSION,
      clearedAt: null,
      facts: "at most -∞ LUFS",
    });
    expect(engine.standing()).toEqual(raised);
  });

  it("raises within 5 s of the cause being seen, and not for a moment", () => {
    const { look } = engineOf();
    expect(look(2, silent)).toEqual([]);
    expect(look(1, heard)).toEqual([]);
    expect(look(2, silent)).toEqual([]);
    expect(look(3, silent)).toHaveLength(1);
  });

  it("clears once, after the cause has been gone for some seconds, and not at the first good moment", () => {
    const { engine, look } = engineOf();
    const [raised] = look(10, silent);
    expect(look(2, heard)).toEqual([]);
    expect(look(1, silent)).toEqual([]);
    const cleared = look(30, heard);
    expect(cleared).toHaveLength(1);
    expect(cleared[0]).toMatchObject({ id: raised!.id, raisedAt: raised!.raisedAt });
    expect(cleared[0]!.clearedAt! > raised!.raisedAt).toBe(true);
    expect(engine.standing()).toEqual([]);
  });

  it("keeps an alarm as it is while nothing can be known of its cause", () => {
    const { engine, look } = engineOf();
    look(10, silent);
    expect(look(60, {})).toEqual([]);
    expect(engine.standing()).toHaveLength(1);
  });

  it("goes on with the alarms of an earlier life: nothing is raised twice", () => {
    const [raised] = engineOf().look(10, silent);
    const later = engineOf([raised!]);
    expect(later.look(60, silent)).toEqual([]);
    expect(later.look(10, heard)).toMatchObject([{ id: raised!.id }]);
  });

  it("ends a session's alarms with the session, and raises them anew in the next", () => {
    const { look } = engineOf();
    const [raised] = look(10, silent);
    const changed = look(10, silent, OTHER);
    expect(changed[0]).toMatchObject({ id: raised!.id, session: SESSION });
    expect(changed[0]!.clearedAt).not.toBeNull();
    expect(changed[1]).toMatchObject({ session: OTHER, clearedAt: null });
    expect(changed).toHaveLength(2);
  });

  it("raises several causes beside one another", () => {
    const { engine, look } = engineOf();
    look(10, { ...silent, pictureBlack: { present: true, facts: "" } });
    expect(
      engine
        .standing()
        .map(({ cause }) => cause)
        .sort(),
    ).toEqual(["pictureBlack", "soundSilent"]);
  });
});
