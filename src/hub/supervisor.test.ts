import { expect, test } from "vitest";
import { createLog, systemClock, type Clock } from "../platform/platform.ts";
import { feedSupervisor, supervisorTerms } from "./supervisor.ts";

test("terms are those that systemd gives to this very process", () => {
  const env = { NOTIFY_SOCKET: "/run/n", WATCHDOG_USEC: "60000000" };
  expect(supervisorTerms({}, 1)).toBeUndefined();
  expect(supervisorTerms(env, 1)).toEqual({ limitMs: 60_000 });
  expect(supervisorTerms({ ...env, WATCHDOG_PID: "2" }, 1)).toEqual({ limitMs: undefined });
  expect(supervisorTerms({ NOTIFY_SOCKET: "/run/n" }, 1)).toEqual({ limitMs: undefined });
});

test("a hub whose database does not answer is not said to live, and is again when it does", async () => {
  const lines: string[] = [];
  const told: string[] = [];
  const ending = new AbortController();
  let turn = 0;
  const clock: Clock = {
    ...systemClock,
    bootId: "b",
    sleep(ms) {
      expect(ms).toBe(20_000);
      if (++turn === 4) ending.abort();
      return Promise.resolve();
    },
  };
  await feedSupervisor(
    {
      clock,
      log: createLog(systemClock, (line) => lines.push(line)),
      terms: { limitMs: 60_000 },
      alive: () => (turn === 1 || turn === 2 ? Promise.reject(new Error("locked")) : Promise.resolve()),
      tell: (words) => Promise.resolve(void told.push(words.join(" "))),
    },
    ending.signal,
  );
  expect(told).toEqual(["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
  expect(lines.join("")).toContain("locked");
});
