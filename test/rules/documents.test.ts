import { describe, expect, test } from "vitest";
import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { read, root, trackedFiles } from "./sources.ts";

const documents = trackedFiles().filter((file) => file.endsWith(".md"));

describe("documents", () => {
  test("link only to what exists", () => {
    const broken = documents.flatMap((file) =>
      [...read(file).matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)]
        .map((match) => match[1]!)
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => !existsSync(normalize(join(root, dirname(file), target))))
        .map((target) => `${file} → ${target}`),
    );
    expect(documents.length).toBeGreaterThan(5);
    expect(broken).toEqual([]);
  });

  test("each design page says its status, goals, non-goals, invariants and alternatives", () => {
    const pages = documents.filter((file) => file.startsWith("docs/design/"));
    const missing = pages.flatMap((file) => {
      const text = read(file).toLowerCase();
      return ["status", "goals", "non-goals", "invariants", "alternatives considered"]
        .filter((heading) => !text.includes(heading))
        .map((heading) => `${file} lacks ${heading}`);
    });
    expect(pages.length).toBeGreaterThan(3);
    expect(missing).toEqual([]);
  });

  test("the README begins with the two commands", () => {
    const head = read("README.md").split("\n").slice(0, 25).join("\n");
    expect(head).toContain("scripts/demo");
    expect(head).toContain("scripts/test");
  });
});
