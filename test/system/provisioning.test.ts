import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDatabase } from "../../src/hub/database/database.ts";
import type { ErrorView, StickDefaultsView, StickView } from "../../src/hub/http/views.ts";
import { runChecked } from "../../src/platform/platform.ts";
import { readStick } from "../../src/protocol/protocol.ts";
import { DeskCaller } from "../support/desk-caller.ts";
import { makeHubFolder, type HubFolder, type RunningHub } from "../support/hub-process.ts";

const root = join(import.meta.dirname, "../..");

test("the sticks that are given as examples can be read", async () => {
  const folder = join(root, "provisioning/stick");
  const files = await readdir(folder);
  expect(files.length).toBeGreaterThan(1);
  for (const file of files)
    expect([file, readStick(await readFile(join(folder, file), "utf8")).ok]).toEqual([file, true]);
});

describe("the hub's page for sticks", () => {
  let folder: HubFolder;
  let hub: RunningHub;
  let desk: DeskCaller;
  beforeAll(async () => {
    folder = await makeHubFolder({ hostNames: ["127.0.0.1", "10.24.0.5", "localhost", "tiepcongdan.tinh.gov.vn"] });
    hub = await folder.start();
    desk = new DeskCaller(hub.url);
    await desk.settle(hub.oneTimePassword()!, "một mật khẩu rất dài");
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  test("knows the hub's names, its port and the fingerprint that openssl prints", async () => {
    const defaults = JSON.parse((await desk.get("/api/stick")).text) as StickDefaultsView;
    const ca = join(folder.dataDirectory, "authority/ca.pem");
    const { stdout } = await runChecked(["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", ca]);
    expect(defaults).toEqual({
      hosts: ["tiepcongdan.tinh.gov.vn", "10.24.0.5"],
      port: hub.tlsPort,
      caSha256: stdout.trim().split("=")[1],
      fileName: "diem-cau.json",
    });
  });

  test("gives a file that a box reads, and writes down who had it made", async () => {
    const made = await desk.post("/api/stick", {
      host: " tiepcongdan.tinh.gov.vn ",
      port: String(hub.tlsPort),
      network: { address: "10.24.3.17/24", gateway: "10.24.3.1", dns: ["10.24.3.1"], vlan: "120", proxy: "" },
      ntp: [],
    });
    const reading = readStick((JSON.parse(made.text) as StickView).text);
    expect(reading).toMatchObject({
      ok: true,
      stick: {
        hub: { host: "tiepcongdan.tinh.gov.vn", port: hub.tlsPort },
        network: { address: "10.24.3.17/24", gateway: "10.24.3.1", dns: ["10.24.3.1"], vlan: 120 },
      },
    });
    expect(reading).not.toHaveProperty("stick.network.proxy");
    const db = await openDatabase(join(folder.dataDirectory, "hub.db"));
    const noted = await db
      .selectFrom("auditEntry")
      .select(["actor", "detail"])
      .where("act", "=", "stick.made")
      .execute();
    await db.destroy();
    expect(noted).toEqual([{ actor: "Quản trị viên", detail: expect.stringContaining("10.24.3.17/24") as string }]);
  });

  test("refuses by field what no box could use, and makes nothing of it", async () => {
    const bad = await desk.post("/api/stick", { host: "https://hub", network: { vlan: "5000" } });
    expect([bad.status, bad.code]).toEqual([400, "badStick"]);
    expect((JSON.parse(bad.text) as ErrorView).faults).toEqual([
      { code: "invalid", field: "hub.host", found: "https://hub" },
      { code: "invalid", field: "network.vlan", found: "5000" },
    ]);
    expect((await desk.post("/api/stick", { host: "hub", caSha256: "00" })).code).toBe("badRequest");
  });
});
