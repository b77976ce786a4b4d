import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RecordingView } from "../../src/hub/http/views.ts";
import type { Trouble } from "../../src/protocol/protocol.ts";
import type { RoomState } from "../../src/protocol/room.ts";
import { TROUBLES } from "../../src/ui/text/terms.ts";
import { launchBrowser } from "../support/browser.ts";
import { CODE, openDeskFixture, PASSWORD, type DeskFixture } from "../support/desk-fixture.ts";
import { makeRoomMedia, MEDIA_SEGMENT_MS, type RoomMedia } from "../support/desk-media.ts";
import { DESK_SCREENS, openScreen } from "../support/desk-screens.ts";
import { ROOM_SCREENS, roomScreen, WORLDS, worldOf, type WorldName } from "../support/desk-worlds.ts";
import { openRoomFixture } from "../support/room-fixture.ts";
import { buildScreens } from "../support/screen-server.ts";
import { until } from "../support/until.ts";

let directory: string;
let screens: { desk: string; room: string };
let media: RoomMedia;
let browser: Browser;
let axe: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "desk-ui-"));
  [screens, media, browser, axe] = await Promise.all([
    buildScreens(directory),
    makeRoomMedia(directory),
    launchBrowser(),
    readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await rm(directory, { recursive: true, force: true });
});

const openDesk = (world: WorldName, signedIn = true): Promise<DeskFixture> =>
  openDeskFixture({ screen: screens.desk, world: worldOf(world, Date.now()), signedIn, media });

/** A page that notes what the browser complains of: errors, and whatever the policy forbids. */
async function openPage(options: BrowserContextOptions = {}): Promise<Page & { complaints: string[] }> {
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, ...options });
  const page = Object.assign(await context.newPage(), { complaints: [] as string[] });
  page.on("pageerror", (error) => page.complaints.push(error.message));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) page.complaints.push(message.text());
  });
  return page;
}

