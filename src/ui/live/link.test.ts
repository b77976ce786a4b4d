import { expect, test } from "vitest";
import { hlsUrl, reconnectDelayMs, webSocketUrl } from "./link.ts";

test("reconnects at once, then after 250 ms doubling up to 2 s", () => {
  expect([0, 1, 2, 3, 4, 5, 100].map(reconnectDelayMs)).toEqual([0, 250, 500, 1_000, 2_000, 2_000, 2_000]);
});

test("takes live addresses in any form", () => {
  const page = "https://hub.example:8443/rooms?x=1";
  expect(webSocketUrl("/live/box-a/video", page)).toBe("wss://hub.example:8443/live/box-a/video");
  expect(webSocketUrl("http://127.0.0.1:1/live/box-a/audio", page)).toBe("ws://127.0.0.1:1/live/box-a/audio");
  expect(webSocketUrl("ws://127.0.0.1:1/live/box-a/audio", page)).toBe("ws://127.0.0.1:1/live/box-a/audio");
});

test("finds the HLS of the same box", () => {
  expect(hlsUrl("wss://hub.example/live/box-a/video", "https://hub.example/")).toBe(
    "https://hub.example/hls/box-a/index.m3u8",
  );
});
