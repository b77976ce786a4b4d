import { describe, expect, test } from "vitest";
import { rsyncArguments } from "./sync.ts";

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
