import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  adoptProcess,
  backoffMs,
  fileSize,
  makeDirectory,
  processesWith,
  processIdentity,
  startProcess,
  writeDurable,
  type Clock,
  type Log,
} from "../../platform/platform.ts";
import type { CompanionDevices, CompanionSign } from "../../protocol/protocol.ts";
import type { CompanionConfig } from "./config.ts";
import { DevTools, DevToolsError, type DevToolsEvent } from "./dev-tools.ts";
import { SHARE_FOLDER } from "./share.ts";

export interface BrowserOptions {
  log: Log;
  clock: Clock;
  config: Pick<CompanionConfig, "browser" | "arguments" | "display">;
  /** The browser's own folder: what the other system remembers of this room. */
  profile: string;
  runDirectory: string;
  url: string;
  devices: CompanionDevices;
  /** Built scripts, as text. */
  scripts: { devices: string; sign: string };
  sign: () => CompanionSign;
  onShowing: (showing: boolean) => void;
}

export class BrowserError extends Error {
  override readonly name = "BrowserError";
  readonly code: "ended" | "pageCrashed" | "pageClosed";
  constructor(code: BrowserError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** A meeting of twenty pictures must not cost the recording a frame. */
const YIELDING = ["nice", "-n", "10"];
const LOOK_MS = 1_000;
const STOP_GRACE_MS = 3_000;
const AGAIN_BASE_MS = 1_000;
const AGAIN_CAP_MS = 15_000;
/** Of the page, out of reach of its own scripts. */
const SIGN_WORLD = "diemcau";
const TARGETS = {
  autoAttach: true,
  waitForDebuggerOnStart: true,
  flatten: true,
  filter: [{ type: "page" }, { type: "iframe" }],
};

/** One of Chromium's windows, over the whole screen, with nothing of a browser around the page. */
export const browserArguments = (profile: string, more: readonly string[]): string[] => [
  ...["--remote-debugging-pipe", `--user-data-dir=${profile}`, "--ozone-platform=x11", "--kiosk"],
  ...["--window-position=0,0", "--no-first-run", "--no-default-browser-check", "--noerrdialogs"],
  ...["--hide-crash-restore-bubble", "--deny-permission-prompts", "--password-store=basic"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  // Sound and picture of the others begin without anybody's press, and go on under whatever else is on the screen.
  ...["--autoplay-policy=no-user-gesture-required", "--disable-background-timer-throttling"],
  ...["--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding"],
  // A public page may else not connect to loopback, where its camera and microphone come from.
  // And a page that has a camera is told the box's own addresses, as it would be with a camera of the browser's.
  `--disable-features=${["LocalNetworkAccessChecks", "LocalNetworkAccessChecksWebSockets", "WebRtcHideLocalIpsWithMdns", "Translate"].join(",")}`,
  ...more,
  "about:blank",
];

/**
 * One life of the browser with its page: until the signal aborts, or until it fails (then it throws). INVARIANTS: the
 * page is said to be showing only while its document stands in a window that answers; nothing of the browser is left
 * running afterwards.
 */
export async function showPage(options: BrowserOptions, signal: AbortSignal): Promise<void> {
  const { config, profile, runDirectory, clock, log } = options;
  await endLeftovers(profile);
  await prepareProfile(profile);
  const complaints = await open(join(runDirectory, SHARE_FOLDER, "browser.log"), "w", 0o600);
  try {
    const argv = [...YIELDING, config.browser, ...browserArguments(profile, config.arguments)];
    const child = await startProcess(argv, {
      env: { ...process.env, DISPLAY: config.display },
      stdio: ["ignore", complaints.fd, complaints.fd, "pipe", "pipe"],
    });
    log.info("companion.browserStarted", { pid: child.pid });
    const show = new Show(options);
    const tools = new DevTools({
      clock,
      toBrowser: child.extra[3]!,
      fromBrowser: child.extra[4]!,
      onEvent: (event) => show.onEvent(event),
    });
    const ended = child.exited.then(({ code, signal }) => {
      throw new BrowserError("ended", `the browser ended with ${code ?? signal}`);
    });
    try {
      await Promise.race([ended, show.failed, show.run(tools, signal)]);
    } finally {
      ended.catch(() => {});
      options.onShowing(false);
      const { how } = await child.stop(STOP_GRACE_MS);
      log.info("companion.browserStopped", { how });
    }
  } finally {
    await complaints.close();
  }
}

/** Nobody in a reception room answers questions of a browser. */
const PREFERENCES = { translate: { enabled: false }, credentials_enable_service: false };

async function prepareProfile(profile: string): Promise<void> {
  const path = join(profile, "Default", "Preferences");
  await makeDirectory(dirname(path));
  if ((await fileSize(path)) === undefined) await writeDurable(path, JSON.stringify(PREFERENCES));
}

/** Of a life of the agent that was killed. */
async function endLeftovers(profile: string): Promise<void> {
  for (const { pid } of processesWith(`--user-data-dir=${profile}`)) {
    const identity = processIdentity(pid);
    const leftover = identity === undefined ? undefined : adoptProcess(identity);
    leftover?.kill("SIGKILL");
    await leftover?.exited;
  }
}

class Show {
  readonly failed: Promise<never>;
  private readonly fail: (error: BrowserError) => void;
  private readonly options: BrowserOptions;
  private tools: DevTools | undefined;
  /** The window's page. */
  private main: string | undefined;
  private attached = Promise.withResolvers<string>();
  private signContext: string | undefined;
  private signShown = "";
  private unreachable = 0;
  private again = 0;

  constructor(options: BrowserOptions) {
    this.options = options;
    const failed = Promise.withResolvers<never>();
    this.failed = failed.promise;
    this.fail = failed.reject;
    failed.promise.catch(() => {});
  }

  async run(tools: DevTools, signal: AbortSignal): Promise<void> {
    const { clock, url, log } = this.options;
    this.tools = tools;
    await tools.send("Target.setAutoAttach", TARGETS);
    const main = await this.attached.promise;
    await this.fillScreen(tools, main);
    await this.open(tools, main);
    while (!signal.aborted) {
      await clock.sleep(LOOK_MS, signal).catch(() => {});
      if (signal.aborted) return;
      await this.look(tools, main);
      if (this.unreachable > 0 && clock.monotonicMs() >= this.again) {
        log.warn("companion.pageAgain", { url: new URL(url).origin, tries: this.unreachable });
        await this.open(tools, main);
      }
    }
  }

  onEvent({ method, params, target }: DevToolsEvent): void {
    const { tools } = this;
    if (method === "Target.attachedToTarget" && tools) {
      const { sessionId, targetInfo } = params as { sessionId: string; targetInfo: { type: string } };
      const isMain = this.main === undefined && targetInfo.type === "page";
      if (isMain) this.main = sessionId;
      this.prepare(tools, sessionId, targetInfo.type).then(
        () => isMain && this.attached.resolve(sessionId),
        // A frame that was gone before it could be prepared.
        (error: unknown) => isMain && this.attached.reject(error),
      );
    }
    if (method === "Page.javascriptDialogOpening" && tools)
      void tools.send("Page.handleJavaScriptDialog", { accept: true }, target).catch(() => {});
    if (method === "Target.detachedFromTarget" && params["sessionId"] === this.main)
      this.fail(new BrowserError("pageClosed", "the page closed its window"));
    if (target === undefined || target !== this.main) return;
    if (method === "Inspector.targetCrashed") this.fail(new BrowserError("pageCrashed", "the page crashed"));
    if (method === "Page.frameNavigated") this.onNavigated(params["frame"] as Frame);
    if (method === "Runtime.executionContextCreated") {
      const { name, uniqueId } = params["context"] as { name: string; uniqueId: string };
      if (name !== SIGN_WORLD) return;
      this.signContext = uniqueId;
      this.signShown = "";
      if (tools) void this.showSign(tools, target).catch(() => {});
    }
  }

  private onNavigated({ parentId, url, unreachableUrl }: Frame): void {
    if (parentId !== undefined) return;
    if (unreachableUrl !== undefined) {
      this.unreachable++;
      this.again = this.options.clock.monotonicMs() + backoffMs(this.unreachable, AGAIN_BASE_MS, AGAIN_CAP_MS);
    } else this.unreachable = 0;
    this.options.onShowing(unreachableUrl === undefined && url !== "about:blank");
  }

  /** Before any script of the page runs, in each of its frames and windows. */
  private async prepare(tools: DevTools, target: string, type: string): Promise<void> {
    const { scripts, devices } = this.options;
    const give = `${scripts.devices}\ndiemcau.shareDevices(${JSON.stringify(devices)});`;
    const sign = `if (window === top) { ${scripts.sign}\nglobalThis.diemcauSign = diemcau.openSign(); }`;
    const send = (method: string, params: object = {}) => tools.send(method, params, target);
    await Promise.all([
      send("Target.setAutoAttach", TARGETS),
      send("Page.enable"),
      // The page's own rules of what may be connected to do not know of this box.
      send("Page.setBypassCSP", { enabled: true }),
      send("Page.addScriptToEvaluateOnNewDocument", { source: `(() => { ${give} })();` }),
      ...(type === "page"
        ? [
            send("Page.addScriptToEvaluateOnNewDocument", { source: sign, worldName: SIGN_WORLD }),
            send("Runtime.enable"),
          ]
        : []),
      send("Runtime.runIfWaitingForDebugger"),
    ]);
  }

  /** A window manager does it on a box of ours; an X display that somebody else set up may have none. */
  private async fillScreen(tools: DevTools, main: string): Promise<void> {
    const asked = await tools.send(
      "Runtime.evaluate",
      { expression: "[screen.width, screen.height]", returnByValue: true },
      main,
    );
    const [width, height] = (asked["result"] as { value: [number, number] }).value;
    const { windowId } = await tools.send("Browser.getWindowForTarget", {}, main);
    // A window's size can be set only while it is an ordinary one; without its frame it then keeps it.
    for (const bounds of [{ windowState: "normal" }, { left: 0, top: 0, width, height }, { windowState: "fullscreen" }])
      await tools.send("Browser.setWindowBounds", { windowId, bounds });
  }

  private async open(tools: DevTools, main: string): Promise<void> {
    await tools.send("Browser.grantPermissions", { permissions: ["videoCapture", "audioCapture"] });
    await tools.send("Page.navigate", { url: this.options.url }, main);
  }

  /** A page that does not answer for long is a page that shows nothing: DevTools gives up on it, and so its life ends. */
  private async look(tools: DevTools, main: string): Promise<void> {
    try {
      await tools.send("Runtime.evaluate", { expression: "0" }, main);
      await this.showSign(tools, main);
    } catch (error) {
      // Between two documents there is none to ask.
      if (!(error instanceof DevToolsError) || error.code !== "refused") throw error;
    }
  }

  private async showSign(tools: DevTools, main: string): Promise<void> {
    const state = JSON.stringify(this.options.sign());
    if (this.signContext === undefined || state === this.signShown) return;
    this.signShown = state;
    const expression = `globalThis.diemcauSign?.show(${state})`;
    await tools.send("Runtime.evaluate", { expression, uniqueContextId: this.signContext }, main);
  }
}

interface Frame {
  parentId?: string;
  url: string;
  unreachableUrl?: string;
}
