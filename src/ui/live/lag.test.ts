import { describe, expect, test } from "vitest";
import { LagPolicy } from "./lag.ts";

const FRAME_MS = 40;
const GOP = 25;

/** Frames with their arrival times, through a decoder that needs decodeMs for each; all of it simulated. */
function watch(arrivals: number[], decodeMs: number | ((mediaMs: number) => number), gop = GOP) {
  const policy = new LagPolicy();
  let queue: { mediaMs: number; doneMs: number }[] = [];
  let freeMs = 0;
  const painted: { mediaMs: number; atMs: number }[] = [];
  const counts = { decoded: 0, dropped: 0, restarts: 0, skipped: 0 };
  const finish = (untilMs: number) => {
    while (queue.length > 0 && queue[0]!.doneMs <= untilMs) {
      const { mediaMs, doneMs } = queue.shift()!;
      if (policy.decoded(mediaMs, doneMs) === "paint") painted.push({ mediaMs, atMs: doneMs });
      else counts.skipped++;
    }
  };
  arrivals.forEach((atMs, n) => {
    finish(atMs);
    const mediaMs = n * FRAME_MS;
    const verdict = policy.arrived({ key: n % gop === 0, mediaMs }, queue.length, atMs);
    if (verdict === "drop") {
      counts.dropped++;
      return;
    }
    if (verdict === "restart") {
      queue = [];
      freeMs = atMs;
      counts.restarts++;
    }
    counts.decoded++;
    freeMs = Math.max(freeMs, atMs) + (typeof decodeMs === "number" ? decodeMs : decodeMs(mediaMs));
    queue.push({ mediaMs, doneMs: freeMs });
  });
  finish(Infinity);
  return { policy, painted, counts };
}

const live = (frames: number, firstMs = 0) => Array.from({ length: frames }, (_, n) => firstMs + n * FRAME_MS);

describe("lag policy", () => {
  test("paints each frame of a stream that keeps pace", () => {
    const { painted, counts } = watch(live(500), 5);
    expect(painted).toHaveLength(500);
    expect(counts).toMatchObject({ dropped: 0, restarts: 0, skipped: 0 });
  });

  test("decodes the burst of cached frames whole and shows the first and the live ones", () => {
    const burst = Array.from({ length: 20 }, () => 800);
    const { painted, counts } = watch([...burst, ...live(100, 800)], 5);
    expect(counts).toMatchObject({ dropped: 0, restarts: 0 });
    expect(counts.skipped).toBeGreaterThan(10);
    expect(painted[0]!.mediaMs).toBe(0);
    expect(painted.at(-1)!.atMs - painted.at(-1)!.mediaMs).toBeLessThanOrEqual(20);
  });

  test("waits for a key frame before anything is decoded", () => {
    const policy = new LagPolicy();
    expect(policy.arrived({ key: false, mediaMs: 0 }, 0, 0)).toBe("drop");
    expect(policy.arrived({ key: true, mediaMs: 40 }, 0, 40)).toBe("decode");
    policy.needKeyFrame();
    expect(policy.arrived({ key: false, mediaMs: 80 }, 0, 80)).toBe("drop");
    expect(policy.arrived({ key: true, mediaMs: 120 }, 0, 120)).toBe("decode");
  });

  test("jumps to the newest key frame when two blocked seconds arrive at once", () => {
    const arrivals = live(300).map((ms) => (ms > 5_000 && ms < 7_000 ? 7_000 : ms));
    const { painted, counts } = watch(arrivals, 10);
    expect(counts.restarts).toBeGreaterThan(0);
    const back = painted.find(({ atMs, mediaMs }) => atMs > 7_000 && atMs - mediaMs < 100)!;
    expect(back.atMs).toBeLessThan(7_400);
    const last = painted.at(-1)!;
    expect(last.atMs - last.mediaMs).toBe(10);
  });

  test("throws the queue away at each key frame where decoding is too slow", () => {
    const { painted, counts } = watch(live(1_000), 60);
    expect(counts.restarts).toBeGreaterThan(10);
    expect(Math.max(...painted.map(({ atMs, mediaMs }) => atMs - mediaMs))).toBeLessThan(GOP * FRAME_MS);
  });

  test("decodes nothing more up to the next key frame where that is long in coming", () => {
    const { painted, counts } = watch(live(1_000), 80, 250);
    expect(counts.dropped).toBeGreaterThan(300);
    expect(Math.max(...painted.map(({ atMs, mediaMs }) => atMs - mediaMs))).toBeLessThan(1_500);
  });

  test("comes back to every frame after a slow spell", () => {
    const { painted } = watch(live(1_000), (mediaMs) => (mediaMs > 10_000 && mediaMs < 15_000 ? 100 : 5));
    const later = painted.filter(({ mediaMs }) => mediaMs >= 18_000);
    expect(later).toHaveLength(1_000 - 18_000 / FRAME_MS);
    expect(later.every(({ atMs, mediaMs }) => atMs - mediaMs === 5)).toBe(true);
  });

  test("shows what a slow line brings, late but moving", () => {
    const { painted, policy } = watch(
      live(250).map((ms) => (ms < 4_000 ? ms : ms + 900)),
      5,
    );
    expect(painted).toHaveLength(250);
    expect(policy.ageMs).toBe(900);
  });

  test("does not take 300 ppm of clock drift for lag", () => {
    const { policy } = watch(
      live(60_000).map((ms) => ms * 1.0003),
      5,
    );
    expect(policy.ageMs).toBeLessThan(20);
  });
});
