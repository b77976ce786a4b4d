import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { read, root, trackedFiles } from "./sources.ts";

const PAGE = "docs/never-again.md";
/** Those that a recording must hold to; the page says where the others come. */
const HELD = Array.from({ length: 11 }, (_, i) => i + 1);
const TITLE = /(?:\b(?:test|it|describe)\(|\)\()\s*"([^"]*)"/g;

const tests = trackedFiles().filter((file) => file.endsWith(".test.ts"));
const titlesOf = (file: string): string[] => [...read(file).matchAll(TITLE)].map((match) => match[1]!);
const numbersIn = (title: string): number[] =>
  [...title.matchAll(/never-again ((?:\d+)(?:, \d+)*)/g)].flatMap((match) => match[1]!.split(", ").map(Number));
const rows = read(PAGE)
  .split("\n")
  .filter((line) => /^\| \d+ \|/.test(line));

describe("never again", () => {
  test("each of what a recording must hold to is in the title of a test", () => {
    const named = new Set(tests.flatMap(titlesOf).flatMap(numbersIn));
    expect(tests.length).toBeGreaterThan(50);
    expect(HELD.filter((number) => !named.has(number))).toEqual([]);
  });

  test("the page has all fifteen, and a test for each of those", () => {
    const numberOf = (row: string) => Number(row.split("|")[1]);
    expect([...new Set(rows.map(numberOf))]).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
    const without = rows.filter((row) => HELD.includes(numberOf(row)) && !/`[^`]+\.test\.ts` "/.test(row));
    expect(without).toEqual([]);
  });

  test("what the page names is there: files, and titles of tests", () => {
    const text = read(PAGE);
    const files = [...text.matchAll(/`((?:src|test|docs)\/[^`]+)`/g)].map((match) => match[1]!);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    const named = [...text.matchAll(/`([^`]+\.test\.ts)` ("[^"]+"(?:, "[^"]+")*)/g)].flatMap((match) =>
      [...match[2]!.matchAll(/"([^"]+)"/g)].map((title) => ({ file: match[1]!, title: title[1]! })),
    );
    expect(named.length).toBeGreaterThan(50);
    const missing = named.filter(({ file, title }) => !titlesOf(file).some((each) => each.includes(title)));
    expect(missing).toEqual([]);
  });
});
