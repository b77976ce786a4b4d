import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { build, type Rolldown } from "vite";
import { screen } from "../../src/ui/vite.config.ts";

/** ui.md: what a browser must have before the desk's first page stands, compressed, letters included. */
const LIMIT_BYTES = 120_000;
/** Weights of the first page; the others are fetched where a page uses them. */
const FIRST_WEIGHTS = /-(400|600)-normal/;

test("the desk's first load fits, and nothing that only one page needs is in it", async () => {
  const config = screen("desk");
  const result = await build({ ...config, logLevel: "error", build: { ...config.build, write: false } });
  const { output } = result as Rolldown.RolldownOutput;
  const chunks = new Map(output.flatMap((file) => (file.type === "chunk" ? [[file.fileName, file] as const] : [])));
  const entry = [...chunks.values()].find(({ isEntry }) => isEntry)!;

  const scripts = new Set<string>();
  const follow = (name: string): void => {
    if (scripts.has(name)) return;
    scripts.add(name);
    for (const next of chunks.get(name)?.imports ?? []) follow(next);
  };
  follow(entry.fileName);
  const styles = [...scripts].flatMap((name) => [...(chunks.get(name)?.viteMetadata?.importedCss ?? [])]);
  const sizes = output.flatMap((file) => {
    const bytes = file.type === "chunk" ? file.code : file.source;
    if (scripts.has(file.fileName) || styles.includes(file.fileName) || file.fileName.endsWith(".html"))
      return [gzipSync(bytes).length];
    return FIRST_WEIGHTS.test(file.fileName) ? [bytes.length] : [];
  });

  expect(styles.length).toBeGreaterThan(0);
  expect(sizes.length).toBeGreaterThan(6);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(LIMIT_BYTES);
  const modules = [...scripts].flatMap((name) => Object.keys(chunks.get(name)?.modules ?? {}));
  expect(modules.filter((id) => /hls\.js|mpegts\.js|\/zod\/|ui\/live\//.test(id))).toEqual([]);
  expect(output.filter(({ fileName }) => fileName.endsWith(".map"))).toEqual([]);
});
