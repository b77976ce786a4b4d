import { describe, expect, test } from "vitest";
import { PAIRING_CODE_TTL_MS, type PairingAnswer, type PairingRequest } from "../../protocol/protocol.ts";
import { WaitingRoom } from "./waiting.ts";

const request = (csrPem: string): PairingRequest => ({
  csrPem,
  salt: Buffer.alloc(16, 1).toString("base64"),
  proof: Buffer.alloc(32, 2).toString("base64"),
  agentVersion: "test",
  description: "",
});
const accepted = { state: "accepted" } as PairingAnswer & { state: "accepted" };

describe("WaitingRoom", () => {
  test("holds twenty boxes, five of one address, and says which bound was met", () => {
    const room = new WaitingRoom();
    for (let i = 0; i < 20; i++)
      expect(room.admit(request(`${i}`), `10.0.0.${i % 4}`, `t${i}`, 0)).toEqual({ ok: true, ticket: `t${i}` });
    expect(room.admit(request("x"), "10.0.9.9", "x", 0)).toEqual({ ok: false, reason: "tooManyWaiting" });
    room.drop("t5");
    expect(room.admit(request("x"), "10.0.0.0", "x", 0)).toEqual({ ok: false, reason: "tooManyFromAddress" });
    expect(room.admit(request("x"), "10.0.9.9", "x", 0)).toMatchObject({ ok: true });
    expect(room.count).toBe(20);
  });

  test("a box that asks again takes its own place, even in a full room; another address cannot take it", () => {
    const room = new WaitingRoom();
    for (let i = 0; i < 20; i++) room.admit(request(`${i}`), `10.0.0.${i}`, `t${i}`, 0);
    expect(room.admit(request("7"), "10.0.0.7", "again", 0)).toMatchObject({ ok: true });
    expect([room.has("t7"), room.has("again"), room.count]).toEqual([false, true, 20]);
    expect(room.admit(request("8"), "10.0.0.7", "thief", 0)).toMatchObject({ ok: false });
    expect(room.has("t8")).toBe(true);
  });

  test("forgets requests and answers after a quarter of an hour each", () => {
    const room = new WaitingRoom();
    room.admit(request("a"), "10.0.0.1", "a", 0);
    room.admit(request("b"), "10.0.0.1", "b", 0);
    room.accept("b", accepted, 1_000);
    expect(room.answer("b", PAIRING_CODE_TTL_MS)).toBe(accepted);
    expect(room.answer("a", PAIRING_CODE_TTL_MS)).toEqual({ state: "expired" });
    expect(room.answer("b", PAIRING_CODE_TTL_MS + 1_000)).toEqual({ state: "expired" });
    expect(room.answer("never seen", 0)).toEqual({ state: "expired" });
  });

  test("takes no short salt and no proof of another length", () => {
    const room = new WaitingRoom();
    expect(room.admit({ ...request("a"), salt: "AAAA" }, "h", "t", 0)).toEqual({ ok: false, reason: "badSalt" });
    expect(room.admit({ ...request("a"), proof: "AAAA" }, "h", "t", 0)).toEqual({ ok: false, reason: "badProof" });
    expect(room.count).toBe(0);
  });
});
