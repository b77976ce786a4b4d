import { expect, test } from "vitest";
import { admit, createDoors, isSpent, TRIES_CLOSED_CAP_MS, TRIES_WINDOW_MS, type Tries } from "./tries.ts";

/** Tries until refused; how many were let through. */
function storm(past: Tries | undefined, nowMs: number): { let: number; tries: Tries; retryAfterMs: number } {
  let tries = past;
  for (let count = 0; ; count++) {
    const admission = admit(tries, nowMs);
    if (!admission.ok) return { let: count, tries: tries!, retryAfterMs: admission.retryAfterMs };
    tries = admission.tries;
  }
}

test("five tries pass, the sixth meets a door that is closed for a quarter of an hour", () => {
  const { let: passed, retryAfterMs } = storm(undefined, 0);
  expect(passed).toBe(5);
  expect(retryAfterMs).toBe(TRIES_WINDOW_MS);
});

test("each further closing lasts twice as long, up to a cap", () => {
  let now = 0;
  let tries: Tries | undefined;
  const waits: number[] = [];
  for (let round = 0; round < 7; round++) {
    const result = storm(tries, now);
    expect(result.let).toBe(5);
    waits.push(result.retryAfterMs / TRIES_WINDOW_MS);
    tries = result.tries;
    now += result.retryAfterMs;
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 16, 16]);
});

test("tries that are far apart never close the door", () => {
  let tries: Tries | undefined;
  for (let i = 0; i < 50; i++) {
    const admission = admit(tries, i * (TRIES_WINDOW_MS / 3));
    expect(admission.ok).toBe(true);
    if (admission.ok) tries = admission.tries;
  }
});

test("a history is spent when its longest consequence is over", () => {
  const { tries } = storm(undefined, 0);
  expect(isSpent(tries, TRIES_WINDOW_MS)).toBe(false);
  expect(isSpent(tries, TRIES_WINDOW_MS + TRIES_CLOSED_CAP_MS)).toBe(true);
});

test("one closed door refuses a try at two, and the other door does not count it", () => {
  const doors = createDoors(() => 0);
  for (let i = 0; i < 5; i++) expect(doors.admit("login a", `address ${i}`).ok).toBe(true);
  expect(doors.admit("login a", "address 9").ok).toBe(false);
  for (let i = 0; i < 5; i++) expect(doors.admit("address 9").ok).toBe(true);
  expect(doors.admit("address 9").ok).toBe(false);
});

test("success forgets: the next wrong password is the first again", () => {
  const doors = createDoors(() => 0);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 4; i++) expect(doors.admit("login a").ok).toBe(true);
    doors.forget("login a");
  }
});
