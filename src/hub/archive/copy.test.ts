import { expect, test } from "vitest";
import { copyFileName } from "./copy.ts";

test.each([
  ["2026-11-21T01:30:00.000Z", "Tiếp công dân định kỳ", "2026-11-21 Tiếp công dân định kỳ.zip"],
  // After midnight in Vietnam.
  ["2026-11-21T17:30:00.000Z", "Tiếp đêm", "2026-11-22 Tiếp đêm.zip"],
  ["2026-11-21T01:30:00.000Z", 'Vụ 12/2026: "đất"  <ông A>\u0007', "2026-11-21 Vụ 12 2026 đất ông A.zip"],
  ["2026-11-21T01:30:00.000Z", "Lần 2...", "2026-11-21 Lần 2.zip"],
  ["2026-11-21T01:30:00.000Z", "đ".repeat(300), `2026-11-21 ${"đ".repeat(109)}.zip`],
])("a session of %s named %j is kept as %j", (startedAt, name, file) => {
  expect(copyFileName(startedAt, name)).toBe(file);
});
