import { describe, expect, test } from "vitest";
import { judgeStick, readStick, stickText, type Stick } from "./stick.ts";

const CA = "ab".repeat(32);
const stick: Stick = {
  v: 1,
  hub: { host: "tiepcongdan.tinh.gov.vn", port: 8443, caSha256: CA },
  network: {
    address: "10.24.3.17/24",
    gateway: "10.24.3.1",
    dns: ["10.24.3.1", "10.24.0.1"],
    vlan: 120,
    proxy: "10.24.0.9:3128",
  },
  ntp: ["10.24.0.1", "vn.pool.ntp.org"],
};
const changed = (path: string, value: unknown): unknown => {
  const copy = structuredClone(stick) as unknown as Record<string, unknown>;
  const parts = path.split(".");
  const last = parts.pop()!;
  const inner = parts.reduce<Record<string, unknown>>((at, part) => at[part] as Record<string, unknown>, copy);
  if (value === undefined) delete inner[last];
  else inner[last] = value;
  return copy;
};
const faultsOf = (json: unknown) => {
  const reading = judgeStick(json);
  return reading.ok ? [] : reading.faults;
};

describe("what the hub writes", () => {
  test("is read back as it was meant, and is CRLF for Notepad", () => {
    const text = stickText(stick);
    expect(text.split("\r\n").length).toBe(text.split("\n").length);
    expect(readStick(text)).toEqual({ ok: true, stick });
  });

  test("may come back from an editor with a byte order mark, other line ends and blank lines", () => {
    const plain = stickText(stick).replaceAll("\r\n", "\n");
    for (const text of [`\uFEFF${plain}`, `\uFEFF\r\n${plain}\r\n\r\n`, plain.replaceAll("\n", "\r")])
      expect(readStick(text)).toEqual({ ok: true, stick });
  });
});

describe("what people write is understood where it has one meaning", () => {
  test.each([
    ["hub.port", "8443"],
    ["network.vlan", " 120 "],
    ["hub.caSha256", CA.toUpperCase().replaceAll(/..(?=.)/g, "$&:")],
    ["hub.caSha256", ` ${CA} `],
  ])("%s %s", (path, value) => expect(judgeStick(changed(path, value))).toEqual({ ok: true, stick }));

  test("one name server or time server without brackets, and no port at all", () => {
    expect(judgeStick(changed("network.dns", "10.24.3.1"))).toMatchObject({
      stick: { network: { dns: ["10.24.3.1"] } },
    });
    expect(judgeStick(changed("ntp", "10.24.0.1"))).toMatchObject({ stick: { ntp: ["10.24.0.1"] } });
    expect(judgeStick(changed("hub.port", undefined))).toMatchObject({ stick: { hub: { port: 8443 } } });
  });

  test("what a later hub adds is left alone", () => {
    expect(judgeStick({ ...stick, wifi: { ssid: "x" } })).toEqual({ ok: true, stick });
  });

  test("IPv6, with a link-local gateway", () => {
    const network = { address: "2001:db8::17/64", gateway: "fe80::1", dns: ["2001:db8::1"] };
    expect(judgeStick({ ...stick, network })).toMatchObject({ ok: true });
  });
});

describe("what cannot be used is told by its field", () => {
  test.each([
    ["hub.host", "https://tiepcongdan.tinh.gov.vn:8443/"],
    ["hub.host", "10.24.3.300"],
    ["hub.host", "tiếp công dân"],
    ["hub.port", 84_430],
    ["hub.caSha256", CA.slice(1)],
    ["network.address", "10.24.3.17"],
    ["network.address", "10.24.3.0/24"],
    ["network.address", "10.24.3.255/24"],
    ["network.address", "10.24.3.17/255.255.255.0"],
    ["network.gateway", "router"],
    ["network.dns", ["10.24.3"]],
    ["network.vlan", 4_095],
    ["network.proxy", "proxy"],
    ["network.proxy", "http://name:word@10.24.0.9:3128"],
    ["ntp", ["http://time"]],
    ["network", "dhcp"],
    ["hub", "tiepcongdan.tinh.gov.vn"],
  ])("%s %j", (field, found) =>
    expect(faultsOf(changed(field, found))).toMatchObject([
      { code: "invalid", field, found: typeof found === "string" ? found : JSON.stringify(found) },
    ]),
  );

  test.each(["v", "hub", "hub.host", "hub.caSha256"] as const)("%s is missing", (field) =>
    expect(faultsOf(changed(field, undefined))).toEqual([{ code: "missing", field }]),
  );

  test("all of them at once", () => {
    const both = { ...stick, hub: { host: "a b", port: 8443 } };
    expect(faultsOf(both)).toEqual([
      { code: "invalid", field: "hub.host", found: "a b" },
      { code: "missing", field: "hub.caSha256" },
    ]);
  });

  test("a gateway without an address, and one outside of the address's network", () => {
    expect(faultsOf(changed("network.address", undefined))).toEqual([{ code: "missing", field: "network.address" }]);
    expect(faultsOf(changed("network.gateway", "10.24.4.1"))).toEqual([{ code: "gatewayOutside", found: "10.24.4.1" }]);
  });

  test("keys that are nearly ours, with the one that was meant", () => {
    expect(faultsOf({ ...stick, NTP: "10.0.0.1" })).toEqual([{ code: "unknown", field: "NTP", meant: "ntp" }]);
    expect(faultsOf(changed("network.adress", "10.0.0.1/8"))).toEqual([
      { code: "unknown", field: "network.adress", meant: "network.address" },
    ]);
    expect(faultsOf(changed("hub.ca_sha256", CA))).toMatchObject([{ code: "unknown", meant: "hub.caSha256" }]);
  });

  test("a stick of a later version", () => expect(faultsOf({ v: 2 })).toEqual([{ code: "newer" }]));
});

describe("text that is no JSON is told by line and slip", () => {
  test.each([
    ["", { code: "empty" }],
    ["\uFEFF\r\n", { code: "empty" }],
    ['{\r\n  "v": 1,\r\n  “hub”: {}\r\n}', { code: "notJson", line: 3, hint: "quotes" }],
    ['{\n  "v": 1,\n  "hub": {},\n}', { code: "notJson", line: 4, hint: "comma" }],
    ['{\n  "v": 1\n  "hub": {}\n}', { code: "notJson", line: 2, hint: "comma" }],
    ['{\n  "v": 1, // one\n  "hub": {}\n}', { code: "notJson", line: 2, hint: "comment" }],
    ['{\n  "v": 1,\n  "hub": {\n    "host": "a//b"\n}\n', { code: "notJson", line: 5, hint: "unclosed" }],
    ['{\n  "v": 1,\n  "hub: {}\n}', { code: "notJson", line: 3, hint: "quotes" }],
    ["{\n  'v': 1\n}", { code: "notJson", line: 2, hint: "quotes" }],
    ["hub = x", { code: "notJson", line: 1, hint: null }],
  ])("%j", (text, fault) => expect(readStick(text)).toEqual({ ok: false, faults: [fault] }));
});
