import { describe, expect, test } from "vitest";
import { isQuiteAnother, rsyncArguments } from "./sync.ts";

test("a transfer is begun anew when its limit is set, lifted, or nearly doubles or halves", () => {
  expect(isQuiteAnother(100, undefined)).toBe(true);
  expect(isQuiteAnother(undefined, 100)).toBe(true);
  expect(isQuiteAnother(undefined, undefined)).toBe(false);
  expect(isQuiteAnother(100, 150)).toBe(false);
  expect(isQuiteAnother(100, 225)).toBe(true);
  expect(isQuiteAnother(100, 50)).toBe(true);
});

describe("rsync's arguments", () => {
  test("hold nothing that a shell would have to escape, and no name of a file", () => {
    expect(rsyncArguments(41_234, 512)).toEqual([
      "-R",
      "--files-from=-",
      "--partial-dir=.rsync-partial",
      "--timeout=20",
      "--bwlimit=512",
      "./",
      "rsync://127.0.0.1:41234/inbox/",
    ]);
  });

  test("name no limit where there is none", () => {
    expect(rsyncArguments(1, undefined).join(" ")).not.toContain("bwlimit");
  });
});
