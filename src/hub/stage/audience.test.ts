import { describe, expect, test } from "vitest";
import { makeId, type Stage, type StageRoom } from "../../protocol/protocol.ts";
import type { Clock } from "../../platform/platform.ts";
import { allowed, Audience } from "./audience.ts";

const point = (n: number) => makeId("point", new Uint8Array(10).fill(n));
const box = (n: number) => makeId("box", new Uint8Array(10).fill(n));
const AT = "2026-11-21T08:00:00.000Z";

const room = (n: number, change: Partial<StageRoom> = {}): StageRoom => ({
  ...{ point: { id: point(n), name: `Phòng ${n}` }, role: n === 0 ? "central" : "delegate", box: box(n) },
  ...{ connected: true, live: [], place: "in", muted: null, gainDb: 0, hand: null, speaking: false, message: null },
  ...change,
});
const stage = (session: number, ...rooms: StageRoom[]): Stage => ({
  session: makeId("session", new Uint8Array(10).fill(session)),
  revision: 1,
  layout: { mode: "auto", onScreen: [], by: null, at: AT, revision: 1 },
  ...{ speakers: [], rooms, paused: null, interruption: null, watchers: [] },
});
const among =
  (...stages: Stage[]) =>
  (of: ReturnType<typeof box>) =>
    stages.find(({ rooms }) => rooms.some((room) => room.box === of));
const muted = { muted: { at: AT, reason: null, by: "Lan" } };

describe("what is allowed", () => {
  const two = among(stage(1, room(0), room(1), room(2, muted)), stage(2, room(5), room(6)));
  const from = (n: number) => ({ kind: "room", box: box(n) }) as const;
  const desk = { kind: "desk", name: "Lan" } as const;

  test.each([
    [0, 1, "audio", "open"],
    [0, 2, "audio", "silent"],
    [0, 2, "video", "open"],
    [2, 1, "audio", "open"],
    [0, 0, "audio", "refused"],
    [0, 5, "small", "refused"],
    [0, 9, "small", "refused"],
    [9, 0, "small", "refused"],
  ] as const)("room %i wants of box %i the %s: %s", (viewer, of, kind, verdict) => {
    expect(allowed(two, from(viewer), box(of), kind)).toBe(verdict);
  });

  test("the desk sees everybody, and hears of a running session what its rooms hear", () => {
    expect(allowed(two, desk, box(2), "audio")).toBe("silent");
    expect(allowed(two, desk, box(2), "video")).toBe("open");
    expect(allowed(two, desk, box(1), "audio")).toBe("open");
    expect(allowed(two, desk, box(9), "audio")).toBe("open");
  });
});

describe("the audience", () => {
  let wakes: (() => void)[] = [];
  const clock: Clock = {
    ...{ bootId: "", wallMs: () => 0, monotonicMs: () => 0 },
    sleep: () => new Promise((resolve) => wakes.push(resolve)),
  };

  test("follows the stage at once: gates shut and open, connections end", () => {
    let now = stage(1, room(0), room(1));
    const audience = new Audience({ clock, stageOf: (of) => among(now)(of), onChange() {} });
    const ended: string[] = [];
    const heard = audience.admit({ kind: "room", box: box(0) }, box(1), "audio", () => ended.push("room"))!;
    const listened = audience.admit({ kind: "desk", name: "Lan" }, box(1), "audio", () => ended.push("desk"))!;
    now = stage(1, room(0), room(1, muted));
    audience.review();
    expect([heard.gate.open, listened.gate.open]).toEqual([false, false]);
    now = stage(1, room(0), room(1));
    audience.review();
    expect([heard.gate.open, listened.gate.open]).toEqual([true, true]);
    now = stage(1, room(1));
    audience.review();
    expect([heard.gate.open, listened.gate.open, ended]).toEqual([false, true, ["room"]]);
  });

  test("lists everybody once, and for a moment after they have gone", async () => {
    let changes = 0;
    const audience = new Audience({ clock, stageOf: among(stage(1, room(0), room(1))), onChange: () => changes++ });
    const names = new Map([0, 1].map((n) => [box(n), `Phòng ${n}`]));
    const [one, two] = ["video", "audio"].map((kind) =>
      audience.admit({ kind: "desk", name: "Lan" }, box(1), kind as "video", () => {}),
    );
    audience.admit({ kind: "room", box: box(0) }, box(1), "small", () => {});
    audience.admit({ kind: "desk", name: "Hà" }, box(7), "small", () => {});
    const all = [
      { name: "Lan", kind: "desk" },
      { name: "Phòng 0", kind: "room" },
    ];
    expect([audience.watchers(names), audience.deskOf(box(1)), audience.deskOf(box(7))]).toEqual([
      all,
      ["Lan"],
      ["Hà"],
    ]);
    wakes = [];
    one!.leave();
    two!.leave();
    expect([two!.gate.open, audience.watchers(names), changes]).toEqual([false, all, 4]);
    for (const wake of wakes) wake();
    await Promise.resolve();
    expect([audience.watchers(names), audience.deskOf(box(1)), changes]).toEqual([all.slice(1), [], 6]);
  });
});
