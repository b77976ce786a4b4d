import { describe, expect, test } from "vitest";
import { read, trackedFiles } from "./sources.ts";

/** Calls that take a name out of a directory, and options that make rsync do it. */
const REMOVAL =
  /\b(?:unlink|unlinkSync|rm|rmSync|rmdir|rmdirSync|removeDurable)\(([^;\n]*)|--remove-source-files|--delete\b|"(?:rm|shred)"/g;

/** What each file may remove, by the text of the argument. Recordings of a box: space/deleter.ts and nothing else. */
const MAY_REMOVE: Record<string, RegExp[]> = {
  "src/edge/space/deleter.ts": [/^join\(this\.folder\(name\), segmentFileName\(name\.seq\)\)/],
  "src/edge/space/reserve.ts": [/^this\.path,/],
  "src/edge/capture/capture.ts": [/^join\(this\.home, name\),/],
  "src/edge/identity/identity.ts": [/^keyFile\)/],
  // The adapters themselves: temporary files of their own, and what their callers name.
  "src/platform/files.ts": [/^temporary,/, /^path: string\)/, /^path\)/],
  "src/platform/inspect.ts": [/^temporary\)/, /^join\(directory, name\), \{ force: true \}/, /^path\)/],
  // Copies that came to the hub a second time; what is sealed is linked elsewhere before.
  "src/hub/archive/intake.ts": [/^path\)/],
  "src/hub/archive/viewing.ts": [/^list\)/],
  // The hub's own copy of the live stream, when the recordings themselves are in the archive; and a cut under way.
  "src/hub/hub-copy/hub-copy.ts": [/^join\(directory, session\.name(?:, point\.name)?\), \{ recursive: true/],
  "src/hub/hub-copy/fill.ts": [/^cut\)/],
  "src/hub/gateway/socket-pair.ts": [/^directory,/, /^fixed,/],
  "src/hub/fleet/openssl.ts": [/^directory,/],
  "src/hub/main.ts": [/^portsFile,/],
};

const sources = trackedFiles().filter((file) => /^src\/(?!ui\/).*\.ts$/.test(file) && !file.endsWith(".test.ts"));

describe("removal", () => {
  test("never-again 3: nothing but the deleter unlinks a recording on a box", () => {
    const wrong = sources.flatMap((file) =>
      [...read(file).matchAll(REMOVAL)]
        .filter((match) => !(MAY_REMOVE[file] ?? []).some((allowed) => allowed.test(match[1] ?? "")))
        .map((match) => `${file}: ${match[0]}`),
    );
    expect(sources.length).toBeGreaterThan(100);
    expect(wrong).toEqual([]);
  });

  test("the rule sees the removals that there are", () => {
    const removing = sources.filter((file) => [...read(file).matchAll(REMOVAL)].length > 0);
    expect(removing.sort()).toEqual(Object.keys(MAY_REMOVE).sort());
  });
});
