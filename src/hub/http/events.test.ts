import { beforeEach, describe, expect, test } from "vitest";
import { makeId, type PointId, type SessionId } from "../../protocol/protocol.ts";
import { createLog, type Clock } from "../../platform/platform.ts";
import { createEventStream, type DeskEventStream } from "./events.ts";
import type { RoomView } from "./views.ts";

/** Time that stands still until it is advanced. */
class StillClock implements Clock {
  readonly bootId = "boot";
  #nowMs = 0;
  #sleepers: { atMs: number; wake: () => void }[] = [];
  wallMs = () => this.#nowMs;
  monotonicMs = () => this.#nowMs;
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      this.#sleepers.push({ atMs: this.#nowMs + ms, wake: resolve });
    });
  }
  async advance(ms: number): Promise<void> {
    this.#nowMs += ms;
    const due = this.#sleepers.filter((sleeper) => sleeper.atMs <= this.#nowMs);
    this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.atMs > this.#nowMs);
    for (const sleeper of due) sleeper.wake();
    // What was woken runs to its next wait before anybody looks.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const pointId = (n: number): PointId => makeId("point", new Uint8Array(10).fill(n));
const session: SessionId = makeId("session", new Uint8Array(10).fill(9));
const room = (n: number): RoomView => ({
  point: { id: pointId(n), name: `room ${n}` },
  box: null,
  connected: true,
  seenAt: "2026-11-21T00:00:00.000Z",
  health: null,
  alarms: [],
  live: [],
  session: null,
  pendingSegments: 0,
});

let clock: StillClock;
let rooms: RoomView[];
let sessionLooks: number;
let allowed: boolean;
let events: DeskEventStream;

beforeEach(() => {
  clock = new StillClock();
  rooms = [room(1), room(2)];
  sessionLooks = 0;
  allowed = true;
  events = createEventStream({
    clock,
    log: createLog(clock, () => {}),
    sources: {
      rooms: async () => structuredClone(rooms),
      sessions: async () => [],
      stages: () => [],
      stage: () => undefined,
      async session(id) {
        sessionLooks++;
        return {
          id,
          name: "Buổi 1",
          state: "live",
          scheduledAt: null,
          plannedMinutes: 240,
          createdAt: "",
          startedAt: null,
          companion: null,
          endedAt: null,
          adHoc: false,
          points: [],
          events: [],
          tests: [],
          testsToCome: [],
        };
      },
      recording: async () => undefined,
      waitingBoxes: () => 3,
      hubDisk: () => ({ state: "low", freeBytes: 1e9 }),
    },
  });
  return () => events.close();
});

function reader() {
  const stream = events.open(async () => allowed).getReader();
  return {
    /** Names of the events in the next piece; undefined at the end. */
    async next(): Promise<string[] | undefined> {
      const { value, done } = await stream.read();
      return done
        ? undefined
        : [...new TextDecoder().decode(value).matchAll(/^event: (\w+)$/gm)].map((match) => match[1]!);
    },
    read: async () => new TextDecoder().decode((await stream.read()).value),
    cancel: () => stream.cancel(),
  };
}

describe("the desk's events", () => {
  test("begin with everything", async () => {
    const text = await reader().read();
    expect(text).toMatch(/^event: snapshot\ndata: \{.*\}\n\n$/);
    expect(JSON.parse(text.split("data: ")[1]!)).toMatchObject({
      rooms: [{}, {}],
      sessions: [],
      waitingBoxes: 3,
      hubDisk: { state: "low" },
    });
  });

  test("tell only the rooms that differ, many changes of one as one", async () => {
    const one = reader();
    await one.next();
    events.roomsChanged();
    await clock.advance(200);
    await one.next();
    rooms[1]!.connected = false;
    for (let i = 0; i < 50; i++) events.roomsChanged();
    const next = one.read();
    await clock.advance(200);
    const text = await next;
    expect(text.match(/^event: /gm)).toHaveLength(1);
    expect(text).toContain('"room 2"');
  });

  test("keep silent where only the time of a connected room moved on", async () => {
    const one = reader();
    await one.next();
    events.roomsChanged();
    await clock.advance(200);
    await one.next();
    rooms[0]!.seenAt = "2026-11-21T00:00:09.000Z";
    events.roomsChanged();
    events.hubDiskChanged();
    events.waitingBoxesChanged();
    const next = one.next();
    await clock.advance(200);
    expect(await next).toEqual(["waitingBoxes", "hubDisk"]);
  });

  test("ask once for a session, however many read and however often it changed", async () => {
    const readers = [reader(), reader(), reader()];
    for (const each of readers) await each.next();
    for (let i = 0; i < 20; i++) events.sessionChanged(session);
    const next = Promise.all(readers.map((each) => each.next()));
    await clock.advance(200);
    for (const names of await next) expect(names).toContain("session");
    expect(sessionLooks).toBe(1);
  });

  test("give a reader who fell far behind one snapshot in place of its backlog", async () => {
    const slow = reader();
    await slow.next();
    rooms = Array.from({ length: 300 }, (_, n) => ({ ...room(1), point: { id: `point ${n}` as PointId, name: "" } }));
    events.roomsChanged();
    await clock.advance(200);
    const text = await slow.read();
    expect(text).toMatch(/^event: snapshot\n/);
    expect(text.match(/^event: /gm)!.length).toBeLessThan(300);
  });

  test("show a sign of life every 15 s", async () => {
    const one = reader();
    await one.next();
    const next = one.read();
    await clock.advance(15_000);
    expect(await next).toMatch(/^: .*\n\n$/);
  });

  test("end for a user who is no longer signed in", async () => {
    const one = reader();
    await one.next();
    const next = one.next();
    allowed = false;
    await clock.advance(15_000);
    expect(await next).toBeUndefined();
  });

  test("end when the hub stops, and forget a reader who left", async () => {
    const [left, stays] = [reader(), reader()];
    await left.next();
    await stays.next();
    await left.cancel();
    const next = stays.next();
    events.close();
    expect(await next).toBeUndefined();
    expect(await left.next()).toBeUndefined();
  });
});
