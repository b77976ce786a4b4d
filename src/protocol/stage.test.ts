import { describe, expect, test } from "vitest";
import { makeId } from "./ids.ts";
import {
  audibleTo,
  EMPTY_FLOOR,
  firstPlaces,
  followSpeech,
  isSpeaking,
  largeOf,
  RoomStage,
  stageForRoom,
  type Floor,
  type Stage,
  type StageRoom,
} from "./stage.ts";

const point = (n: number) => makeId("point", new Uint8Array(10).fill(n));
const box = (n: number) => makeId("box", new Uint8Array(10).fill(n));
const AT = "2026-11-21T08:00:00.000Z";

const room = (n: number, change: Partial<StageRoom> = {}): StageRoom => ({
  point: { id: point(n), name: `Phòng ${n}` },
  role: n === 0 ? "central" : "delegate",
  box: box(n),
  connected: true,
  live: ["video", "small", "audio"],
  place: "in",
  muted: null,
  gainDb: 0,
  hand: null,
  speaking: false,
  message: null,
  ...change,
});

const stage = (rooms: StageRoom[], change: Partial<Stage> = {}): Stage => ({
  session: makeId("session", new Uint8Array(10)),
  revision: 7,
  layout: { mode: "spotlight", onScreen: [], by: null, at: AT, revision: 1 },
  speakers: [],
  rooms,
  paused: null,
  interruption: null,
  watchers: [],
  ...change,
});
const laid = (mode: Stage["layout"]["mode"], ...onScreen: number[]): Stage["layout"] => ({
  ...{ mode, by: "Lan", at: AT, revision: 3 },
  onScreen: onScreen.map(point),
});
const four = [room(0), room(1), room(2), room(3)];

describe("who hears whom", () => {
  test("a room hears all that are in and not muted, never itself", () => {
    const rooms = [room(0), room(1), room(2, { muted: { at: AT, reason: "ồn", by: "Lan" } }), room(3)];
    expect(audibleTo(stage(rooms), point(1))).toEqual([box(0), box(3)]);
    expect(audibleTo(stage(rooms), point(2))).toEqual([box(0), box(1), box(3)]);
  });

  test("a room on standby hears the others and is not heard", () => {
    const rooms = [room(0), room(1, { place: "standby" }), room(2)];
    expect(audibleTo(stage(rooms), point(1))).toEqual([box(0), box(2)]);
    expect(audibleTo(stage(rooms), point(0))).toEqual([box(2)]);
  });

  test("the desk hears what the rooms hear, a stranger and a paused session nothing", () => {
    const rooms = [room(0), room(1, { place: "standby" }), room(2)];
    expect(audibleTo(stage(rooms), null)).toEqual([box(0), box(2)]);
    expect(audibleTo(stage(rooms), point(9))).toEqual([]);
    const paused = { at: AT, reason: null, by: "Lan" };
    expect(audibleTo(stage(rooms, { paused }), point(1))).toEqual([]);
    expect(audibleTo(stage(rooms, { paused }), null)).toEqual([]);
  });
});

describe("who is large", () => {
  const sizes = (of: Stage, viewer: number | null) => {
    const { large, small } = largeOf(of, viewer === null ? null : point(viewer));
    const n = (id: (typeof large)[number]) => four.findIndex((each) => each.point.id === id);
    return [large.map(n), small.map(n)];
  };

  test("in spotlight the chosen one, and the next where that is the room itself", () => {
    const of = stage(four, { layout: laid("spotlight", 2, 3) });
    expect(sizes(of, null)).toEqual([[2], [3, 0, 1]]);
    expect(sizes(of, 0)).toEqual([[2], [3, 1]]);
    expect(sizes(of, 2)).toEqual([[3], [0, 1]]);
  });

  test("in a grid the chosen ones are equal, and all where nobody is chosen", () => {
    expect(sizes(stage(four, { layout: laid("grid", 3, 1) }), 0)).toEqual([[3, 1], [2]]);
    expect(sizes(stage([room(0), room(1), room(2, { place: "standby" })], { layout: laid("grid") }), 0)).toEqual([
      [1],
      [2],
    ]);
    expect(sizes(stage(four, { layout: laid("grid", 1) }), 1)).toEqual([[0, 2, 3], []]);
  });

  test("in auto the speaker; he himself goes on seeing whoever spoke before", () => {
    const of = stage(four, { layout: laid("auto"), speakers: [point(3), point(1)] });
    expect(sizes(of, 0)).toEqual([[3], [1, 2]]);
    expect(sizes(of, 3)).toEqual([[1], [0, 2]]);
    expect(sizes(stage(four, { layout: laid("auto") }), 1)).toEqual([[0], [2, 3]]);
  });

  test("a room without a picture gives the large place to the next that has one", () => {
    const dark = [room(0), room(1), room(2, { live: ["audio"] }), room(3)];
    expect(sizes(stage(dark, { layout: laid("spotlight", 2, 3) }), 0)).toEqual([[3], [2, 1]]);
    const none = [room(0), room(1, { live: [] })];
    expect(sizes(stage(none), 0)).toEqual([[1], []]);
    expect(sizes(stage([room(0)]), 0)).toEqual([[], []]);
  });
});

