import { expect, test } from "vitest";
import { planPast } from "./past.ts";

const chainOf = (chain: string, ...done: boolean[]) => done.map((isDone, n) => ({ chain, n, isDone }));
const leaving = (takes: ReturnType<typeof chainOf>) => planPast(takes).map(({ chain, n }) => `${chain}${n}`);

test("the oldest takes leave, as far as nothing is left to do for any of them", () => {
  expect(leaving(chainOf("a", true, true, false, true, true))).toEqual(["a0", "a1"]);
  expect(leaving(chainOf("a", false, true, true))).toEqual([]);
});

test("the newest of a chain stays, since the next take names its last record", () => {
  expect(leaving(chainOf("a", true, true, true))).toEqual(["a0", "a1"]);
  expect(leaving(chainOf("a", true))).toEqual([]);
});

test("each chain has its own run: a former identity's takes, never receipted, hold up nobody", () => {
  expect(leaving([...chainOf("a", false, false), ...chainOf("b", true, false)])).toEqual(["b0"]);
});
