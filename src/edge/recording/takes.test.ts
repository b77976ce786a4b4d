import { expect, it } from "vitest";
import { GENESIS } from "../../protocol/protocol.ts";
import { orderByChain } from "./takes.ts";

const take = (prev: string, hash: string) => ({ prev, hash });

it("never-again 11: takes are in the order of their chain, in whatever order the disk lists them", () => {
  const [a, b, c] = [take(GENESIS, "a"), take("a", "b"), take("b", "c")];
  expect(orderByChain([c, a, b])).toEqual([a, b, c]);
});

it("the chain of a former identity comes along", () => {
  const [a, b, x] = [take(GENESIS, "a"), take("a", "b"), take(GENESIS, "x")];
  expect(orderByChain([x, b, a])).toHaveLength(3);
});

it("takes whose predecessor is lost are kept", () => {
  const [a, c, d] = [take(GENESIS, "a"), take("lost", "c"), take("c", "d")];
  expect(orderByChain([d, c, a])).toEqual(expect.arrayContaining([a, c, d]));
  expect(orderByChain([d, c, a]).indexOf(d)).toBeGreaterThan(orderByChain([d, c, a]).indexOf(c));
});

it("never-again 2: two takes that follow the same one are both kept, and so is what follows them", () => {
  const takes = [take(GENESIS, "a"), take("a", "b"), take("a", "c"), take("b", "d"), take("c", "e")];
  expect(new Set(orderByChain(takes))).toEqual(new Set(takes));
  expect(orderByChain(takes)).toHaveLength(takes.length);
});

it("never-again 2: no take is left out, whatever it names as the one before it", () => {
  const takes = [take("y", "x"), take("x", "y"), take(GENESIS, "a"), take("z", "z")];
  expect(new Set(orderByChain(takes))).toEqual(new Set(takes));
});
