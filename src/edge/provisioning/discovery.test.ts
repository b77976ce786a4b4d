import { describe, expect, test } from "vitest";
import type { Stick } from "../../protocol/protocol.ts";
import { discoverySteps, hubOfOption, lookForHub, type DiscoveryStep } from "./discovery.ts";
import { domainsOfResolvConf, wordsOfLease } from "./leases.ts";

const stick: Stick = { v: 1, hub: { host: "stick.tinh.vn", port: 443, caSha256: "ab".repeat(32) } };
const never = new AbortController().signal;

describe("where the hub is looked for", () => {
  test("stick, baked in, DHCP, DNS, mDNS: in this order", () => {
    const steps = discoverySteps({
      stick,
      baked: { host: "baked", port: 8443 },
      words: { hubs: ["10.1.1.1:9000", "not a host!"], domains: ["Xa.Tinh.vn.", "local", "bad domain"] },
    });
    expect(steps).toEqual<DiscoveryStep[]>([
      { find: "address", source: "stick", host: "stick.tinh.vn", port: 443 },
      { find: "address", source: "baked", host: "baked", port: 8443 },
      { find: "address", source: "dhcp", host: "10.1.1.1", port: 9000 },
      { find: "srv", name: "_diemcau._tcp.xa.tinh.vn" },
      { find: "address", source: "dns", host: "diemcau-hub.xa.tinh.vn", port: 8443 },
      { find: "mdns", name: "_diemcau._tcp.local" },
    ]);
  });

  test("a resolver that fails has found nothing, and the next is asked only when somebody still wants it", async () => {
    const asked: string[] = [];
    const resolvers = {
      srv: (name: string) => {
        asked.push(name);
        return name.includes("a.vn")
          ? Promise.reject(new Error("no such name"))
          : Promise.resolve([{ host: "h", port: 1 }]);
      },
      mdns: (name: string) => {
        asked.push(name);
        return Promise.resolve([]);
      },
    };
    const steps = discoverySteps({
      stick: null,
      baked: { host: undefined, port: 8443 },
      words: { hubs: [], domains: ["a.vn", "b.vn"] },
    });
    const found: string[] = [];
    for await (const { source, host } of lookForHub(steps, resolvers, never)) {
      found.push(`${source} ${host}`);
      if (host === "h") break;
    }
    expect(found).toEqual(["dns diemcau-hub.a.vn", "dns h"]);
    expect(asked).toEqual(["_diemcau._tcp.a.vn", "_diemcau._tcp.b.vn"]);
  });

  test.each([
    ["hub.tinh.vn", { host: "hub.tinh.vn", port: 8443 }],
    [" 10.1.1.1:443 ", { host: "10.1.1.1", port: 443 }],
    ["[2001:db8::1]:443", { host: "2001:db8::1", port: 443 }],
    ["hub:99999", undefined],
    ["https://hub", undefined],
    ["", undefined],
  ])("option 224 %j", (text, hub) => expect(hubOfOption(text)).toEqual(hub));
});

describe("what the network says", () => {
  test("a lease of systemd-networkd", () => {
    const lease = `# This is private data. Do not parse.
ADDRESS=10.77.1.100
DOMAINNAME=xa.tinh.vn
DOMAIN_SEARCH_LIST=tinh.vn vn.tinh
OPTION_224=${Buffer.from("hub.tinh.vn:443\0").toString("hex")}
`;
    expect(wordsOfLease(lease)).toEqual({ hubs: ["hub.tinh.vn:443"], domains: ["xa.tinh.vn", "tinh.vn", "vn.tinh"] });
    expect(wordsOfLease("OPTION_224=zz\n")).toEqual({ hubs: [], domains: [] });
  });

  test("resolv.conf: the last search line, and no root alone", () => {
    expect(domainsOfResolvConf("nameserver 127.0.0.53\nsearch a.vn\nsearch b.vn c.vn\n")).toEqual(["b.vn", "c.vn"]);
    expect(domainsOfResolvConf("search .\n")).toEqual([]);
  });
});
