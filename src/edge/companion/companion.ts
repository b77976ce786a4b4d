import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runForever, type Clock, type Log } from "../../platform/platform.ts";
import type { CompanionDevices, CompanionSign } from "../../protocol/protocol.ts";
import type { ShareUrls } from "../capture/capture.ts";
import type { CompanionConfig } from "./config.ts";
import { shareUrls } from "./share.ts";
import type { WantedPage } from "./wanted.ts";

export { CompanionConfig } from "./config.ts";
export { wantedPage, type WantedPage } from "./wanted.ts";

export interface CompanionOptions {
  log: Log;
  clock: Clock;
  config: CompanionConfig;
  dataDirectory: string;
  runDirectory: string;
  /** Folder of the built scripts. */
  scripts: string;
  /** What the page is told of the camera. */
  picture: CompanionDevices["picture"];
  /** What stands over the page now. */
  sign: () => CompanionSign;
  onChange: () => void;
}

const AGAIN_BASE_MS = 1_000;
const AGAIN_CAP_MS = 30_000;

/**
 * The page of another meeting system on the room's screen: a browser of its own, with the box's camera and microphone.
 *
 * INVARIANTS
 * - Nothing here can hold up the recording of the room: the encoder writes to sockets that it may lose at any time.
 * - The browser is started again for as long as the page is wanted, always with the same address, ever more slowly
 *   while it fails at once.
 */
export class Companion {
  private readonly options: CompanionOptions;
  private page: WantedPage | null = null;
  private changed = new AbortController();
  private isShowing = false;

  constructor(options: CompanionOptions) {
    this.options = options;
  }

  /** What belongs on the screen; null: nothing. Idempotent. */
  show(page: WantedPage | null): void {
    const same = this.page?.url === page?.url;
    this.page = page;
    if (same) return;
    this.changed.abort();
    this.changed = new AbortController();
    this.options.onChange();
  }

  /** What belongs there now. */
  wanted(): WantedPage | null {
    return this.page;
  }

  /** Whether the wanted page stands on the screen. */
  showing(): boolean {
    return this.isShowing;
  }

  /** Where the room's picture and sound are wanted. */
  share(): ShareUrls | null {
    return this.page && shareUrls(this.options.runDirectory);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options;
    const retry = { name: "companion", clock, log, baseMs: AGAIN_BASE_MS, capMs: AGAIN_CAP_MS };
    while (!signal.aborted) {
      const { page } = this;
      const until = AbortSignal.any([signal, this.changed.signal]);
      if (page) await runForever(retry, until, (signal) => this.runOnce(page, signal));
      else await new Promise<void>((resolve) => until.addEventListener("abort", () => resolve(), { once: true }));
    }
  }

  private async runOnce({ url }: WantedPage, signal: AbortSignal): Promise<void> {
    const { log, clock, config, dataDirectory, runDirectory, picture, sign } = this.options;
    // Only where there is a companion: a box without one starts no slower for it.
    const [{ showPage }, { openFeed }] = await Promise.all([import("./browser.ts"), import("./feed.ts")]);
    const script = (name: string) => readFile(join(this.options.scripts, `${name}.js`), "utf8");
    const scripts = { devices: await script("devices"), sign: await script("sign") };
    await using feed = await openFeed({ runDirectory, log });
    await showPage(
      {
        ...{ log, clock, config, runDirectory, url, scripts, sign },
        profile: join(dataDirectory, "companion"),
        devices: { feed: feed.address, picture },
        onShowing: (showing) => {
          if (showing === this.isShowing) return;
          this.isShowing = showing;
          log.info("companion.page", { showing });
          this.options.onChange();
        },
      },
      signal,
    );
  }
}
