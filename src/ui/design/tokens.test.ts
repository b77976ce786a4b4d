import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

/** WCAG 2.2 relative luminance of `#rrggbb`. */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a: string, b: string): number {
  const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (hi + 0.05) / (lo + 0.05);
}

function table(file: string): Map<string, { light: string; dark: string }> {
  const css = readFileSync(new URL(file, import.meta.url), "utf8");
  const out = new Map<string, { light: string; dark: string }>();
  for (const [, name, light, dark] of css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g))
    out.set(name!, { light: light!, dark: dark! });
  for (const [, name, both] of css.matchAll(/--([\w-]+): (#\w{6});/g)) out.set(name!, { light: both!, dark: both! });
  return out;
}

const desk = table("tokens.css");
const room = new Map([...desk, ...table("../room/room.css")]);

const TEXT_ON: Record<string, string[]> = {
  ink: ["paper", "card", "sunken", "accent-wash", "ok-wash", "warn-wash", "bad-wash"],
  "ink-soft": ["paper", "card", "sunken", "accent-wash", "warn-wash", "bad-wash"],
  accent: ["paper", "card", "sunken", "accent-wash"],
  ok: ["paper", "card", "ok-wash"],
  warn: ["paper", "card", "warn-wash"],
  bad: ["paper", "card", "bad-wash", "warn-wash"],
  rec: ["paper", "card"],
  "on-accent": ["accent", "accent-hover"],
  "on-rec": ["rec-fill"],
  "on-picture": ["picture"],
  "on-picture-soft": ["picture"],
};
const pairs = Object.entries(TEXT_ON).flatMap(([text, grounds]) => grounds.map((ground) => [text, ground] as const));

describe.each(["light", "dark"] as const)("%s", (scheme) => {
  test.each(pairs)("%s is legible on %s (AA)", (text, ground) =>
    expect(contrast(desk.get(text)![scheme], desk.get(ground)![scheme])).toBeGreaterThanOrEqual(4.5),
  );
  test.each(["paper", "card"])("outlines of fields stand out from %s", (ground) =>
    expect(contrast(desk.get("line-strong")![scheme], desk.get(ground)![scheme])).toBeGreaterThanOrEqual(3),
  );
  test.each([
    ["ink", "paper"],
    ["ink", "card"],
    ["ink-soft", "paper"],
    ["ink-soft", "card"],
    ["ok", "card"],
    ["warn", "card"],
    ["bad", "card"],
    ["ink", "bad-wash"],
    ["ink", "warn-wash"],
    ["bad", "bad-wash"],
    ["accent", "card"],
    ["on-rec", "rec-fill"],
  ])("in the room %s is legible on %s from 4 m (AAA)", (text, ground) =>
    expect(contrast(room.get(text)![scheme], room.get(ground)![scheme])).toBeGreaterThanOrEqual(7),
  );
});
