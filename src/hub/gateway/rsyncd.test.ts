import { describe, expect, test } from "vitest";
import { readEnding, rsyncdConf } from "./rsyncd.ts";

const frame = (text: string) => Buffer.concat([Buffer.from([7, 0, 0, 8]), Buffer.from(`${text}\n`)]);

test("only a hub that runs as root tells rsync whom to become: setgroups(2) refuses everybody else", () => {
  expect(rsyncdConf("/inbox", { uid: 0, gid: 0 }, 60)).toMatch(/^uid = 0\ngid = 0$/m);
  expect(rsyncdConf("/inbox", { uid: 990, gid: 990 }, 60)).not.toMatch(/^\s*[ug]id =/m);
});

describe("readEnding", () => {
  test.each([
    [1, "ERROR: module is write only", "read"],
    [255, "@ERROR: Unknown module 'other'", "module"],
    [4, "rsync: The server is configured to refuse --append", "option"],
    [1, "Your options have been rejected by the server.", "option"],
    [3, 'ERROR: daemon has excluded destination "x.ts"', "name"],
    [23, 'ERROR: daemon refused to receive file "000001.ts"', "name"],
    [1, "@ERROR: protocol startup error", "protocol"],
  ])("code %i with %j is a refusal: %s", (code, words, reason) => {
    expect(readEnding(code, frame(words))).toMatchObject({ kind: "refused", reason, words });
  });

  test("a refusal whose words were lost is still known by its code", () => {
    expect(readEnding(4, Buffer.alloc(0))).toMatchObject({ kind: "refused", reason: "option" });
  });

  test("an end without words or with code 0 is no refusal", () => {
    expect(readEnding(0, frame("sent 100 bytes"))).toEqual({ kind: "done" });
    expect(readEnding(null, Buffer.alloc(0))).toMatchObject({ kind: "interrupted" });
    expect(readEnding(12, frame("rsync error: error in socket IO (code 10)"))).toMatchObject({ kind: "interrupted" });
  });

  test("a name that a file bears cannot be mistaken for the client's own binary data", () => {
    expect(readEnding(0, Buffer.from([0, 1, 2, 255, 254, 10, 13]))).toEqual({ kind: "done" });
  });
});
