import { describe, expect, test } from "vitest";
import { makeId } from "../../protocol/protocol.ts";
import { decide, pointsFault, roomNote } from "./transition.ts";

const [a, b] = [1, 2].map((byte) => makeId("point", new Uint8Array(10).fill(byte))) as [
  ReturnType<typeof makeId<"point">>,
  ReturnType<typeof makeId<"point">>,
];

describe("a session's states", () => {
  test.each([
    ["draft", "start", "live"],
    ["live", "pause", "paused"],
    ["paused", "resume", "live"],
    ["live", "end", "ended"],
    ["paused", "end", "ended"],
  ] as const)("%s and %s gives %s", (from, act, to) => {
    expect(decide(from, act)).toMatchObject({ kind: "change", to });
  });

  test.each([
    ["live", "start"],
    ["paused", "pause"],
    ["live", "resume"],
    ["ended", "end"],
  ] as const)("%s and a second %s changes nothing and is no error", (state, act) => {
    expect(decide(state, act)).toEqual({ kind: "already" });
  });

  test.each([
    ["paused", "start"],
    ["ended", "start"],
    ["draft", "pause"],
    ["ended", "pause"],
    ["draft", "resume"],
    ["ended", "resume"],
    ["draft", "end"],
  ] as const)("%s refuses %s", (state, act) => {
    expect(decide(state, act)).toEqual({ kind: "wrongState" });
  });
});

describe("a session's points", () => {
  test("one central and any number of delegates are accepted", () => {
    expect(pointsFault([{ id: a, role: "central" }])).toBeUndefined();
    expect(
      pointsFault([
        { id: a, role: "delegate" },
        { id: b, role: "central" },
      ]),
    ).toBeUndefined();
  });

  test("none, two centrals, no central and a point named twice are refused", () => {
    expect(pointsFault([])?.code).toBe("noRooms");
    expect(pointsFault([{ id: a, role: "delegate" }])?.code).toBe("badRequest");
    expect(pointsFault([a, b].map((id) => ({ id, role: "central" as const })))?.code).toBe("badRequest");
    expect(
      pointsFault([
        { id: a, role: "central" },
        { id: a, role: "delegate" },
      ])?.code,
    ).toBe("badRequest");
  });
});

test("a room is noted as lost once, and as back only after it was lost", () => {
  expect(roomNote("roomLost", undefined)).toBe("roomLost");
  expect(roomNote("roomLost", "roomLost")).toBeUndefined();
  expect(roomNote("roomBack", "roomLost")).toBe("roomBack");
  expect(roomNote("roomBack", undefined)).toBeUndefined();
  expect(roomNote("roomLost", "roomBack")).toBe("roomLost");
});
