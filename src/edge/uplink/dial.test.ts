import type { LookupAddress } from "node:dns";
import { describe, expect, test } from "vitest";
import { createLookup } from "./dial.ts";

type Answer = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/** A name server whose answers are given by hand. */
function nameServer() {
  const queries: Answer[] = [];
  const resolve = ((_host: string, _options: unknown, answer: Answer) => queries.push(answer)) as never;
  return { queries, lookup: createLookup(resolve) };
}

const ask = (lookup: ReturnType<typeof createLookup>, host = "hub") => {
  const asked: { error: Error | null; address: string | LookupAddress[] } = { error: null, address: "" };
  lookup(host, { all: false }, (error, address) => Object.assign(asked, { error, address }));
  return asked;
};

describe("looking up the hub", () => {
  test("however many ask, one query is under way", () => {
    const { queries, lookup } = nameServer();
    const asked = [ask(lookup), ask(lookup), ask(lookup)];
    expect(queries).toHaveLength(1);
    queries[0]!(null, [{ address: "10.0.0.1", family: 4 }]);
    expect(asked.map(({ address }) => address)).toEqual(["10.0.0.1", "10.0.0.1", "10.0.0.1"]);
  });

  test("while the name server is silent or fails, the last known address serves", () => {
    const { queries, lookup } = nameServer();
    ask(lookup);
    queries[0]!(null, [{ address: "10.0.0.1", family: 4 }]);
    const first = ask(lookup);
    const second = ask(lookup);
    expect(queries).toHaveLength(2);
    expect(second.address).toBe("10.0.0.1");
    queries[1]!(new Error("EAI_AGAIN"), []);
    expect(first.address).toBe("10.0.0.1");
  });

  test("a name that was never found is an error", () => {
    const { queries, lookup } = nameServer();
    const asked = ask(lookup);
    queries[0]!(new Error("ENOTFOUND"), []);
    expect(asked.error?.message).toBe("ENOTFOUND");
  });

  test("an address needs no name server", () => {
    const { queries, lookup } = nameServer();
    expect(ask(lookup, "192.0.2.7").address).toBe("192.0.2.7");
    expect(queries).toHaveLength(0);
  });
});
