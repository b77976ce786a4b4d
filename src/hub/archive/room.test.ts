import { describe, expect, test } from "vitest";
import { judgeAdmission, judgeHubRoom } from "./room.ts";

const auto = { keepFreeBytes: null, inboxBytesPerBox: 8e9 };

describe("never-again 7: the hub's disk", () => {
  test("is kept free by a twentieth, at most 20 GB, unless said otherwise", () => {
    expect(judgeHubRoom(50e9, 100e9, auto).keepFreeBytes).toBe(5e9);
    expect(judgeHubRoom(50e9, 4e12, auto).keepFreeBytes).toBe(20e9);
    expect(judgeHubRoom(50e9, 100e9, { ...auto, keepFreeBytes: 1e9 }).keepFreeBytes).toBe(1e9);
  });

  test("is low in time, and full before it is", () => {
    const stateAt = (freeBytes: number) => judgeHubRoom(freeBytes, 100e9, auto).state;
    expect([20e9, 9e9, 5e9, 0].map(stateAt)).toEqual(["ok", "low", "full", "full"]);
  });

  test("full takes no files, from any box", () => {
    const refused = judgeAdmission(judgeHubRoom(1e9, 100e9, auto), 0, auto);
    expect(refused).toMatchObject({ ok: false, reason: "hubFull" });
    expect(judgeAdmission(judgeHubRoom(9e9, 100e9, auto), 0, auto)).toEqual({ ok: true });
  });

  test("is not filled by one box whose files nobody can verify", () => {
    const room = judgeHubRoom(50e9, 100e9, auto);
    expect(judgeAdmission(room, 8e9 + 1, auto)).toMatchObject({ ok: false, reason: "inboxFull" });
    expect(judgeAdmission(room, 8e9, auto)).toEqual({ ok: true });
  });
});
