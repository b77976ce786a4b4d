import { expect, test } from "vitest";
import { parseHubConfig } from "./config.ts";

const parse = (config: unknown) => parseHubConfig(JSON.stringify(config), "/etc/diem-cau/hub.json");

test("a data directory is enough", () => {
  expect(parse({ dataDirectory: "/var/lib/diem-cau" })).toMatchObject({
    dataDirectory: "/var/lib/diem-cau",
    listen: { host: "::", port: 8443 },
    loopback: { port: 8080 },
    hostNames: ["localhost"],
    province: null,
  });
});

test("relative folders are taken from the file's folder", () => {
  expect(parse({ dataDirectory: "data", ui: "desk" })).toMatchObject({
    dataDirectory: "/etc/diem-cau/data",
    ui: "/etc/diem-cau/desk",
  });
});

test.each([
  [{}, "dataDirectory"],
  [{ dataDirectory: "" }, "dataDirectory"],
  [{ dataDirectory: "d", listen: { port: 70_000 } }, "listen.port"],
  [{ dataDirectory: "d", listen: { port: "8443" } }, "listen.port"],
  [{ dataDirectory: "d", loopback: { host: "0.0.0.0" } }, "loopback.host: no such key"],
  [{ dataDirectory: "d", hostNames: ["hub_1;rm"] }, "hostNames.0"],
  [{ dataDirectory: "d", hostNames: [] }, "hostNames"],
  [{ dataDirectory: "d", province: {} }, "province.target"],
  [{ dataDirectory: "d", dataDirectroy: "d" }, "dataDirectroy: no such key"],
  [[], "(the whole file)"],
])("%j is refused, naming file, key and manual page", (config, key) => {
  expect(() => parse(config)).toThrow(key);
  expect(() => parse(config)).toThrow(/^\/etc\/diem-cau\/hub\.json: .*; see docs\/ref\/hub-config\.md$/);
});

test("text that is not JSON is refused by name", () => {
  expect(() => parseHubConfig("{ dataDirectory: }", "hub.json")).toThrow(/^hub\.json is not JSON .*hub-config\.md$/);
});
