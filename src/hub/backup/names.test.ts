import { expect, test } from "vitest";
import { backupName, namesOver } from "./names.ts";
import { describeMissing, recordingsTable } from "./recordings.ts";

test("a backup's name sorts by its time; the oldest over the number go, and nothing else does", () => {
  const names = ["2026-11-22T00:30:00.123Z", "2026-11-21T18:30:00.000Z", "2026-12-01T00:30:00.000Z"].map((at, i) =>
    backupName(at, i === 1),
  );
  expect(names).toEqual([
    "diemcau-hub-20261122T003000Z.tar",
    "diemcau-hub-20261121T183000Z.tar.enc",
    "diemcau-hub-20261201T003000Z.tar",
  ]);
  const folder = [...names, "hinh-ca-nhan.tar", "diemcau-hub-20261122T003000Z.tar.part", ".backup-x"];
  expect(namesOver(folder, 2)).toEqual([names[1]]);
  expect(namesOver(folder, 3)).toEqual([]);
});

test("recordings that are not there are told with what the province has of them", () => {
  const line = {
    session: "session-a",
    name: "Buổi 1",
    startedAt: "2026-11-20T01:00:00.000Z",
    segments: 4,
    atHub: 4,
    atProvince: 3,
    sizeBytes: 9,
    tagManifestSha256: "",
  };
  expect(describeMissing([line, { ...line, atProvince: 4 }])).toEqual([
    "session-a  2026-11-20  Buổi 1: kho của tỉnh có 3/4 đoạn",
    "session-a  2026-11-20  Buổi 1: kho của tỉnh có đủ",
  ]);
  expect(recordingsTable([line]).split("\n")[1]).toBe("session-a\t2026-11-20T01:00:00.000Z\t4\t4\t3\t9\t\tBuổi 1");
});