describe("the stage of one room", () => {
  test("shows the others in order, never itself, and nobody else's messages", () => {
    const message = { text: "Mời nói gần micrô", at: AT, by: "Lan" };
    const rooms = [room(0), room(1, { message }), room(2, { message, place: "standby" })];
    const part = stageForRoom(stage(rooms, { layout: laid("spotlight", 2) }), point(1))!;
    expect(part.own).toMatchObject({ point: { id: point(1) }, message });
    expect(part.rooms.map(({ point: { id }, size, audible, message }) => [id, size, audible, message])).toEqual([
      [point(2), "large", false, null],
      [point(0), "small", true, null],
    ]);
    expect(RoomStage.parse(JSON.parse(JSON.stringify(part)))).toEqual(part);
  });

  test("is none for a room that is no part of the session", () => {
    expect(stageForRoom(stage(four), point(8))).toBeUndefined();
  });

  test("a newer box's kinds of picture are passed over", () => {
    const part = stageForRoom(stage([room(0), room(1)]), point(0))!;
    const newer = { ...part, rooms: [{ ...part.rooms[0], live: ["hologram", "audio"] }] };
    expect(RoomStage.parse(newer).rooms[0]!.live).toEqual(["audio"]);
  });
});

test("up to eight delegates begin in their seats, the others wait; the central room never does", () => {
  const rooms = Array.from({ length: 12 }, (_, n) => room(n)).map(({ point: { id }, role }) => ({ id, role }));
  const places = [...firstPlaces(rooms).values()];
  expect(places).toEqual([...Array<string>(9).fill("in"), ...Array<string>(3).fill("standby")]);
});

describe("who speaks", () => {
  /** Feeds speech every 200 ms: for each span of seconds, who is heard speaking in it. */
  function listen(spans: [fromS: number, toS: number, who: number][], untilS: number, heard = [0, 1, 2]) {
    let floor: Floor = EMPTY_FLOOR;
    const changes: [atS: number, who: number][] = [];
    for (let ms = 0; ms <= untilS * 1_000; ms += 200) {
      const speech = new Set(spans.filter(([from, to]) => ms >= from * 1_000 && ms <= to * 1_000).map(([, , n]) => n));
      const before = floor.speakers[0];
      floor = followSpeech(floor, new Set(heard.map(point)), new Set([...speech].map(point)), ms);
      const [now] = floor.speakers;
      if (now !== undefined && now !== before) changes.push([ms / 1_000, heard.find((n) => point(n) === now)!]);
    }
    return { floor, changes };
  }

  test("takes the screen after 1.5 s of speech", () => {
    expect(listen([[1, 10, 1]], 10).changes).toEqual([[2.6, 1]]);
  });

  test("a cough changes nothing, nor do many", () => {
    const coughs = [2, 4, 6, 8].map((s): [number, number, number] => [s, s + 0.6, 2]);
    expect(listen([[0, 1.8, 1], ...coughs], 20).changes).toEqual([[1.6, 1]]);
  });

  test("the present speaker keeps the screen until 4 s after the last word", () => {
    const { changes } = listen(
      [
        [0, 5, 1],
        [6, 20, 2],
      ],
      20,
    );
    expect(changes).toEqual([
      [1.6, 1],
      [9, 2],
    ]);
  });

  test("pauses for breath end no turn, and talking at the same time takes nobody's screen", () => {
    const breaths = [0, 1.2, 2.4, 3.6, 4.8].map((s): [number, number, number] => [s, s + 0.6, 1]);
    expect(listen([...breaths, [1, 5, 2]], 5).changes).toEqual([[1.6, 1]]);
  });

  test("who is muted or waits is not followed, and loses the screen to the next who speaks", () => {
    const talk: [number, number, number][] = [
      [0, 20, 1],
      [3, 20, 2],
    ];
    expect(listen(talk, 20, [0, 2]).changes).toEqual([[4.6, 2]]);
    const { floor } = listen(talk, 6);
    const after = followSpeech(floor, new Set([point(2)]), new Set([point(2)]), 6_200);
    expect(after.speakers).toEqual([point(2), point(1)]);
  });

  test("is shown as speaking from the second measurement to shortly after the last", () => {
    const { floor } = listen([[1, 2, 1]], 2);
    expect(isSpeaking(floor, point(1), 2_600)).toBe(true);
    expect(isSpeaking(floor, point(1), 3_000)).toBe(false);
    expect(isSpeaking(listen([[1, 1, 1]], 1).floor, point(1), 1_000)).toBe(false);
  });
});
