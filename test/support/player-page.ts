import { writeFile } from "node:fs/promises";
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

const CHROMIUM = "/usr/bin/chromium";

/**
 * @param executablePath a program that starts Chromium with the arguments that it is given
 * @param trusted an origin that counts as secure, as loopback does by itself: without that there is no WebCodecs
 */
export function launchChromium(executablePath = CHROMIUM, trusted?: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      "--headless=new",
      "--no-sandbox",
      // Memory is compared when what is garbage has been collected.
      "--js-flags=--expose-gc",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
      ...(trusted === undefined ? [] : [`--unsafely-treat-insecure-origin-as-secure=${trusted}`]),
    ],
  });
}

/** Chromium in a namespace: Playwright takes a program, and speaks to it by descriptors that pass through. */
export async function chromiumInside(enter: readonly string[], directory: string): Promise<string> {
  const path = join(directory, "chromium-inside");
  await writeFile(path, `#!/bin/sh\nexec ${[...enter, CHROMIUM].join(" ")} "$@"\n`, { mode: 0o755 });
  return path;
}
