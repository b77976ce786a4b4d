import { describe, expect, test } from "vitest";
import { JitterBuffer } from "./jitter.ts";

const RATE = 48_000;
const FRAME = 1024;
const QUANTUM = 128;

interface Run {
  seconds: number;
  inputRate?: number;
  /** How much faster the sender's clock runs than the loudspeaker's. */
  driftPpm?: number;
  /** Delay of frame n on its way. */
  delayMs?: (n: number) => number;
  /** A look at the buffer after each rendered quantum. */
  look?: (buffer: JitterBuffer, out: Float32Array, nowMs: number) => void;
}

/** Plays a 440 Hz tone through the buffer as the network and the loudspeaker would. */
function play({ seconds, inputRate = RATE, driftPpm = 0, delayMs = () => 10, look = () => {} }: Run): JitterBuffer {
  const buffer = new JitterBuffer(inputRate, RATE);
  const frameMs = (FRAME / inputRate) * 1000;
  const samples = new Float32Array(FRAME);
  const out = new Float32Array(QUANTUM);
  let sent = 0;
  // TCP keeps the order: a frame behind a late one is late as well.
  let lastArrivalMs = 0;
  let arrivalMs = delayMs(0);
  for (let nowMs = 0; nowMs < seconds * 1000; nowMs += (QUANTUM / RATE) * 1000) {
    while (arrivalMs <= nowMs) {
      for (let i = 0; i < FRAME; i++) samples[i] = 0.5 * Math.sin(((sent * FRAME + i) / inputRate) * 440 * 2 * Math.PI);
      buffer.push(samples, sent * frameMs, nowMs);
      lastArrivalMs = arrivalMs;
      sent++;
      arrivalMs = Math.max(lastArrivalMs, (sent * frameMs) / (1 + driftPpm / 1e6) + delayMs(sent));
    }
    buffer.pull(out);
    look(buffer, out, nowMs);
  }
  return buffer;
}