/** Rules of WCAG 2.2 A and AA and axe's best practices that the page breaks, with the places. */
async function findings(page: Page): Promise<string[]> {
  // Through the debugger and not as a script of the page, which its policy would refuse.
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { target: string[]; failureSummary: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} ${target.join(" ")}: ${failureSummary}`),
    );
  });
}

const scrollsSideways = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

describe.each(WORLDS)("%s", (world) => {
  test.each(["light", "dark"] as const)("every desk screen is without findings, %s", async (colorScheme) => {
    const found: string[] = [];
    const page = await openPage({ colorScheme, reducedMotion: "reduce" });
    for (const screen of DESK_SCREENS.filter(({ worlds }) => worlds.includes(world))) {
      await using desk = await openDesk(world, !screen.signedOut);
      await openScreen(page, desk, screen, world);
      found.push(...(await findings(page)).map((finding) => `${screen.name}: ${finding}`));
    }
    found.push(...page.complaints);
    await page.context().close();
    expect(found).toEqual([]);
  });

  test("at 200 % zoom nothing scrolls sideways", async () => {
    const wide: string[] = [];
    // A window of 1366 at 200 % is 683 wide for the page.
    const page = await openPage({ viewport: { width: 683, height: 384 }, deviceScaleFactor: 2 });
    for (const screen of DESK_SCREENS.filter(({ worlds }) => worlds.includes(world))) {
      await using desk = await openDesk(world, !screen.signedOut);
      await openScreen(page, desk, screen, world);
      if (await scrollsSideways(page)) wide.push(screen.name);
    }
    await page.context().close();
    expect(wide).toEqual([]);
  });
});

describe("the room's screen", () => {
  const states = ROOM_SCREENS.map((name) => [name, roomScreen(name, Date.now())] as const);
  const troubles = (Object.keys(TROUBLES) as Trouble[]).map((trouble): readonly [string, RoomState] => {
    const state = roomScreen("longNames", Date.now());
    return [trouble, { ...state, lamps: { ...state.lamps, troubles: [trouble, "diskLow"] } }];
  });

  test.each(["light", "dark"] as const)(
    "is without findings, %s, and fits whatever it has to say",
    async (colorScheme) => {
      const found: string[] = [];
      for (const viewport of [
        { width: 1920, height: 1080 },
        { width: 1366, height: 768 },
      ]) {
        await using room = await openRoomFixture({ screen: screens.room, state: states[0]![1], still: media.still });
        const page = await openPage({ colorScheme, viewport });
        await page.goto(room.url);
        await page.waitForSelector(".room h1");
        for (const [name, state] of [...states, ...troubles]) {
          const at = new Date().toISOString();
          room.show({ ...state, at, point: state.point && { ...state.point, name: `${state.point.name} ${name}` } });
          await page.waitForFunction(
            ([name, paired]) => (document.querySelector("h1")?.textContent?.includes(name!) ?? false) || paired === "",
            [name, state.point ? "paired" : ""],
          );
          await page.evaluate(() => document.fonts.ready);
          found.push(...(await findings(page)).map((finding) => `${name}: ${finding}`));
          found.push(...(await overflows(page)).map((place) => `${name} at ${viewport.height}: ${place}`));
        }
        found.push(...page.complaints);
        await page.context().close();
      }
      expect(found).toEqual([]);
    },
  );

  /** Text outside the safe margin, over other text, or smaller than 32 px at 1080 lines. */
  const overflows = (page: Page): Promise<string[]> =>
    page.evaluate(() => {
      const places: string[] = [];
      const side = innerWidth * 0.05 - 2;
      const top = innerHeight * 0.05 - 2;
      const sign = document.querySelector(".room-sign")?.getBoundingClientRect();
      for (const element of document.querySelectorAll(".room *")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim());
        if (!own || element.closest(".aside")) continue;
        const words = element.textContent?.slice(0, 40) ?? "";
        const box = element.getBoundingClientRect();
        if (box.left < side || box.right > innerWidth - side || box.top < top || box.bottom > innerHeight - top)
          places.push(`outside: ${words}`);
        if (sign && !element.closest(".room-sign") && box.bottom > sign.top && box.left < sign.right)
          places.push(`under the sign: ${words}`);
        if (Number.parseFloat(getComputedStyle(element).fontSize) < (32 * innerHeight) / 1080 - 0.1)
          places.push(`too small: ${words}`);
      }
      return places;
    });

  test("says within a second that the agent is away, and shows no recording sign then", async () => {
    await using room = await openRoomFixture({
      screen: screens.room,
      state: roomScreen("session", Date.now()),
      still: media.still,
    });
    const page = await openPage();
    await page.goto(room.url);
    await page.waitForSelector(".room-sign");
    room.leave();
    await page.waitForSelector(".room-plain", { timeout: 1_000 });
    expect(await page.locator(".room-sign").count()).toBe(0);
    await page.context().close();
  });
});

describe("by keyboard alone", () => {
  /** Presses Tab until the focus is on what these words name, as a person would who does not see where it is. */
  async function tabTo(page: Page, words: string | RegExp): Promise<void> {
    for (let i = 0; i < 80; i += 1) {
      const name = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement & { labels?: NodeListOf<HTMLLabelElement> };
        if (!element.matches("a, button, input, select, summary")) return undefined;
        return [element.getAttribute("aria-label"), element.labels?.[0]?.textContent, element.textContent]
          .map((text) => text?.trim())
          .find(Boolean);
      });
      if (name && (typeof words === "string" ? name.includes(words) : words.test(name))) return;
      await page.keyboard.press("Tab");
    }
    throw new Error(`Tab does not reach ${words}`);
  }

  test("from signing in through a new session, its start and its end in two presses", async () => {
    await using desk = await openDesk("ordinary", false);
    desk.world = { ...desk.world, sessions: [], rooms: desk.world.rooms.map((room) => ({ ...room, session: null })) };
    const page = await openPage();
    await page.goto(desk.url);
    await page.waitForSelector("form");
    await tabTo(page, "Tên đăng nhập");
    await page.keyboard.type("quantri");
    await tabTo(page, "Mật khẩu");
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForSelector("nav");

    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("Đến nội dung chính");
    await page.keyboard.press("Enter");
    await tabTo(page, "Lập buổi tiếp");
    await page.keyboard.press("Enter");
    await until("the form has the focus on its heading", () =>
      page.evaluate(
        () => document.activeElement?.tagName === "H1" && document.activeElement.textContent === "Lập buổi tiếp",
      ),
    );
    expect(await page.title()).toContain("Lập buổi tiếp");
    await tabTo(page, "Tên buổi tiếp");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("Buổi thử");
    await tabTo(page, "Chọn tất cả");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Shift+Tab");
    await tabTo(page, "Ban Tiếp công dân tỉnh");
    await page.evaluate(() => document.querySelector<HTMLElement>("h1")?.focus());
    await tabTo(page, "Điểm cầu trung tâm");
    await page.keyboard.press("ArrowDown");
    await tabTo(page, /^Lập buổi tiếp$/);
    await page.keyboard.press("Enter");

    await page.waitForURL(/buoi-tiep\/session-/);
    await tabTo(page, "Bắt đầu buổi tiếp");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".recording-mark");
    await tabTo(page, "Kết thúc…");
    await page.keyboard.press("Enter");
    await page.waitForSelector("dialog[open]");
    // The way back has the focus: a second Enter ends nothing.
    await page.keyboard.press("Enter");
    await page.waitForSelector("dialog[open]", { state: "detached" });
    expect(desk.acts.filter((path) => path.endsWith("/end"))).toEqual([]);

    await tabTo(page, "Kết thúc…");
    await page.keyboard.press("Enter");
    await page.waitForSelector("dialog[open]");
    await page.keyboard.press("Shift+Tab");
    await tabTo(page, /^Kết thúc buổi tiếp$/);
    await page.keyboard.press("Enter");
    await until("the session has ended", () => desk.world.sessions[0]?.state === "ended");
    await page.waitForSelector("text=Đã kết thúc");
    expect(page.complaints).toEqual([]);
    await page.context().close();
  });
});

describe("what a person meets", () => {
  test("a one-time password leads straight to a new one, without typing the old again", async () => {
    await using desk = await openDesk("ordinary", false);
    desk.mustChangePassword = true;
    const page = await openPage();
    await page.goto(desk.url);
    await page.fill("input[autocomplete=username]", "quantri");
    await page.fill("input[autocomplete=current-password]", PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForSelector("input[autocomplete=new-password]");
    expect(await page.locator("input[autocomplete=current-password]").count()).toBe(0);
    await page.fill("input[autocomplete=new-password]", "ngắn");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=Còn thiếu 8 ký tự.");
    await page.fill("input[autocomplete=new-password]", "bốn từ ghép lại");
    await page.keyboard.press("Enter");
    await page.waitForSelector("nav");
    await page.context().close();
  });

  test("a pairing code is pasted whole, and an occupied point asks before its box is replaced", async () => {
    await using desk = await openDesk("ordinary");
    const page = await openPage();
    await page.goto(`${desk.url}/ghep-thiet-bi`);
    await page.focus(".code input");
    await page.keyboard.insertText(" bcdf-ghjk ");
    const boxes = page.locator(".code input");
    expect([await boxes.nth(0).inputValue(), await boxes.nth(1).inputValue()]).toEqual([
      CODE.slice(0, 4),
      CODE.slice(4),
    ]);
    await page.check("input[value=existing]", { force: true });
    await page.selectOption("form select", { label: "Xã Tịnh Khê" });
    await page.click("form button[type=submit]");
    await page.waitForSelector("dialog[open]");
    expect(desk.acts).toEqual([]);
    await page.click("dialog .button-danger");
    await page.waitForSelector("text=Đã ghép thiết bị với Xã Tịnh Khê");
    await page.context().close();
  });

  test("a hub that falls silent is said at once, and the page comes back by itself", async () => {
    await using desk = await openDesk("ordinary");
    const page = await openPage();
    await page.goto(desk.url);
    await page.waitForSelector("main h1");
    desk.fallSilent();
    await page.waitForSelector(".hub-banner [role=alert]", { timeout: 2_000 });
    const [first, ...others] = desk.world.sessions;
    desk.world = { ...desk.world, sessions: [{ ...first!, name: "Đổi tên lúc vắng mặt" }, ...others] };
    desk.answer();
    await page.waitForSelector(".hub-banner", { state: "detached" });
    await page.waitForSelector("text=Đổi tên lúc vắng mặt");
    expect(await page.locator("[role=alert]").count()).toBe(0);
    await page.context().close();
  });

  test("only the rooms in view play, and pictures move", async () => {
    await using desk = await openDesk("full");
    const page = await openPage();
    let open = 0;
    page.on("websocket", (socket) => {
      open += 1;
      socket.on("close", () => {
        open -= 1;
      });
    });
    await page.goto(`${desk.url}/phong`);
    await page.waitForFunction(() => document.querySelector("video")?.videoWidth);
    expect(await page.locator(".tile").count()).toBe(124);
    expect(open).toBeGreaterThan(3);
    expect(open).toBeLessThan(24);
    await page.context().close();
  });

  test("rooms of a recording play in step from their segments, and keys step through them", async () => {
    await using desk = await openDesk("ordinary");
    const recording = playableRecording(desk.world.recordings.find(({ session }) => session.state === "ended")!);
    desk.world = { ...desk.world, recordings: [recording] };
    const page = await openPage();
    await page.goto(`${desk.url}/ban-ghi/${recording.session.id}`);
    await page.waitForFunction(() => {
      const videos = [...document.querySelectorAll("video")];
      return videos.length === 3 && videos.every((video) => video.readyState >= 3);
    });
    const times = (): Promise<number[]> =>
      page.evaluate(() => [...document.querySelectorAll("video")].map((video) => video.currentTime));
    const before = await times();
    expect(before).toHaveLength(3);
    await page.keyboard.press(" ");
    const during = await until("a second and a half has played", async () => {
      const now = await times();
      return now[0]! > before[0]! + 1.5 && now;
    });
    expect(Math.max(...during) - Math.min(...during)).toBeLessThan(0.2);
    await page.keyboard.press(" ");
    await page.waitForFunction(() => [...document.querySelectorAll("video")].every((video) => video.paused));
    const still = await times();
    await page.keyboard.press("ArrowLeft");
    await until("all rooms are a second earlier", async () =>
      (await times()).every((time, i) => Math.abs(still[i]! - 1 - time) < 0.1),
    );
    const second = await times();
    await page.keyboard.press(".");
    await until("all rooms are one picture later", async () =>
      (await times()).every((time, i) => Math.abs(time - second[i]! - 0.04) < 0.01),
    );
    expect(page.complaints).toEqual([]);
    await page.context().close();
  });

  /** The same recording cut down to the five segments that the fixture can serve. */
  const playableRecording = (view: RecordingView): RecordingView => ({
    ...view,
    rooms: view.rooms.map((room) => ({
      ...room,
      gaps: [],
      segments: room.segments.slice(0, 5).map((segment, i) => ({
        ...segment,
        startedAt: new Date(Date.parse(view.session.startedAt!) + i * MEDIA_SEGMENT_MS).toISOString(),
        durationMs: MEDIA_SEGMENT_MS,
        frames: 50,
        playlistMs: i * MEDIA_SEGMENT_MS,
      })),
    })),
  });
});
