import { fileURLToPath } from "node:url";
import preact from "@preact/preset-vite";
import { build, defineConfig, type InlineConfig } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The desk is served by the hub, the room screen by the box: each is a whole folder of its own, from its own root. */
const screen = (name: "desk" | "room"): InlineConfig => ({
  configFile: false,
  root: at(name),
  base: "/",
  publicDir: false,
  plugins: [preact()],
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
    rolldownOptions: {
      // The protocol's schemas are not used on a screen, only its pure functions; without this zod comes along.
      treeshake: { manualPureFunctions: ["z"] },
    },
  },
});

export default defineConfig({
  root: at("desk"),
  builder: {
    async buildApp() {
      for (const name of ["desk", "room"] as const) await build(screen(name));
    },
  },
});
