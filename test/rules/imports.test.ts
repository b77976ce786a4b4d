import { describe, expect, test } from "vitest";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { importsOf, root, trackedFiles, type Import } from "./sources.ts";

/** docs/design/layout.md: which top folder may import which. The compiler enforces it too, through project references. */
const MAY_IMPORT: Record<string, string[]> = {
  protocol: [],
  media: ["protocol"],
  platform: ["protocol"],
  evidence: ["protocol", "platform"],
  edge: ["protocol", "media", "evidence", "platform"],
  hub: ["protocol", "media", "evidence", "platform"],
  ui: ["protocol", "media", "hub"],
};

const sources = trackedFiles().filter((file) => /^src\/.*\.tsx?$/.test(file) && !file.endsWith(".test.ts"));
const imports: Import[] = sources.flatMap(importsOf);
const words = ({ file, specifier }: Import) => `${file} → ${specifier}`;

const topFolder = (file: string) => file.split("/")[1]!;

/** The module a source file belongs to: its folder below src/edge, src/hub and src/ui, the top folder elsewhere. */
function moduleOf(file: string): string {
  const parts = file.split("/");
  const deep = ["edge", "hub", "ui"].includes(parts[1]!) && parts.length > 3;
  return parts.slice(0, deep ? 3 : 2).join("/");
}

describe("imports", () => {
  test("finds the sources", () => {
    expect(sources.length).toBeGreaterThan(30);
    expect(imports.length).toBeGreaterThan(100);
  });

  test("follow the import table", () => {
    const wrong = imports.filter(({ file, target }) => {
      if (target === undefined || !target.startsWith("src/")) return false;
      const from = topFolder(file);
      const to = topFolder(target);
      return from !== to && !MAY_IMPORT[from]!.includes(to);
    });
    expect(wrong.map(words)).toEqual([]);
  });

  test("of the hub, the screens take types only", () => {
    const wrong = imports.filter(
      ({ file, target, typeOnly }) => topFolder(file) === "ui" && target?.startsWith("src/hub/") && !typeOnly,
    );
    expect(wrong.map(words)).toEqual([]);
  });

  test("reach another module through its entry file only", () => {
    const wrong = imports.filter(({ file, target }) => {
      if (target === undefined || !target.startsWith("src/") || moduleOf(file) === moduleOf(target)) return false;
      const module = moduleOf(target);
      const name = module.split("/").at(-1)!;
      // Wording, design and the shapes the desk is shown are made to be imported by the file.
      if (module === "src/ui/text" || module === "src/ui/design" || target === "src/hub/http/views.ts") return false;
      if (module === "src/edge" || module === "src/hub") return false;
      return target !== `${module}/${name}.ts` && target !== `${module}/${name}.tsx`;
    });
    expect(wrong.map(words)).toEqual([]);
  });

  test("name files that exist, with their endings", () => {
    const wrong = imports.filter(({ target }) => target !== undefined && !existsSync(join(root, target)));
    expect(wrong.map(words)).toEqual([]);
  });

  test("leave processes to src/platform", () => {
    const wrong = imports.filter(
      ({ file, specifier }) => /^(node:)?child_process$/.test(specifier) && !file.startsWith("src/platform/"),
    );
    expect(wrong.map(words)).toEqual([]);
  });

  test("keep node-media-server behind one importer", () => {
    const importers = sources.filter((file) =>
      importsOf(file).some(({ specifier }) => specifier.startsWith("node-media-server")),
    );
    const requirers = trackedFiles().filter(
      (file) => file.startsWith("src/") && file.endsWith(".ts") && !file.startsWith("src/hub/ingest/"),
    );
    expect(importers.every((file) => file.startsWith("src/hub/ingest/"))).toBe(true);
    expect(
      requirers.filter((file) => importsOf(file).some(({ specifier }) => specifier.includes("node-media-server"))),
    ).toEqual([]);
  });
});
