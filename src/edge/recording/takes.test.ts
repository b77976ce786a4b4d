import { expect, it } from "vitest";
import { GENESIS } from "../../protocol/protocol.ts";
import { orderByChain } from "./takes.ts";

const take = (prev: string, hash: string) => ({ prev, hash });

it("takes are in the order of their chain, in whatever order the disk lists them", () => {
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
