import { describe, expect, test } from "vitest";
import { read, trackedFiles } from "./sources.ts";

const text = trackedFiles().filter((file) =>
  /\.(ts|tsx|css|html|md|json|sh)$|^scripts\/[a-z-]+$|^\.ci\/run$|^test\/fresh\/run$/.test(file),
);
const own = text.filter((file) => file !== "package-lock.json" && !file.startsWith("test/rules/"));
const linesWith = (files: string[], pattern: RegExp): string[] =>
  files.flatMap((file) =>
    read(file)
      .split("\n")
      .flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])),
  );

describe("words", () => {
  test("nothing is left for later", () => {
    expect(linesWith(own, /\b(TODO|FIXME|XXX|HACK)\b/)).toEqual([]);
  });

  test("no path of one machine and no registry's host is written down", () => {
    // Written so that this file does not find itself.
    const paths = /\/wor[k]\/|registry\.npm[j]s|deb\.debia[n]\.org|snapshot\.debia[n]/;
    expect(linesWith(text, paths)).toEqual([]);
  });

  test("folders name things of the domain", () => {
    const vague = /(^|\/)(utils?|helpers?|common|shared|services?|lib|misc)\//;
    // Except where Debian names the folders.
    const ours = trackedFiles().filter((file) => !/^appliance\/(root|root-screen|initrd)\//.test(file));
    expect(ours.filter((file) => vague.test(file))).toEqual([]);
  });

  test("tests wait for events and conditions, never for time", () => {
    const tests = own.filter((file) => file.endsWith(".test.ts"));
    expect(tests.length).toBeGreaterThan(20);
    expect(linesWith(tests, /\b(setTimeout|setInterval|waitForTimeout)\(|\.sleep\(|timers\/promises/)).toEqual([]);
    expect(linesWith(tests, /\b(test|it|describe)\.(skip|todo|only)\b/)).toEqual([]);
  });

  test("modules hold no state of their own", () => {
    const sources = own.filter((file) => /^src\/.*\.tsx?$/.test(file) && !file.endsWith(".test.ts"));
    expect(linesWith(sources, /^(export )?(let|var) /)).toEqual([]);
  });

  test("the clock is a parameter in what runs on box and hub", () => {
    const sources = own.filter(
      (file) => /^src\/(edge|hub|evidence|protocol|media)\/.*\.ts$/.test(file) && !file.endsWith(".test.ts"),
    );
    expect(linesWith(sources, /\bDate\.now\(\)|\bnew Date\(\)|\bperformance\.now\(\)/)).toEqual([]);
  });

  test("screens keep their wording in the text modules", () => {
    const vietnamese = /[ăâđêôơưáàảãạắằẳẵặấầẩẫậéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ]/i;
    const screens = own.filter(
      (file) => /^src\/ui\/.*\.tsx?$/.test(file) && !file.startsWith("src/ui/text/") && !file.endsWith(".test.ts"),
    );
    const code = (line: string) => !/^\s*(\/\/|\*|\/\*)/.test(line);
    expect(linesWith(screens, vietnamese).filter((hit) => code(hit.replace(/^[^:]*:\d+: /, "")))).toEqual([]);
  });
});
