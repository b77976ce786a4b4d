import { fileURLToPath } from "node:url";
import { preact } from "@preact/preset-vite";
import { build, defineConfig, type InlineConfig, type Plugin } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/**
 * Screens use the protocol's types and pure functions, never its schemas: their server has parsed everything. A bundler
 * cannot know that a call that makes a schema does nothing else, so it is told; without this zod comes along (40 kB
 * compressed).
 */
const schemasOnDemand = (): Plugin => ({
  name: "schemas-on-demand",
  transform: {
    filter: { id: /\/src\/protocol\/[\w-]+\.ts$/ },
    handler(code) {
      let out = code;
      for (const node of this.parse(code).body.toReversed()) {
        const declaration = node.type === "ExportNamedDeclaration" ? node.declaration : node;
        if (declaration?.type !== "VariableDeclaration") continue;
        for (const { init } of declaration.declarations.toReversed())
          if (init?.type === "CallExpression" || init?.type === "ObjectExpression")
            out = `${out.slice(0, init.start)}/*#__PURE__*/(() => (${out.slice(init.start, init.end)}))()${out.slice(init.end)}`;
      }
      return { code: out, map: null };
    },
  },
});

/** The desk is served by the hub, the room screen by the box: each is a whole folder of its own, from its own root. */
export const screen = (name: "desk" | "room"): InlineConfig => ({
  configFile: false,
  root: at(name),
  base: "/",
  publicDir: false,
  plugins: [preact(), schemasOnDemand()],
  build: {
    outDir: at(`../../dist/${name}`),
    emptyOutDir: true,
    target: "esnext",
    cssTarget: ["chrome123", "firefox121", "safari17.5"],
    sourcemap: false,
    // A data: font or script would need a looser Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // hls.js is half a megabyte and loaded by the one page that plays recordings.
    chunkSizeWarningLimit: 700,
  },
});

/** What the box puts into the page of another meeting system: one script each, whose exports are `diemcau`. */
export const COMPANION_SCRIPTS = ["devices", "sign"] as const;
export const companionScript = (
  name: (typeof COMPANION_SCRIPTS)[number],
  outDir = at("../../dist/companion"),
): InlineConfig => ({
  configFile: false,
  root: at("companion"),
  publicDir: false,
  plugins: [schemasOnDemand()],
  build: {
    outDir,
    emptyOutDir: false,
    target: "esnext",
    lib: { entry: at(`companion/${name}.ts`), formats: ["iife"], name: "diemcau", fileName: () => `${name}.js` },
  },
});

export default defineConfig({
  ...screen("desk"),
  builder: {
    async buildApp(builder) {
      await builder.build(builder.environments["client"]!);
      await build(screen("room"));
      for (const name of COMPANION_SCRIPTS) await build(companionScript(name));
    },
  },
});
