import { describe, expect, it } from "vitest";
import { steppedClock } from "../../../test/support/stepped-clock.ts";
import { createLog } from "../../platform/platform.ts";
import { feedWatchdog, standingStill, watchdogTerms } from "./watchdog.ts";

const LIMIT_MS = 60_000;

/** A watchdog of a minute, and what it was told. */
function fed(
  loops: Record<string, () => number>,
  env: NodeJS.ProcessEnv = { NOTIFY_SOCKET: "/s", WATCHDOG_USEC: "60000000" },
) {
  const terms = watchdogTerms(env, 1);
  const clock = steppedClock();
  const told: string[] = [];
  const lines: string[] = [];
  const stop = new AbortController();
  const log = createLog(clock, (line) => lines.push(line));
  const notify = async (words: readonly string[]) => void told.push(...words);
  const done = feedWatchdog({ log, clock, terms, loops, notify }, stop.signal);
  const step = async (ms: number) => {
    clock.step(ms);
    await clock.slept();
  };
  return { told, lines, step, slept: () => clock.slept(), stop: () => (stop.abort(), done), done, clock };
}

describe("terms of systemd", () => {
  it("are none where nobody supervises, and no process is started for it", async () => {
    expect(watchdogTerms({}, 7)).toBeUndefined();
    const { told, done } = fed({ recording: () => 0 }, {});
    await done;
    expect(told).toEqual([]);
  });

  it("are those for this process", () => {
    const env = { NOTIFY_SOCKET: "/s", WATCHDOG_USEC: "60000000" };
    expect(watchdogTerms({ ...env, WATCHDOG_PID: "7" }, 7)).toEqual({ limitMs: LIMIT_MS });
    expect(watchdogTerms({ ...env, WATCHDOG_PID: "8" }, 7)).toEqual({ limitMs: undefined });
    expect(watchdogTerms({ NOTIFY_SOCKET: "/s" }, 7)).toEqual({ limitMs: undefined });
  });
});

describe("the watchdog", () => {
  it("is told of the start, and three times in its time of a loop that turns", async () => {
    const { told, step, slept, stop, clock } = fed({ recording: () => clock.monotonicMs() });
    await slept();
    for (let i = 0; i < 3; i++) await step(LIMIT_MS / 3);
    expect(told).toEqual(["READY=1", ...Array<string>(4).fill("WATCHDOG=1")]);
    await stop();
    expect(told.at(-1)).toBe("STOPPING=1");
  });

  it("is not fed while one loop of several stands still, and is again when it turns", async () => {
    let recordedMs = 0;
    const { told, lines, step, slept, stop, clock } = fed({
      inspection: () => clock.monotonicMs(),
      recording: () => recordedMs,
    });
    await slept();
    for (let i = 0; i < 6; i++) await step(LIMIT_MS / 3);
    const fedTimes = told.filter((word) => word === "WATCHDOG=1").length;
    expect(fedTimes).toBe(3);
    expect(lines.join("")).toMatch(/"event":"watchdog.standingStill","loops":"recording"/);
    recordedMs = clock.monotonicMs();
    await step(LIMIT_MS / 3);
    expect(told.filter((word) => word === "WATCHDOG=1")).toHaveLength(fedTimes + 1);
    await stop();
  });

  it("names what stands still", () => {
    expect(standingStill({ a: () => 0, b: () => 50_000 }, 50_000)).toEqual(["a"]);
    expect(standingStill({ a: () => 10_000 }, 50_000)).toEqual([]);
  });
});
