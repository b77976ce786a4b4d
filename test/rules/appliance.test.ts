import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "./sources.ts";

const text = (path: string) => readFileSync(join(root, "appliance", path), "utf8");
const names = (list: string) =>
  text(`packages/${list}`)
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((name) => name !== "");
const REPART = "root/usr/lib/diemcau/repart";

describe("the box's image", () => {
  test("is made of packages of which version and hash are written down", () => {
    const locked = new Map(
      text("packages.lock")
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#"))
        .map((line) => [line.split(" ")[0]!, line] as const),
    );
    const wanted = ["tools.list", "base.list", "screen.list"].flatMap(names);
    expect(wanted.length).toBeGreaterThan(30);
    expect(wanted.filter((name) => !locked.has(name))).toEqual([]);
    expect([...locked.values()].filter((line) => !/^\S+ \S+ (amd64|all) [0-9a-f]{64}$/.test(line))).toEqual([]);
  });

  test("has the same partitions with and without a TPM, but for the encryption", () => {
    for (const file of readdirSync(join(root, "appliance", REPART, "plain")))
      expect(text(`${REPART}/tpm2/${file}`).replace("Encrypt=tpm2\n", ""), file).toBe(text(`${REPART}/plain/${file}`));
    expect(text(`${REPART}/tpm2/50-data.conf`)).toContain("Encrypt=tpm2\n");
    expect(text(`${REPART}/tpm2/50-data.conf`)).toContain("FactoryReset=yes\n");
  });

  test("has slots of one size, in the image, at the first start and for updates", () => {
    const sizes = (file: string) => [...text(file).matchAll(/^Size(?:Min|Max)Bytes=(\w+)$/gm)].map((match) => match[1]);
    for (const [a, b] of [
      ["20-root-a", "30-root-b"],
      ["21-verity-a", "31-verity-b"],
    ])
      expect(sizes(`${REPART}/plain/${a}.conf`)).toEqual(sizes(`${REPART}/plain/${b}.conf`));
    const inImage = sizes("build/inside.sh");
    expect(inImage).toEqual([
      "1G",
      "1G",
      ...sizes(`${REPART}/plain/20-root-a.conf`),
      ...sizes(`${REPART}/plain/21-verity-a.conf`),
    ]);
  });

  test("the encoder outlives the agent, and the agent is watched", () => {
    const unit = text("root/usr/lib/systemd/system/diemcau-agent.service");
    for (const line of [
      "Type=notify",
      "NotifyAccess=all",
      "KillMode=process",
      "RuntimeDirectoryPreserve=yes",
      "Restart=always",
    ])
      expect(unit).toContain(`\n${line}\n`);
    expect(Number(/^WatchdogSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(45);
  });
});
