import { join } from "node:path";
import { chromium, type Browser } from "playwright-core";
import { build } from "vite";

/** A production build of the page that holds players, as the desk's own pages are built. */
export async function buildPlayerPage(outDir: string): Promise<void> {
  await build({
    configFile: false,
    logLevel: "error",
    root: join(import.meta.dirname, "player-page"),
    build: { outDir, emptyOutDir: true, target: "esnext", assetsInlineLimit: 0, chunkSizeWarningLimit: 2_000 },
  });
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
}
