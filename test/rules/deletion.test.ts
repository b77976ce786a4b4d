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
  // What a trial of the graphics chip encoded, in a folder of its own making.
  "src/edge/capture/hardware.ts": [/^directory,/],
  // A socket that a killed agent left.
  "src/edge/companion/feed.ts": [/^socketPath,/],
  // Everything, after an order that the hub signed: refused while a recording is not at the hub.
  "src/edge/provisioning/reset.ts": [
    /^join\(dataDirectory, name\), \{ recursive: true/,
    /^join\(dataDirectory, MARK\)/,
  ],
  // Network files of a stick of before.
  "src/edge/provisioning/apply-network-main.ts": [/^join\(root, path\)/],
  // Releases on their way to a slot, requests to the system, and the trial's own take, which was never the room's.
  "src/edge/update/staging.ts": [
    /^join\(options\.directory, other\), \{ recursive: true/,
    /^this\.(?:part|path)\(file\.name\),/,
  ],
  "src/edge/update/installer.ts": [/^file\(INSTALL_ANSWER\),/],
  "src/edge/update/install-main.ts": [/^file\)/],
  "src/edge/update/sysupdate.ts": [/^work,/],
  "src/edge/update/trial.ts": [/^home,/],
  "src/edge/identity/identity.ts": [/^keyFile\)/],
  // The adapters themselves: temporary files of their own, and what their callers name.
  "src/platform/files.ts": [/^temporary,/, /^path: string\)/, /^path\)/],
  "src/platform/inspect.ts": [/^temporary\)/, /^join\(directory, name\), \{ force: true \}/, /^path\)/],
  // Copies that came to the hub a second time; what is sealed is linked elsewhere before.
  "src/hub/archive/intake.ts": [/^path\)/],
  "src/hub/archive/viewing.ts": [/^list\)/],
  // A copy on its way from a medium, which keeps the original.
  "src/hub/archive/carried.ts": [/^partial\)/],
  // The hub's own copy of the live stream, when the recordings themselves are in the archive; and a cut under way.
  "src/hub/hub-copy/hub-copy.ts": [/^join\(directory, session\.name(?:, point\.name)?\), \{ recursive: true/],
  "src/hub/hub-copy/fill.ts": [/^cut\)/],
  "src/hub/gateway/socket-pair.ts": [/^directory,/, /^fixed,/],
  "src/hub/fleet/openssl.ts": [/^directory,/],
  "src/hub/releases/store.ts": [/^join\(this\.directory, id\), \{ recursive: true/, /^this\.part\(id, name\),/],
  "src/hub/main.ts": [/^portsFile,/],
  // What it fetched; what was taken in is linked elsewhere before.
  "src/hub/province/bringing-back.ts": [/^folder, \{ recursive: true/],
  // Its own passing folders and files, and backups beyond the number to keep.
  "src/hub/backup/backup.ts": [/^work,/, /^join\(directory, old\),/],
  "src/hub/backup/content.ts": [/^tar,/],
  "src/hub/backup/restore.ts": [/^tree,/],
  // Code, units and links of the installation. The data only in uninstall, behind the typed words.
  "src/hub/installation/installation.ts": [
    /^PLACES\.(?:upgrade|code|configDirectory),/,
    /^versionDirectory\(version\),/,
    /^join\(PLACES\.data, name\),/,
    /^PLACES\.data,/,
  ],
  "src/hub/installation/system.ts": [/^path, \{/, /^PLACES\.command,/, /^passing,/],
  "src/hub/installation/rehearsal.ts": [/^work,/],
  "src/hub/installation/bundle.ts": [/^work,/],
  "src/hub/installation/tree.ts": [/^staging,/],
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