/** A small generator of numbers 0…1 that are the same in each run (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Minutes of sound, sample by sample: seconds of work on a busy machine.
describe("jitter buffer", { timeout: 60_000 }, () => {
  test.each([200, -200])(
    "plays five minutes at %i ppm of drift without a gap or a cut",
    (driftPpm) => {
      let depthMs = 0;
      let looks = 0;
      const buffer = play({
        seconds: 300,
        driftPpm,
        look: (buffer, _out, nowMs) => {
          if (nowMs < 150_000) return;
          depthMs += buffer.facts.depthMs;
          looks++;
        },
      });
      expect(buffer.facts).toMatchObject({ state: "playing", underruns: 0, cuts: 0 });
      // The target itself breathes by the 2 ms that the clocks part within its window.
      expect(Math.abs(depthMs / looks - buffer.facts.targetMs)).toBeLessThan(5);
      expect(buffer.facts.rate).toBeCloseTo(1 + driftPpm / 1e6, 3);
    },
    30_000,
  );

  test("plays the tone that was sent, at its loudness and without clicks", () => {
    let square = 0;
    let count = 0;
    let steepest = 0;
    let last = 0;
    play({
      seconds: 20,
      look: (_buffer, out, nowMs) => {
        if (nowMs < 1_000) return;
        for (const value of out) {
          if (count > 0) steepest = Math.max(steepest, Math.abs(value - last));
          last = value;
          square += value * value;
          count++;
        }
      },
    });
    expect(Math.sqrt(square / count)).toBeCloseTo(0.5 / Math.SQRT2, 2);
    // The tone's own steepest step is 0.5 · 2π · 440 / 48000 = 0.0288.
    expect(steepest).toBeLessThan(0.03);
  });

  test("resamples a stream of another rate", () => {
    const buffer = play({ seconds: 30, inputRate: 44_100 });
    expect(buffer.facts).toMatchObject({ state: "playing", underruns: 0, cuts: 0 });
  });

  test("grows with the line's jitter until it plays without gaps, and not beyond what is needed", () => {
    const random = randomFrom(1);
    let underrunsAt30s = 0;
    const buffer = play({
      seconds: 120,
      delayMs: () => 10 + random() * 70,
      look: (buffer, _out, nowMs) => {
        if (nowMs < 30_000) underrunsAt30s = buffer.facts.underruns;
      },
    });
    expect(buffer.facts.underruns).toBe(underrunsAt30s);
    // The jitter above its own mean, and half a frame.
    expect(buffer.facts.targetMs).toBeGreaterThan(35);
    expect(buffer.facts.targetMs).toBeLessThan(70);
  });

  test("learns from the rare late frame that no percentile sees", () => {
    let underrunsAtFirst = 0;
    const buffer = play({
      seconds: 180,
      delayMs: (n) => (n % 100 === 99 ? 80 : 10),
      look: (buffer, _out, nowMs) => {
        if (nowMs < 60_000) underrunsAtFirst = buffer.facts.underruns;
      },
    });
    // Some 56 frames a minute are that late.
    expect(buffer.facts.underruns - underrunsAtFirst).toBeLessThan(12);
    expect(buffer.facts.targetMs).toBeLessThan(110);
  });

  test("shrinks again on a quiet line", () => {
    const random = randomFrom(2);
    const buffer = play({ seconds: 120, delayMs: (n) => (n < 1_000 ? 10 + random() * 70 : 10) });
    expect(buffer.facts.targetMs).toBeLessThan(45);
    expect(buffer.facts.depthMs).toBeLessThan(60);
  });

  test("forgets how late sound came while the player began, and is live a moment after", () => {
    // As measured: the page that builds itself takes nothing for some 80 ms, and does it again.
    const stalls = [5, 20].map((n) => (n * FRAME * 1000) / RATE);
    let deepestMs = 0;
    const buffer = play({
      seconds: 6,
      delayMs: (n) => {
        const sentMs = (n * FRAME * 1000) / RATE;
        const stall = stalls.find((atMs) => sentMs >= atMs && sentMs < atMs + 80);
        return stall === undefined ? 10 : 10 + stall + 80 - sentMs;
      },
      look: (buffer, _out, nowMs) => {
        if (nowMs > 4_500) deepestMs = Math.max(deepestMs, buffer.facts.depthMs);
      },
    });
    expect(buffer.facts.underruns).toBeGreaterThan(0);
    expect(buffer.facts.targetMs).toBeLessThan(40);
    expect(deepestMs).toBeLessThan(60);
  });

  test("one moment at which nothing came is no lateness of the line", () => {
    const stallMs = 250;
    let deepestMs = 0;
    const buffer = play({
      seconds: 60,
      delayMs: (n) => {
        const sentMs = (n * FRAME * 1000) / RATE;
        return sentMs >= 20_000 && sentMs < 20_000 + stallMs ? 10 + 20_000 + stallMs - sentMs : 10;
      },
      look: (buffer, _out, nowMs) => {
        if (nowMs > 20_500) deepestMs = Math.max(deepestMs, buffer.facts.depthMs);
      },
    });
    expect(buffer.facts).toMatchObject({ underruns: 1, cuts: 0 });
    // A frame of 21 ms, which comes and is played, and what the underrun has taught.
    expect(deepestMs).toBeLessThan(55);
    // That is forgotten again.
    expect(buffer.facts.targetMs).toBeLessThan(20);
  });

  test("never aims beyond its cap, however bad the line is", () => {
    const random = randomFrom(3);
    const buffer = play({ seconds: 60, delayMs: () => random() * 2_500 });
    expect(buffer.facts.targetMs).toBe(250);
  });

  test("fades out when nothing comes, is silent after that, and comes back to live at once", () => {
    const pauseMs = 700;
    let loudestInPause = 0;
    let steepest = 0;
    let last: number | undefined;
    let backAtMs = Infinity;
    const buffer = play({
      seconds: 20,
      // Everything of the pause arrives in one burst at its end.
      delayMs: (n) => {
        const sentMs = (n * FRAME * 1000) / RATE;
        return sentMs >= 10_000 && sentMs < 10_000 + pauseMs ? 10 + 10_000 + pauseMs - sentMs : 10;
      },
      look: (buffer, out, nowMs) => {
        if (nowMs > 5_000)
          for (const value of out) {
            if (last !== undefined) steepest = Math.max(steepest, Math.abs(value - last));
            last = value;
          }
        // The buffer holds some 50 ms and concealment lasts 60 ms.
        if (nowMs > 10_160 && nowMs < 10_700)
          for (const value of out) loudestInPause = Math.max(loudestInPause, Math.abs(value));
        if (nowMs > 10_700 && buffer.facts.state === "playing") backAtMs = Math.min(backAtMs, nowMs);
      },
    });
    expect(loudestInPause).toBe(0);
    expect(steepest).toBeLessThan(0.06);
    expect(backAtMs).toBeLessThan(10_750);
    expect(buffer.facts.underruns).toBe(1);
    expect(buffer.facts.depthMs).toBeLessThan(buffer.facts.targetMs + 30);
  });

  test("cuts an excess that stretching would need too long for", () => {
    // The line becomes 200 ms quicker, so that much too much has piled up.
    const buffer = play({ seconds: 30, delayMs: (n) => (n < 400 ? 210 : 10) });
    expect(buffer.facts).toMatchObject({ cuts: 1, underruns: 0 });
    expect(buffer.facts.depthMs).toBeLessThan(80);
  });

  test("keeps its place when far more comes than it can hold", () => {
    const buffer = new JitterBuffer(RATE, RATE);
    const out = new Float32Array(QUANTUM);
    for (let n = 0; n < 500; n++) buffer.push(new Float32Array(FRAME).fill(0.25), n * 21.333, 0);
    for (let quantum = 0; quantum < 4; quantum++) buffer.pull(out);
    expect(out[QUANTUM - 1]).toBeCloseTo(0.25);
    expect(buffer.facts.depthMs).toBeLessThan(400);
  });
});
