import { describe, expect, test } from "vitest";
import { momentAtHub, planAdoption, type AdoptionFacts } from "./adoption.ts";

const STARTED = "2026-11-21T01:00:00.000Z";
const ENDED = "2026-11-21T02:00:00.000Z";
type Known = NonNullable<AdoptionFacts["known"]>;
const draft: Known = { state: "draft", adHoc: false, endedAt: null, member: true };
const plan = (change: Partial<AdoptionFacts>) => {
  const adoption = planAdoption({
    ...{ startedAt: STARTED, endedAt: null, known: draft, noted: undefined, busy: false },
    ...{ remembered: false, open: false },
    ...change,
  });
  if (adoption.kind === "refuse") return "refused";
  return { create: adoption.create, set: adoption.set, events: adoption.events.map(({ kind }) => kind) };
};

describe("a session that a room began", () => {
  test("is made where the hub does not know it, live or ended as the room has it", () => {
    expect(plan({ known: undefined })).toEqual({
      create: true,
      set: { state: "live", startedAt: STARTED },
      events: ["startedByRoom", "started"],
    });
    expect(plan({ known: undefined, endedAt: ENDED })).toEqual({
      create: true,
      set: { state: "ended", startedAt: STARTED, endedAt: ENDED },
      events: ["startedByRoom", "started", "endedByRoom", "ended"],
    });
  });

  test("becomes live where it was scheduled, from the moment the room began", () => {
    expect(plan({})).toEqual({
      create: false,
      set: { state: "live", startedAt: STARTED },
      events: ["startedByRoom", "started"],
    });
  });

  test("is only noted where the hub began, paused or ended it meanwhile", () => {
    for (const state of ["live", "paused", "ended"] as const)
      expect(plan({ known: { ...draft, state } })).toEqual({
        create: false,
        set: undefined,
        events: ["startedByRoom"],
      });
  });

  test("stays a draft, with its recording to show, where the room has ended it before the hub began it", () => {
    expect(plan({ endedAt: ENDED })).toEqual({
      create: false,
      set: undefined,
      events: ["startedByRoom", "endedByRoom"],
    });
  });

  test("waits where another session holds the room", () => {
    expect(plan({ busy: true })).toEqual({ create: false, set: undefined, events: ["startedByRoom"] });
    expect(plan({ known: undefined, busy: true })).toEqual({ create: true, set: undefined, events: ["startedByRoom"] });
    expect(plan({ known: undefined, busy: true, endedAt: ENDED })).toMatchObject({ set: { state: "ended" } });
  });

  test("is noted once, however often it is said", () => {
    const live = { ...draft, state: "live" as const };
    expect(plan({ known: live, noted: "startedByRoom" })).toEqual({ create: false, set: undefined, events: [] });
    expect(plan({ known: { ...live, state: "ended" }, noted: "endedByRoom", endedAt: ENDED })).toMatchObject({
      events: [],
    });
  });

  test("ends with the room where it is ad hoc, and goes on where it is the hub's", () => {
    const live = { ...draft, state: "live" as const };
    const told = { noted: "startedByRoom" as const, endedAt: ENDED };
    expect(plan({ ...told, known: { ...live, adHoc: true } })).toEqual({
      create: false,
      set: { state: "ended", endedAt: ENDED },
      events: ["endedByRoom", "ended"],
    });
    expect(plan({ ...told, known: live })).toEqual({ create: false, set: undefined, events: ["endedByRoom"] });
  });

  test("a room that stopped because the hub ended the session did not end it", () => {
    const ended = { ...draft, state: "ended" as const, endedAt: ENDED };
    const told = { known: ended, noted: "startedByRoom" as const };
    expect(plan({ ...told, endedAt: "2026-11-21T02:00:01.000Z" })).toMatchObject({ events: [] });
    expect(plan({ ...told, endedAt: "2026-11-21T01:30:00.000Z" })).toMatchObject({ events: ["endedByRoom"] });
  });

  test("of other rooms is none of this box's business", () => {
    expect(plan({ known: { ...draft, member: false } })).toBe("refused");
  });
});

describe("when it began, in the hub's time", () => {
  const reading = (monotonicMs: number, bootId: string, utc: string) => ({
    ...{ utc, monotonicMs, bootId, hubOffsetMs: null, hubOffsetErrorMs: null },
  });
  const heardMs = Date.parse("2026-11-21T03:00:00.000Z");

  test("never-again 11: it is told by the box's monotonic clock, whatever its wall clock says", () => {
    const began = reading(60_000, "a", "1970-01-01T00:01:00.000Z");
    const said = reading(3_660_000, "a", "2031-01-01T00:00:00.000Z");
    expect(momentAtHub(began, said, heardMs)).toBe("2026-11-21T02:00:00.000Z");
  });

  test("after another boot the box's word is all there is", () => {
    const began = reading(60_000, "a", "2026-11-21T01:59:00.000Z");
    expect(momentAtHub(began, reading(1_000, "b", "2026-11-21T03:00:00.000Z"), heardMs)).toBe(
      "2026-11-21T01:59:00.000Z",
    );
  });
});

describe("a session of the hub's own that it has forgotten", () => {
  const remembered = { remembered: true };
  const anew: Known = { state: "live", adHoc: true, endedAt: null, member: false };

  test("is made again as far as it had come", () => {
    expect(plan({ ...remembered, known: undefined })).toEqual({
      create: true,
      set: { state: "live", startedAt: STARTED },
      events: ["rememberedByRoom", "started"],
    });
    expect(plan({ ...remembered, known: undefined, endedAt: ENDED })).toEqual({
      create: true,
      set: { state: "ended", startedAt: STARTED, endedAt: ENDED },
      events: ["rememberedByRoom", "started", "ended"],
    });
  });

  test("is over where the hub still has it as prepared, live or paused", () => {
    for (const state of ["draft", "live", "paused"] as const)
      expect(plan({ ...remembered, known: { ...draft, state }, endedAt: ENDED })).toMatchObject({
        set: { state: "ended", endedAt: ENDED },
      });
  });

  test("takes in its other rooms, and only where a room's word has made it again", () => {
    expect(planAdoption({ ...facts(anew), open: true })).toMatchObject({ kind: "adopt", create: false, join: true });
    expect(planAdoption({ ...facts(anew), open: false })).toEqual({ kind: "refuse" });
    expect(planAdoption({ ...facts(anew), open: true, remembered: false })).toEqual({ kind: "refuse" });
  });

  test("is left alone where nothing of it was forgotten, however often it is told", () => {
    const same = { create: false, set: undefined, events: [] };
    expect(plan({ ...remembered, known: { ...draft, state: "live" } })).toEqual(same);
    expect(plan({ ...remembered, known: { ...draft, state: "ended", endedAt: ENDED }, endedAt: ENDED })).toEqual(same);
  });

  function facts(known: Known): AdoptionFacts {
    return { startedAt: STARTED, endedAt: null, known, noted: undefined, busy: true, remembered: true, open: true };
  }
});
