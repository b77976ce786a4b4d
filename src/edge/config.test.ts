import { describe, expect, test } from "vitest";
import { ConfigError } from "../platform/platform.ts";
import { parseEdgeConfig } from "./config.ts";

const FILE = "/etc/diem-cau/box.json";
const least = { dataDirectory: "/var/lib/diem-cau", runDirectory: "/run/diem-cau", hub: { host: "hub.tinh.gov.vn" } };
const parse = (config: object) => parseEdgeConfig(JSON.stringify(config), FILE);
const refusal = (config: object): string => {
  try {
    parse(config);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("was not refused");
};

describe("box configuration", () => {
  test("needs only folders and the hub; devices are then chosen by the box", () => {
    const config = parse(least);
    expect(config.capture.source).toEqual({ kind: "auto" });
    expect(config.hub).toEqual({ host: "hub.tinh.gov.vn", port: 8443 });
    expect(config.room.port).toBe(7080);
    expect(config.sync.limitKibPerS).toBe(1_024);
  });

  test("takes relative folders and files from the file's own folder", () => {
    expect(parse({ ...least, dataDirectory: "data" }).dataDirectory).toBe("/etc/diem-cau/data");
    const source = { kind: "file", path: "film.mp4" };
    expect(parse({ ...least, capture: { source } }).capture.source).toEqual({
      ...source,
      path: "/etc/diem-cau/film.mp4",
    });
  });

  test("takes a fingerprint as openssl prints it", () => {
    const printed = Array(32).fill("AB").join(":");
    expect(parse({ ...least, hub: { host: "h", caSha256: printed } }).hub.caSha256).toBe("ab".repeat(32));
  });

  test("refuses with file, key, reason and manual page, all faults at once", () => {
    const message = refusal({ ...least, runDirectory: 3, hub: { host: "a b", prot: 1 }, extra: {} });
    expect(message).toContain(FILE);
    expect(message).toContain("runDirectory: ");
    expect(message).toContain("hub.host: must be a host name or an address");
    expect(message).toContain("hub.prot: no such key");
    expect(message).toContain("extra: no such key");
    expect(message).toContain("docs/ref/box-config.md");
    expect(message).not.toContain("\n");
  });

  test("refuses a hub with scheme or port in its name", () => {
    expect(refusal({ ...least, hub: { host: "https://hub" } })).toContain("without port or scheme");
  });

  test("refuses what is not JSON", () => {
    expect(() => parseEdgeConfig("{", FILE)).toThrow(`${FILE} is not JSON`);
  });
});
