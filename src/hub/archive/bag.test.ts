import { expect, test } from "vitest";
import type { PointId, SessionId } from "../../protocol/protocol.ts";
import { bagInfoText, manifestText } from "./bag.ts";
import { concatList } from "./viewing.ts";

test("a session's name cannot write labels of its own into bag-info.txt", () => {
  const text = bagInfoText({
    session: `session-${"a".repeat(16)}` as SessionId,
    name: "Buổi tiếp\nPayload-Oxum: 0.0",
    startedAt: null,
    endedAt: null,
    baggedAt: "2026-11-21T10:00:00.000Z",
    rooms: [{ point: `point-${"a".repeat(16)}` as PointId, name: "Xã A", takes: 0, frames: 0 }],
    screens: [],
    payload: { files: 3, bytes: 100 },
  });
  expect(text.match(/^Payload-Oxum: .*$/gm)).toEqual(["Payload-Oxum: 100.3"]);
  expect(text).toContain("Bagging-Date: 2026-11-21\n");
  expect(text).toContain(`Room-Without-Recording: point-${"a".repeat(16)} Xã A\n`);
});

test("a manifest is sorted, so that the same content gives the same bytes", () => {
  const line = (path: string) => ({ path, sha256: "0".repeat(64), sizeBytes: 1 });
  expect(manifestText([line("data/b"), line("data/a")])).toBe(manifestText([line("data/a"), line("data/b")]));
  expect(manifestText([line("data/a")])).toBe(`${"0".repeat(64)}  data/a\n`);
});

test("files of one take are read as one stream, takes one after the other", () => {
  expect(concatList([["a/0.ts", "a/1.ts"], [], ["b/0.ts"]])).toBe(
    "ffconcat version 1.0\nfile 'concat:a/0.ts|a/1.ts'\nfile 'concat:b/0.ts'\n",
  );
});
