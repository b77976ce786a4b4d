import { describe, expect, test } from "vitest";
import { LIVE_KINDS, type LiveKind } from "../../protocol/protocol.ts";
import { isSent, LinePolicy } from "./line.ts";

/** Bytes a second that each program writes. */
const RATES: Record<LiveKind, number> = { video: 55_000, small: 16_000, audio: 9_000 };
const LOOK_MS = 500;

/** A line with one queue, in which each has the share of what it puts in, and a sync that always has more to send. */
class Line {
  readonly policy = new LinePolicy();
  bytesPerS: number;
  syncCeiling: number | undefined;
  nowMs = 0;
  /** Everything that was decided, with its time. */
  readonly decided: string[] = [];
  private readonly entered: Record<LiveKind | "sync", number> = { video: 0, small: 0, audio: 0, sync: 0 };
  private readonly delivered: Record<LiveKind | "sync", number> = { video: 0, small: 0, audio: 0, sync: 0 };

  constructor(bytesPerS: number, syncCeiling?: number) {
    this.bytesPerS = bytesPerS;
    this.syncCeiling = syncCeiling;
  }

  waiting(kind: LiveKind | "sync"): number {
    return this.entered[kind] - this.delivered[kind];
  }

  run(seconds: number): this {
    for (const endMs = this.nowMs + seconds * 1_000; this.nowMs < endMs;) this.step();
    return this;
  }

  private step(): void {
    const { policy } = this;
    const share = LOOK_MS / 1_000;
    for (const kind of LIVE_KINDS) {
      if (isSent(kind, policy.quality)) this.entered[kind] += RATES[kind] * share;
      else this.entered[kind] = this.delivered[kind];
    }
    if (this.syncCeiling !== undefined)
      this.entered.sync = Math.max(
        this.entered.sync,
        this.delivered.sync + policy.syncLimitKibPerS(this.syncCeiling) * 1_024 * share,
      );
    const kinds = [...LIVE_KINDS, "sync"] as const;
    const waiting = kinds.reduce((sum, kind) => sum + this.waiting(kind), 0);
    const part = waiting === 0 ? 0 : Math.min(1, (this.bytesPerS * share) / waiting);
    for (const kind of kinds) this.delivered[kind] += part * this.waiting(kind);
    this.nowMs += LOOK_MS;
    const before = policy.quality;
    const passage = (kind: LiveKind | "sync") => ({
      enteredBytes: this.entered[kind],
      deliveredBytes: this.delivered[kind],
    });
    policy.look({
      nowMs: this.nowMs,
      live: { video: passage("video"), small: passage("small"), audio: passage("audio") },
      sync: passage("sync"),
    });
    if (policy.quality !== before) this.decided.push(policy.quality);
  }
}

describe("a line that shrinks", () => {
  test("a line with room is left alone, also with a round trip of 300 ms in its queues", () => {
    expect(new Line(125_000).run(600).decided).toEqual([]);
  });

  test("never-again 6: at 256 kbit/s the large picture goes within 5 s, and small picture and sound stay", () => {
    const line = new Line(125_000).run(30);
    line.bytesPerS = 32_000;
    line.run(5);
    expect(line.decided).toEqual(["small"]);
    expect(line.run(5).waiting("audio")).toBeLessThan(RATES.audio / 2);
  });

  test("never-again 6: at 150 kbit/s only the sound stays, in one step, and what waits for it is gone soon", () => {
    const line = new Line(125_000).run(30);
    line.bytesPerS = 18_750;
    line.run(5);
    expect(line.decided).toEqual(["sound"]);
    expect(line.run(4).waiting("audio")).toBeLessThan(RATES.audio / 2);
  });

  test("a better quality is tried after 10 s without pressure, and comes back for good when the line does", () => {
    const line = new Line(18_750).run(5);
    line.bytesPerS = 125_000;
    line.run(30);
    expect(line.decided).toEqual(["sound", "small", "full"]);
    expect(line.run(300).decided).toHaveLength(3);
  });

  test("tries that fail become rarer: a poor hour has few of them", () => {
    const line = new Line(32_000).run(3_600);
    const tries = line.decided.filter((quality) => quality === "full").length;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(25);
  });

  test("a dead line is no slow line: nothing steps down, and all is there when it is back", () => {
    const line = new Line(125_000).run(30);
    line.bytesPerS = 0;
    expect(line.run(20).decided).toEqual([]);
  });
});

test("a dead line is no slow line either where it died between two looks, and the last second saw it well", () => {
  const policy = new LinePolicy();
  const passage = (rate: number, nowMs: number) => ({
    enteredBytes: (rate * nowMs) / 1_000,
    deliveredBytes: (rate * Math.min(nowMs, 1_300)) / 1_000,
  });
  for (const nowMs of [0, 1_000, 2_000, 2_500, 3_000, 3_500])
    policy.look({
      nowMs,
      live: { video: passage(55_000, nowMs), small: passage(16_000, nowMs), audio: passage(9_000, nowMs) },
      sync: { enteredBytes: 0, deliveredBytes: 0 },
    });
  expect(policy.quality).toBe("full");
});

describe("the sync beside live streams", () => {
  test("yields before any picture does, and leaves the live streams undisturbed", () => {
    // 150 kB/s carry 80 kB/s of live; the sync begins at 256 KiB/s.
    const line = new Line(150_000, 1_024).run(120);
    expect(line.decided).toEqual([]);
    expect(line.policy.syncLimitKibPerS(1_024)).toBeLessThan(150);
    expect(line.policy.syncLimitKibPerS(1_024)).toBeGreaterThan(20);
  });

  test("begins at the floor on a line that has proven narrow before there was anything to sync", () => {
    const line = new Line(125_000).run(30);
    line.bytesPerS = 37_500;
    line.run(10);
    expect(line.decided).toEqual(["small"]);
    expect(line.policy.syncLimitKibPerS(1_024)).toBe(4);
  });

  test("takes what a wide line leaves, up to its ceiling", () => {
    expect(new Line(5e6, 1_024).run(60).policy.syncLimitKibPerS(1_024)).toBe(1_024);
    expect(new Line(5e6, 100).run(60).policy.syncLimitKibPerS(100)).toBe(100);
  });
});
