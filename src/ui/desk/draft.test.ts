import { expect, test } from "vitest";
import type { PointId } from "../../protocol/protocol.ts";
import { choose, dayChoices, type Draft, faultsOf, findPasted, timeChoices, toSession } from "./draft.ts";

const a = "point-a" as PointId;
const b = "point-b" as PointId;
const draft: Draft = { name: " Buổi tiếp ", date: "2026-11-23", time: "08:00", points: [a, b], central: b };

test("a whole draft becomes a session at that time in Việt Nam", () => {
  expect(faultsOf(draft)).toEqual([]);
  expect(toSession(draft)).toEqual({
    name: "Buổi tiếp",
    scheduledAt: "2026-11-23T01:00:00.000Z",
    plannedMinutes: 240,
    companion: null,
    points: [
      { id: a, role: "delegate" },
      { id: b, role: "central" },
    ],
  });
});

test("another meeting system needs an https address and a name", () => {
  const url = "https://gomeet.vnpt.vn/hop/123?mat-khau=1";
  const companion = { url, name: "VNPT GoMeet" };
  const filled = { ...draft, companionUrl: ` ${url} `, companionName: " VNPT GoMeet" };
  expect(faultsOf(filled)).toEqual([]);
  expect(toSession(filled).companion).toEqual(companion);
  expect(faultsOf({ ...filled, companionName: "" })).toEqual(["missingCompanionName"]);
  for (const companionUrl of ["http://gomeet.vnpt.vn/", "gomeet.vnpt.vn", "https://ai:mat-khau@gomeet.vnpt.vn/", ""])
    expect(faultsOf({ ...filled, companionUrl })).toEqual(["wrongCompanion"]);
});

test("what is missing is named, and a session without an hour is in order", () => {
  expect(faultsOf({ name: " ", date: "", time: "", points: [], central: "" })).toEqual([
    "missingName",
    "missingPoints",
  ]);
  expect(faultsOf({ ...draft, date: "" })).toEqual(["missingDate"]);
  expect(faultsOf({ ...draft, time: "" })).toEqual(["missingTime"]);
  expect(faultsOf({ ...draft, date: "", time: "" })).toEqual([]);
  expect(faultsOf({ ...draft, points: [a] })).toEqual(["missingCentral"]);
});

test("the only point is the centre, and a centre that is left out is none", () => {
  expect(choose({ ...draft, points: [], central: "" }, [a]).central).toBe(a);
  expect(choose(draft, [a, b]).central).toBe(b);
  expect(choose({ ...draft, points: [a, b, "point-c" as PointId] }, [a, "point-c" as PointId]).central).toBe("");
});

test("days are written out and grouped by month; a day of an old draft stays", () => {
  const months = dayChoices(Date.parse("2026-11-29T03:00:00Z"), "2026-11-02");
  expect(months.map(({ label }) => label)).toEqual(["11/2026", "12/2026", "01/2027", "02/2027"]);
  expect(months[0]?.choices).toEqual([
    { value: "2026-11-02", label: "thứ Hai, 02/11/2026" },
    { value: "2026-11-29", label: "Chủ Nhật, 29/11/2026" },
    { value: "2026-11-30", label: "thứ Hai, 30/11/2026" },
  ]);
});

test("times run in quarters over the day", () => {
  const times = timeChoices().map(({ value }) => value);
  expect(times.slice(0, 2)).toEqual(["06:00", "06:15"]);
  expect(times.at(-1)).toBe("20:45");
});

test("pasted names are found without diacritics, the unknown are said", () => {
  const points = [
    { id: a, name: "Xã Đức Phổ" },
    { id: b, name: "Sở Y tế" },
  ];
  expect(findPasted("xa duc pho\nSở Y tế\t\nXã Nào Đó\n", points)).toEqual({ found: [a, b], missing: ["Xã Nào Đó"] });
});
