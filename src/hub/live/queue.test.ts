import { describe, expect, test } from "vitest";
import { MAX_QUEUE_BYTES, VIDEO_RESUME_BYTES, VIDEO_STOP_BYTES, ViewerQueue } from "./queue.ts";

const DELTA_BYTES = 8_000;
const KEY_BYTES = 60_000;

describe("ViewerQueue", () => {
  test("a viewer that keeps up gets everything but what no player needs", () => {
    const queue = new ViewerQueue(true);
    expect(queue.offer("config", 50, 0)).toBe("send");
    expect(queue.offer("key", KEY_BYTES, 50)).toBe("send");
    expect(queue.offer("delta", DELTA_BYTES, KEY_BYTES)).toBe("send");
    expect(queue.offer("other", 20, 0)).toBe("skip");
  });

  test("a viewer that joined without a key frame waits for one", () => {
    const queue = new ViewerQueue(false);
    expect(queue.offer("delta", DELTA_BYTES, 0)).toBe("skip");
    expect(queue.offer("key", KEY_BYTES, 0)).toBe("send");
    expect(queue.offer("delta", DELTA_BYTES, 0)).toBe("send");
  });

  test("once behind, pictures are skipped up to a key frame that finds the backlog read", () => {
    const queue = new ViewerQueue(true);
    expect(queue.offer("delta", DELTA_BYTES, VIDEO_STOP_BYTES + 1)).toBe("skip");
    // Caught up, but in the middle of a group: the decoder lacks what this picture refers to.
    expect(queue.offer("delta", DELTA_BYTES, 0)).toBe("skip");
    expect(queue.offer("key", KEY_BYTES, VIDEO_RESUME_BYTES + 1)).toBe("skip");
    expect(queue.offer("delta", DELTA_BYTES, 0)).toBe("skip");
    expect(queue.offer("key", KEY_BYTES, VIDEO_RESUME_BYTES)).toBe("send");
    expect(queue.offer("delta", DELTA_BYTES, KEY_BYTES)).toBe("send");
  });

  test("sound is sent until the bound, then the viewer is closed", () => {
    const queue = new ViewerQueue(false);
    expect(queue.offer("sound", 400, MAX_QUEUE_BYTES - 400)).toBe("send");
    expect(queue.offer("sound", 400, MAX_QUEUE_BYTES - 399)).toBe("close");
  });

  test("nothing a publisher sends lets a stalled viewer's backlog pass the bound", () => {
    const queue = new ViewerQueue(true);
    let waiting = 0;
    for (let n = 0; n < 20_000; n++) {
      const bytes = n % 50 === 0 ? 900_000 : (n * 7919) % 60_000;
      const verdict = queue.offer(n % 50 === 0 ? "key" : "delta", bytes, waiting);
      if (verdict === "send") waiting += bytes;
      expect(verdict).not.toBe("close");
    }
    expect(waiting).toBeLessThanOrEqual(MAX_QUEUE_BYTES);
    expect(waiting).toBeGreaterThan(VIDEO_STOP_BYTES);
  });

  test("whatever the reading speed, what is sent is always a chain from a key frame", () => {
    const queue = new ViewerQueue(false);
    let waiting = 0;
    let decodable = false;
    let undecodable = 0;
    let skipped = 0;
    for (let n = 0; n < 5_000; n++) {
      const key = n % 25 === 0;
      const bytes = key ? KEY_BYTES : DELTA_BYTES;
      const verdict = queue.offer(key ? "key" : "delta", bytes, waiting);
      if (verdict === "send") {
        if (key) decodable = true;
        if (!decodable) undecodable++;
        waiting += bytes;
      } else {
        decodable = false;
        skipped++;
      }
      // Reads 60 % of what comes on average.
      waiting = Math.max(0, waiting - 6_000);
    }
    expect(undecodable).toBe(0);
    expect(skipped).toBeGreaterThan(1_000);
    expect(skipped).toBeLessThan(4_000);
  });
});
