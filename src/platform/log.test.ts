import { describe, expect, test } from "vitest";
import { createLog } from "./log.ts";

describe("createLog", () => {
  const open = () => {
    const lines: Record<string, unknown>[] = [];
    const now = { ms: 0 };
    const log = createLog({ wallMs: () => now.ms, monotonicMs: () => now.ms }, (line) => lines.push(JSON.parse(line)));
    return { lines, now, log };
  };

  test("counts what repeats within a second and says how often with the next line", () => {
    const { lines, now, log } = open();
    for (let i = 0; i < 5; i++) log.warn("line.lost", { cause: "reset" });
    expect(lines).toHaveLength(1);
    now.ms = 1_000;
    log.warn("line.lost", { cause: "reset" });
    expect(lines[1]).toMatchObject({ event: "line.lost", repeated: 4 });
  });

  test("a flood that goes on is told once a minute, and once it is over as before", () => {
    const { lines, now, log } = open();
    const perSecond = (seconds: number) => {
      for (let i = 0; i < seconds * 10; i++, now.ms += 100) log.warn("gateway.refused", { reason: "notTls" });
    };
    perSecond(3_600);
    expect(lines.length).toBeLessThan(70);
    expect(lines.reduce((sum, { repeated }) => sum + 1 + Number(repeated ?? 0), 0)).toBeGreaterThan(35_300);
    now.ms += 120_000;
    log.warn("gateway.refused", { reason: "notTls" });
    const before = lines.length;
    for (let i = 0; i < 5; i++) {
      now.ms += 2_000;
      log.warn("gateway.refused", { reason: "notTls" });
    }
    expect(lines.length - before).toBeGreaterThanOrEqual(4);
  });

  test("a flood of one reason does not hide another", () => {
    const { lines, log } = open();
    for (let i = 0; i < 50; i++) log.warn("gateway.refused", { reason: "notTls" });
    log.warn("gateway.refused", { reason: "revoked" });
    expect(lines.map(({ reason }) => reason)).toEqual(["notTls", "revoked"]);
  });

  test("says every piece of information once, however fast it comes", () => {
    const { lines, log } = open();
    log.with({ box: "a" }).info("x", { n: 1 });
    log.with({ box: "a" }).info("x", { n: 2 });
    expect(lines).toMatchObject([
      { box: "a", n: 1 },
      { box: "a", n: 2 },
    ]);
  });
});
