import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { webSocketHeaderBytes, webSocketPayloads, writeWebSocketHeader } from "./websocket.ts";

interface Sender {
  frame(data: Buffer, options: object): Buffer[];
}
const { Sender } = createRequire(import.meta.url)("ws") as { Sender: Sender };

function message(payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(webSocketHeaderBytes(payload.length) + payload.length).fill(0xff);
  writeWebSocketHeader(out, payload.length);
  out.set(payload, out.length - payload.length);
  return out;
}

describe("WebSocket messages", () => {
  test.each([1, 125, 126, 127, 65_535, 65_536, 4_194_319])("of %i bytes are framed as the ws package does", (bytes) => {
    const payload = Buffer.alloc(bytes, 7);
    const theirs = Buffer.concat(Sender.frame(payload, { fin: true, opcode: 2, mask: false, rsv1: false }));
    expect(Buffer.from(message(payload)).equals(theirs)).toBe(true);
  });

  test("that lie behind one another are told apart", () => {
    const payloads = [3, 126, 70_000, 125].map((bytes, n) => new Uint8Array(bytes).fill(n));
    const all = Buffer.concat(payloads.map(message));
    expect(webSocketPayloads(all).map((each) => [each.length, each[0]])).toEqual(
      payloads.map((each) => [each.length, each[0]]),
    );
  });
});
