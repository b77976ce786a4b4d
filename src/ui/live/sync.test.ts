import { describe, expect, test } from "vitest";
import { SoundSync } from "./sync.ts";

/** A second of reports of a sound that is heard `delayMs` after it was made, at stream time = wall time. */
function hearing(delayMs: number, untilMs = 1_000, jitterMs = 0): SoundSync {
  const sync = new SoundSync();
  for (let wallMs = 0, n = 0; wallMs <= untilMs; wallMs += 50, n++)
    sync.heard({ mediaMs: wallMs - delayMs - (n % 2) * jitterMs, wallMs });
  return sync;
}

describe("picture and sound", () => {
  test("a picture that leads by little is shown at once", () => {
    expect(hearing(80).waitMs(1_000 - 30, 1_000)).toBe(0);
  });

  test("an early picture waits until it leads by 65 ms, a late one does not", () => {
    const sync = hearing(150);
    expect(sync.waitMs(1_000 - 30, 1_000)).toBeCloseTo(55, 0);
    expect(sync.waitMs(1_000 - 80, 1_000)).toBeCloseTo(5, 0);
    expect(sync.waitMs(1_000 - 100, 1_000)).toBe(0);
  });

  test("reports that jitter by a render quantum do not shake the picture", () => {
    const sync = hearing(150, 3_000, 10);
    expect(Math.abs(sync.waitMs(3_000 - 30, 3_000) - 60)).toBeLessThan(4);
  });

  test("no picture waits for a sound that is very late, of another time line, or no longer heard", () => {
    expect(hearing(900).waitMs(1_000 - 30, 1_000)).toBe(120);
    expect(hearing(150).waitMs(70_000, 1_000)).toBe(0);
    expect(hearing(150).waitMs(1_600 - 30, 1_600)).toBe(0);
    expect(new SoundSync().waitMs(0, 100)).toBe(0);
  });

  test("states how far the sound is behind", () => {
    const sync = hearing(100);
    expect(sync.skewMs).toBeUndefined();
    sync.shown(1_000 - 30, 1_000);
    expect(sync.skewMs).toBeCloseTo(70, 0);
    sync.shown(1_700, 1_900);
    expect(sync.skewMs).toBeUndefined();
  });

  test("a jump of the stream's clock is followed at once", () => {
    const sync = hearing(100);
    sync.heard({ mediaMs: 90_000, wallMs: 1_050 });
    expect(sync.waitMs(90_100, 1_060)).toBeCloseTo(1_050 - 90_000 - 65 - (1_060 - 90_100), 0);
  });
});
