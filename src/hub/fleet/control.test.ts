import { describe, expect, test } from "vitest";
import { readBoxMessage } from "./control.ts";

describe("readBoxMessage", () => {
  test("reads a known message with fields of later versions", () => {
    expect(readBoxMessage('{"type":"clock","t0":5,"zone":"ICT"}')).toMatchObject({
      kind: "message",
      message: { type: "clock", t0: 5 },
    });
  });

  test("takes a type of later versions for no fault", () => {
    expect(readBoxMessage('{"type":"dream"}')).toEqual({ kind: "unknown" });
  });

  test.each(["", "{", "null", "[]", '"clock"', "{}", '{"type":7}', '{"type":"clock"}', '{"type":"hello"}'])(
    "takes %j for malformed",
    (text) => {
      expect(readBoxMessage(text).kind).toBe("malformed");
    },
  );

  test("names the field that is wrong", () => {
    expect(readBoxMessage('{"type":"clock","t0":"five"}')).toMatchObject({
      detail: expect.stringContaining("clock.t0"),
    });
  });

  test("an inherited name is no type", () => {
    expect(readBoxMessage('{"type":"__proto__"}')).toEqual({ kind: "unknown" });
    expect(readBoxMessage('{"type":"constructor"}')).toEqual({ kind: "unknown" });
  });
});
