import { describe, expect, test } from "vitest";
import { makeId, type SessionId, type TakeId } from "../../protocol/protocol.ts";
import { SyncPlanner, type PendingSegment, type SyncPlan } from "./sync-plan.ts";

const session: SessionId = makeId("session", new Uint8Array(10).fill(1));
const take: TakeId = makeId("take", new Uint8Array(10).fill(2));
const segment = (seq: number, sizeBytes = 1_000_000): PendingSegment => ({ name: { session, take, seq }, sizeBytes });
const segments = (count: number, sizeBytes?: number) => Array.from({ length: count }, (_, i) => segment(i, sizeBytes));
const seqs = (plan: SyncPlan) => (plan.do === "send" ? plan.batch.map(({ name }) => name.seq) : []);

describe("sync planner", () => {
  test("sends what lacks a receipt, oldest first", () => {
    expect(seqs(new SyncPlanner().plan(segments(3), 0))).toEqual([0, 1, 2]);
  });

  test("waits for nothing when everything has its receipt", () => {
    expect(new SyncPlanner().plan([], 0)).toEqual({ do: "wait", untilMs: null });
  });

  test("keeps a batch bounded in files and bytes, and never empty", () => {
    const planner = new SyncPlanner();
    expect(seqs(planner.plan(segments(400), 0))).toHaveLength(250);
    expect(seqs(planner.plan(segments(200, 300e6), 0))).toEqual([0, 1, 2]);
    expect(seqs(planner.plan([segment(0, 2e9), segment(1)], 0))).toEqual([0]);
  });

  test("does not send again what it sent while the hub's word may still be on its way", () => {
    const planner = new SyncPlanner();
    planner.sent([segment(0)], 0);
    expect(planner.plan([segment(0)], 5_000)).toEqual({ do: "wait", untilMs: 30_000 });
    expect(seqs(planner.plan([segment(0), segment(1)], 5_000))).toEqual([1]);
  });

  test("never-again 4: a hub that stays silent gets it again, for ever, at most every ten minutes", () => {
    const planner = new SyncPlanner();
    let now = 0;
    const waits: number[] = [];
    for (let i = 0; i < 10; i++) {
      expect(seqs(planner.plan([segment(0)], now))).toEqual([0]);
      planner.sent([segment(0)], now);
      const plan = planner.plan([segment(0)], now);
      if (plan.do !== "wait" || plan.untilMs === null) throw new Error("must wait for a receipt");
      waits.push(plan.untilMs - now);
      now = plan.untilMs;
    }
    expect(waits.slice(0, 3)).toEqual([30_000, 60_000, 120_000]);
    expect(waits.at(-1)).toBe(600_000);
  });

  test("never-again 4: a failed transfer counts for none of its files, and the next try comes after a pause that grows", () => {
    const planner = new SyncPlanner();
    const pauses: number[] = [];
    let now = 0;
    for (let i = 0; i < 8; i++) {
      expect(seqs(planner.plan(segments(2), now))).toEqual([0, 1]);
      planner.failed(now);
      const plan = planner.plan(segments(2), now);
      if (plan.do !== "wait" || plan.untilMs === null) throw new Error("must pause");
      pauses.push(plan.untilMs - now);
      now = plan.untilMs;
    }
    expect(pauses[0]).toBeLessThanOrEqual(1_000);
    expect(pauses.at(-1)).toBeGreaterThan(20_000);
    expect(pauses.at(-1)).toBeLessThanOrEqual(30_000);
  });

  test("when the line is back the long pause is over, once the receipts of before the cut have had a second", () => {
    const planner = new SyncPlanner();
    for (let i = 0; i < 8; i++) planner.failed(0);
    planner.lineBack(100);
    expect(planner.plan([segment(0)], 100)).toEqual({ do: "wait", untilMs: 1_100 });
    expect(seqs(planner.plan([segment(0)], 1_100))).toEqual([0]);
  });

  test("what the hub refuses is sent again at once, and a second time later", () => {
    const planner = new SyncPlanner();
    planner.sent([segment(0)], 0);
    planner.resend(segment(0).name, 10);
    expect(seqs(planner.plan([segment(0)], 10))).toEqual([0]);
    planner.sent([segment(0)], 20);
    planner.resend(segment(0).name, 30);
    expect(planner.plan([segment(0)], 30).do).toBe("wait");
    expect(seqs(planner.plan([segment(0)], 2_100))).toEqual([0]);
  });

  test("never-again 4: a refusal that comes again and again never brings the sending to an end, nor to a storm", () => {
    const planner = new SyncPlanner();
    let now = 0;
    let sends = 0;
    while (now < 3_600_000) {
      const plan = planner.plan([segment(0)], now);
      if (plan.do === "send") {
        sends++;
        planner.sent(plan.batch, now);
        planner.resend(segment(0).name, now);
      } else now = plan.untilMs!;
    }
    expect(sends).toBeGreaterThan(55);
    expect(sends).toBeLessThan(80);
  });

  test("forgets a segment once its receipt is there", () => {
    const planner = new SyncPlanner();
    planner.sent([segment(0)], 0);
    planner.plan([], 1);
    expect(seqs(planner.plan([segment(0)], 2))).toEqual([0]);
  });
});
