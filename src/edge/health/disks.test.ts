import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { judgeEmmc, judgeSmart, readDisks } from "./disks.ts";

const attribute = (id: number, value: number, raw: number) => ({
  id,
  value,
  worst: value,
  thresh: 0,
  raw: { value: raw },
});
const ata = (...table: unknown[]) =>
  JSON.stringify({
    model_name: "KINGSTON SA400S37240G",
    smart_status: { passed: true },
    ata_smart_attributes: { revision: 1, table },
  });
const nvme = (log: object) =>
  JSON.stringify({
    model_name: "Samsung SSD 970",
    smart_status: { passed: true },
    nvme_smart_health_information_log: {
      ...{ critical_warning: 0, available_spare: 100, percentage_used: 3, media_errors: 0, ...log },
    },
  });

describe("what a disk says of itself", () => {
  test("a good one is good, and says how much of its life is used", () => {
    const good = ata(attribute(5, 100, 0), attribute(197, 100, 0), attribute(231, 94, 94), attribute(194, 31, 31));
    expect(judgeSmart("sda", good)).toEqual({
      ...{ name: "sda", model: "KINGSTON SA400S37240G", state: "ok", usedPercent: 6, facts: "" },
    });
    expect(judgeSmart("nvme0n1", nvme({}))).toMatchObject({ state: "ok", usedPercent: 3 });
  });

  test("one that has used its life is worn; one that loses data, or expects to, fails", () => {
    expect(judgeSmart("sda", ata(attribute(177, 12, 900)))).toMatchObject({ state: "worn", usedPercent: 88 });
    expect(judgeSmart("sda", ata(attribute(197, 100, 8)))).toMatchObject({ state: "failing", facts: "pending: 8" });
    const gaveUp = ata().replace("true", "false");
    expect(judgeSmart("sda", gaveUp)).toMatchObject({ state: "failing" });
    expect(judgeSmart("nvme0n1", nvme({ percentage_used: 105 }))).toMatchObject({ state: "worn" });
    expect(judgeSmart("nvme0n1", nvme({ critical_warning: 8 }))).toMatchObject({ state: "failing" });
    expect(judgeSmart("nvme0n1", nvme({ media_errors: 2 }))).toMatchObject({ state: "failing" });
    // Too hot, bit 1, is another matter.
    expect(judgeSmart("nvme0n1", nvme({ critical_warning: 2 }))).toMatchObject({ state: "ok" });
  });

  test("one that says nothing is not judged", () => {
    expect(judgeSmart("vda", JSON.stringify({ smartctl: { exit_status: 2 } }))).toBeUndefined();
    expect(judgeSmart("sda", "{")).toBeUndefined();
    expect(judgeEmmc("mmcblk0", "", "")).toBeUndefined();
    expect(judgeEmmc("mmcblk0", "0x00 0x00\n", "0x00\n")).toBeUndefined();
  });

  test("an eMMC counts in tenths", () => {
    expect(judgeEmmc("mmcblk0", "0x01 0x02\n", "0x01\n")).toMatchObject({ state: "ok", usedPercent: 20 });
    expect(judgeEmmc("mmcblk0", "0x08 0x02\n", "0x01\n")).toMatchObject({ state: "worn", usedPercent: 80 });
    expect(judgeEmmc("mmcblk0", "0x01 0x01\n", "0x02\n")).toMatchObject({ state: "worn" });
    expect(judgeEmmc("mmcblk0", "0x0b 0x01\n", "0x01\n")).toMatchObject({ state: "failing" });
    expect(judgeEmmc("mmcblk0", "0x01 0x01\n", "0x03\n")).toMatchObject({ state: "failing" });
  });

  test("is read from where root left it, and from the kernel", async () => {
    const directory = await mkdtemp(join(tmpdir(), "diemcau-disks-"));
    try {
      expect(await readDisks(join(directory, "none"), join(directory, "none"))).toEqual([]);
      await writeFile(join(directory, "sda.json"), ata(attribute(231, 50, 50)));
      await writeFile(join(directory, ".sdb"), "half");
      await mkdir(join(directory, "block/mmcblk0/device"), { recursive: true });
      await writeFile(join(directory, "block/mmcblk0/device/life_time"), "0x03 0x01\n");
      const disks = await readDisks(directory, join(directory, "block"));
      expect(disks.map(({ name, usedPercent }) => [name, usedPercent])).toEqual([
        ["mmcblk0", 30],
        ["sda", 50],
      ]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
