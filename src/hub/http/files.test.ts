import { expect, test } from "vitest";
import { parseRange } from "./files.ts";

test.each([
  [undefined, "whole"],
  ["bytes=0-99", { start: 0, end: 99 }],
  ["bytes=10-", { start: 10, end: 999 }],
  ["bytes=-10", { start: 990, end: 999 }],
  ["bytes=-5000", { start: 0, end: 999 }],
  ["bytes=990-5000", { start: 990, end: 999 }],
  ["bytes=999-999", { start: 999, end: 999 }],
  ["bytes=1000-", "unsatisfiable"],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=20-10", "whole"],
  ["bytes=0-1,5-6", "whole"],
  ["bytes=-", "whole"],
  ["items=0-1", "whole"],
  ["bytes=0x1-2", "whole"],
  ["bytes=99999999999999999999-", "whole"],
])("of 1000 bytes, %j is %j", (header, expected) => {
  expect(parseRange(header, 1_000)).toEqual(expected);
});

test("nothing can be cut out of an empty file", () => {
  expect(parseRange("bytes=0-", 0)).toBe("unsatisfiable");
  expect(parseRange("bytes=-1", 0)).toBe("unsatisfiable");
  expect(parseRange(undefined, 0)).toBe("whole");
});
