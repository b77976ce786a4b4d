import { describe, expect, test } from "vitest";
import { diagnose, type NetworkFacts } from "./diagnosis.ts";

const wire = { name: "eth0", mac: "02:00:00:00:00:01", carrier: true, addresses: ["10.24.3.17"] };
const good: NetworkFacts = {
  wires: [wire],
  hasRoute: true,
  wallMs: Date.UTC(2027, 0, 1),
  hubKnown: true,
  probe: { outcome: "answered", clockOffMs: 40 },
};

describe("what keeps a box from its hub", () => {
  test.each<[string, Partial<NetworkFacts>, ReturnType<typeof diagnose>]>([
    ["nothing", {}, null],
    ["nothing yet", { probe: undefined }, null],
    ["no cable", { wires: [{ ...wire, carrier: false }], probe: { outcome: "unreachable" } }, "noCable"],
    ["no wired interface at all", { wires: [], probe: { outcome: "unreachable" } }, "noCable"],
    ["no address", { wires: [{ ...wire, addresses: [] }], probe: { outcome: "unreachable" } }, "noAddress"],
    ["nobody names a hub", { hubKnown: false, probe: undefined }, "hubUnknown"],
    ["no router", { hasRoute: false, probe: { outcome: "unreachable" } }, "noRouter"],
    ["a name that nobody knows", { probe: { outcome: "noName" } }, "noName"],
    ["a hub that is silent", { probe: { outcome: "unreachable" } }, "hubSilent"],
    ["another hub, which has words of its own", { probe: { outcome: "otherHub" } }, null],
    ["a clock that the hub's contradicts", { probe: { outcome: "answered", clockOffMs: -400_000 } }, "clockWrong"],
    ["a clock before the box was made", { wallMs: 0, probe: { outcome: "answered", clockOffMs: null } }, "clockWrong"],
    [
      "a spare interface without a cable is nobody's trouble",
      { wires: [{ ...wire, name: "eth1", carrier: false, addresses: [] }, wire] },
      null,
    ],
    [
      "an address on the interface without a cable does not count",
      {
        wires: [
          { ...wire, carrier: false },
          { ...wire, addresses: [] },
        ],
        probe: { outcome: "unreachable" },
      },
      "noAddress",
    ],
    ["a hub on the same wire needs no router", { hasRoute: false }, null],
  ])("%s", (_, change, trouble) => expect(diagnose({ ...good, ...change })).toBe(trouble));
});
