import { describe, expect, test } from "vitest";
import type { PointId, SessionId, TakeId } from "../../protocol/protocol.ts";
import { differencesIn, filesOfBag, filesOfSegment, parseTarget, ProvinceError, rsyncArgv } from "./plan.ts";

describe("parseTarget", () => {
  test.each([
    ["rsync://127.0.0.1:8730/diemcau", "daemon", "rsync://127.0.0.1:8730/diemcau/"],
    ["rsync://hub@kho.tinh.vn/luu-tru/2026/", "daemon", "rsync://hub@kho.tinh.vn/luu-tru/2026/"],
    ["diemcau@kho.tinh.vn:/srv/luu-tru", "ssh", "diemcau@kho.tinh.vn:/srv/luu-tru/"],
    ["/mnt/kho", "path", "/mnt/kho/"],
  ])("reads %s", (text, kind, address) => expect(parseTarget(text)).toEqual({ kind, address }));

  test.each([
    "",
    "/",
    "kho",
    "-e sh /x",
    "rsync://host",
    "rsync://host/-x/;rm",
    "host:/path",
    "-oProxyCommand=x@host:/p",
    "user@host:/a b",
    "/mnt/kho;reboot",
    "/mnt/$(x)",
    "/mnt/../etc",
  ])("refuses %j", (text) => expect(() => parseTarget(text)).toThrow(ProvinceError));
});

test("a copy is made by content and synced; a comparison changes nothing", () => {
  const target = parseTarget("rsync://h/m");
  const copy = rsyncArgv(target, "copy");
  expect(copy.slice(-2)).toEqual(["./", "rsync://h/m/"]);
  expect(copy).toEqual(
    expect.arrayContaining(["--checksum", "--fsync", "--files-from=-", "--partial-dir=.rsync-partial"]),
  );
  expect(copy.some((argument) => argument.startsWith("--delete"))).toBe(false);
  expect(rsyncArgv(target, "check")).toEqual(expect.arrayContaining(["--checksum", "--dry-run", "--itemize-changes"]));
  expect(rsyncArgv(target, "fetch").slice(-2)).toEqual(["rsync://h/m/", "./"]);
  expect(rsyncArgv(parseTarget("/mnt/kho"), "copy")).not.toContain("--contimeout=10");
  expect(() => rsyncArgv(target, "copy", "/etc/a b")).toThrow(ProvinceError);
});

test("every line of a comparison that is not an equal file is a difference", () => {
  expect(differencesIn("")).toEqual([]);
  expect(differencesIn(".f..t...... a/b.ts\n.d..t...... a/\n")).toEqual([]);
  for (const line of ["<fc........ a/b.ts", "<f+++++++++ a/b.ts", "cd+++++++++ a/", "*deleting x", "unexpected words"])
    expect(differencesIn(`.f..t...... ok\n${line}\n`)).toEqual([line]);
});

test("a bag's tag files and chains go after its segments, the tag manifest last", () => {
  const session = `session-${"a".repeat(16)}` as SessionId;
  const take = `take-${"a".repeat(16)}` as TakeId;
  const point = `point-${"a".repeat(16)}` as PointId;
  const { media, small } = filesOfSegment({ session, take, point, seq: 0 });
  const line = (path: string) => `${"0".repeat(64)}  ${path}\n`;
  const within = [media, ...small].map((path) => path.slice(session.length + 1));
  const manifest = [...within, `data/${point}/${take}/chain.jsonl`, `data/${point}/${take}/record-000000.json`];
  const files = filesOfBag(session, manifest.map(line).join(""), line("bagit.txt") + line("manifest-sha256.txt"));
  expect(files).toEqual(
    [
      `data/${point}/${take}/chain.jsonl`,
      `data/${point}/${take}/record-000000.json`,
      "bagit.txt",
      "manifest-sha256.txt",
      "tagmanifest-sha256.txt",
      "tagmanifest-sha256.txt.sig",
    ].map((path) => `${session}/${path}`),
  );
});
