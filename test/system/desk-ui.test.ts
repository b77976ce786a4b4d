import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RecordingView, SessionEventView } from "../../src/hub/http/views.ts";
import type { Trouble } from "../../src/protocol/protocol.ts";
import type { RoomState } from "../../src/protocol/room.ts";
import { readStick } from "../../src/protocol/stick.ts";
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
        await using room = await openRoomFixture({ screen: screens.room, state: states[0]![1], media });
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
        if (!own || element.closest(".aside, [hidden]")) continue;
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
      media,
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

describe("the room among others", () => {
  const talk = (name: "talk" | "ready") => roomScreen(name, Date.now());

  test("one key asks for the floor, and takes it back", async () => {
    const state = talk("talk");
    await using room = await openRoomFixture({ screen: screens.room, state, media });
    const page = await openPage({ viewport: { width: 1920, height: 1080 } });
    await page.goto(room.url);
    await page.waitForSelector(".talk button");
    await page.keyboard.press("Enter");
    await until("the hand is raised", () => room.hands.length === 1);
    const own = { ...state.stage!.own, hand: new Date().toISOString() };
    room.show({ ...state, stage: { ...state.stage!, own } });
    await page.waitForSelector("button[aria-pressed=true]");
    await page.keyboard.press("Enter");
    await until("the hand is lowered", () => room.hands.length === 2);
    expect(room.hands).toEqual([true, false].map((raised) => ({ session: state.stage!.session, raised })));
    expect(page.complaints).toEqual([]);
    await page.context().close();
  });

  test("a pointer is seen only while somebody moves it", async () => {
    await using room = await openRoomFixture({ screen: screens.room, state: talk("talk"), media });
    const page = await openPage({ viewport: { width: 1920, height: 1080 } });
    await page.goto(room.url);
    await page.waitForSelector(".talk button");
    const pointers = () =>
      page.evaluate(() =>
        [".talk", ".talk button"].map((place) => getComputedStyle(document.querySelector(place)!).cursor),
      );
    expect(await pointers()).toEqual(["none", "none"]);
    await page.mouse.move(300, 300);
    expect(await pointers()).toEqual(["auto", "pointer"]);
    await until("it is hidden again", async () => (await pointers()).join() === "none,none");
    await page.context().close();
  });

  test("a picture without anything in it is never left without words", async () => {
    await using room = await openRoomFixture({
      screen: screens.room,
      state: talk("talk"),
      media,
      remote: media.black,
    });
    const page = await openPage({ viewport: { width: 1920, height: 1080 } });
    await page.goto(room.url);
    await page.waitForSelector(".talk-large .talk-words:has-text('Hình tối đen')", { timeout: 20_000 });
    expect(page.complaints).toEqual([]);
    await page.context().close();
  });

  test("a room that moves between large and small keeps its picture", async () => {
    const state = talk("talk");
    await using room = await openRoomFixture({ screen: screens.room, state, media });
    const page = await openPage({ viewport: { width: 1920, height: 1080 } });
    await page.goto(room.url);
    const playing = () =>
      page.evaluate(() => [...document.querySelectorAll("video")].filter(({ videoWidth }) => videoWidth > 0).length);
    await until("both others are seen", async () => (await playing()) === 2, { withinMs: 10_000 });
    const turned = state.stage!.rooms.map((one) => ({
      ...one,
      size: one.size === "large" ? ("small" as const) : ("large" as const),
    }));
    const [first] = await page.locator(".talk-large video").elementHandles();
    room.show({ ...state, stage: { ...state.stage!, rooms: turned.toReversed() } });
    await page.waitForFunction((video) => !(video as Element).closest(".talk-large"), first!);
    expect(await first!.evaluate((video) => video.isConnected)).toBe(true);
    expect(await playing()).toBe(2);
    await page.context().close();
  });

  test("before a session the microphone is tried by speaking, and is said to hear or not", async () => {
    await using room = await openRoomFixture({ screen: screens.room, state: talk("ready"), media });
    const page = await openPage({ viewport: { width: 1920, height: 1080 } });
    await page.goto(room.url);
    await page.waitForSelector(".room h1");
    room.hear({ lufs: -62, speech: false });
    await page.waitForSelector(".room-try:has-text('chưa nghe thấy')");
    room.hear({ lufs: -24, speech: true });
    await page.waitForSelector(".room-try:has-text('nghe rõ')");
    expect(page.complaints).toEqual([]);
    await page.context().close();
  });
});

describe("the test of sound", () => {
  test("is one key, and what comes of it stands until somebody has read it, or tries again", async () => {
    const state = roomScreen("idle", Date.now());
    await using room = await openRoomFixture({ screen: screens.room, state, media });
    const page = await openPage({ viewport: { width: 1920, height: 1080 } });
    await page.goto(room.url);
    await page.waitForSelector(".room-try button");
    await page.focus(".room-try button >> nth=0");
    await page.keyboard.press("Enter");
    await until("the test is begun", () => room.sounds.length === 1);
    room.show({ ...roomScreen("soundSpeak", Date.now()), nextSession: null });
    await page.waitForSelector(".room-steps:has([aria-current]:has-text('Nói thử'))");
    // The same key, under the same finger, ends it; not before the first press is over.
    await page.keyboard.press("Enter");
    await page.waitForFunction(
      (since) => performance.now() - since > 1_000,
      await page.evaluate(() => performance.now()),
    );
    await page.keyboard.press("Enter");
    await until("the test is stopped", () => room.sounds.length === 2);
    expect(room.sounds).toEqual(["start", "stop"]);

    room.show(roomScreen("soundBad", Date.now()));
    await page.waitForSelector(".room-test-list:has-text('Tiếng vọng: còn to, 12 dB. Đặt micrô xa loa hơn')");
    await page.waitForFunction(() => document.activeElement?.textContent === "Thử lại");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".room-test-list", { state: "detached" });
    expect(await page.textContent(".room-try-words")).toContain("chưa đạt: tiếng vọng to (12 dB)");
    expect(page.complaints).toEqual([]);
    await page.context().close();
  });
});

describe("the control desk", () => {
  const session = "/buoi-tiep/";
  const liveOf = (desk: DeskFixture) => desk.world.sessions.find(({ state }) => state === "live")!;

  test("an operator who has not seen another's layout is told who changed it", async () => {
    await using desk = await openDesk("ordinary");
    const page = await openPage();
    await page.goto(`${desk.url}${session}${liveOf(desk).id}`);
    await page.waitForSelector(".control-bar");
    const [stage] = desk.world.stages;
    const at = new Date().toISOString();
    // The other's change is at the hub, and its news has not reached this page.
    desk.world = {
      ...desk.world,
      stages: [{ ...stage!, layout: { mode: "grid", onScreen: [], by: "Trần Văn Hòa", at, revision: 99 } }],
    };
    await page.getByRole("button", { name: "Chiếu lớn" }).first().click();
    await page.waitForSelector("[role=alert]:has-text('Trần Văn Hòa vừa đổi bố cục')");
    expect(desk.world.stages[0]!.layout.by).toBe("Trần Văn Hòa");
    await page.context().close();
  });

  test("muting asks for the reason that the room will read", async () => {
    await using desk = await openDesk("ordinary");
    const page = await openPage();
    await page.goto(`${desk.url}${session}${liveOf(desk).id}`);
    const tile = page.locator("li.tile", { hasText: "Xã Tịnh Khê" });
    await tile.getByRole("button", { name: "Tắt tiếng" }).click();
    await page.locator("dialog[open]").getByRole("button", { name: "Tắt tiếng" }).click();
    await page.waitForSelector("dialog[open] .field-error");
    expect(desk.acts).toEqual([]);
    await page.getByRole("button", { name: "Có tiếng ồn trong phòng" }).click();
    await page.locator("dialog[open]").getByRole("button", { name: "Tắt tiếng" }).click();
    await tile.getByRole("button", { name: "Bật tiếng" }).waitFor();
    expect(page.complaints).toEqual([]);
    await page.context().close();
  });
});

describe("the stick for a new box", () => {
  test("is told at its box what is wrong, and is saved as the very text that is shown", async () => {
    await using desk = await openDesk("ordinary");
    const page = await openPage({ acceptDownloads: true });
    await page.goto(`${desk.url}/usb-thiet-bi`);
    await page.getByLabel("Tên hoặc địa chỉ máy chủ").fill("https://diemcau.quangngai.gov.vn:443");
    await page.getByLabel("Địa chỉ tĩnh").check({ force: true });
    await page.getByLabel("Địa chỉ của thiết bị").fill("10.24.3.17/24");
    await page.getByLabel("Cổng ra").fill("10.24.9.1");
    await page.getByRole("button", { name: "Tạo tệp" }).click();
    await page.waitForSelector(".field-error:has-text('không có https://')");
    await page.getByLabel("Tên hoặc địa chỉ máy chủ").fill("diemcau.quangngai.gov.vn");
    await page.getByRole("button", { name: "Tạo tệp" }).click();
    await page.waitForSelector(".field-error:has-text('gateway')");
    await page.getByLabel("Cổng ra").fill("10.24.3.1");
    await page.getByRole("button", { name: "Tạo tệp" }).click();
    const shown = await page.locator(".stick-file").textContent();
    const waiting = page.waitForEvent("download");
    await page.getByRole("button", { name: "Tải tệp về" }).click();
    const download = await waiting;
    expect(download.suggestedFilename()).toBe("diem-cau.json");
    const text = await readFile(await download.path(), "utf8");
    expect(text.replaceAll("\r", "")).toBe(shown!.replaceAll("\r", ""));
    expect(readStick(text)).toMatchObject({
      stick: { hub: { host: "diemcau.quangngai.gov.vn", port: 443 }, network: { gateway: "10.24.3.1" } },
    });
    expect(page.complaints).toEqual([]);
    await page.context().close();
  });
});

test("the file that opens a room's disk is asked for once more, and saved under the name that a box looks for", async () => {
  await using desk = await openDesk("ordinary");
  const page = await openPage({ acceptDownloads: true });
  const { point, box } = desk.world.rooms[0]!;
  await page.goto(`${desk.url}/diem-cau/${point.id}`);
  await page.getByRole("button", { name: "Tải tệp mở khóa ổ đĩa 3F2A-91C4" }).click();
  expect(desk.acts).toEqual([]);
  const waiting = page.waitForEvent("download");
  await page.getByRole("dialog").getByRole("button", { name: "Tải tệp mở khóa" }).click();
  const download = await waiting;
  expect(download.suggestedFilename()).toBe("diem-cau-mo-o-dia.txt");
  expect(await readFile(await download.path(), "utf8")).toBe(`# ${box}`);
  expect(desk.acts).toEqual([`/api/boxes/${box}/disk-key`]);
  await page.waitForSelector(".alert:has-text('Đã tải tệp mở khóa ổ đĩa 3F2A-91C4')");
  await page.context().close();
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
  test("before a session, what its tests found is told by room, and one press tests again", async () => {
    await using desk = await openDesk("ordinary");
    const page = await openPage();
    const { id } = desk.world.sessions.find(({ state, tests }) => state === "draft" && tests.length > 0)!;
    await page.goto(`${desk.url}/buoi-tiep/${id}`);
    const tests = page.locator("section", { has: page.getByRole("heading", { name: "Kiểm thử trước buổi tiếp" }) });
    await tests.getByText("2/3 phòng thông suốt").waitFor();
    expect(await tests.locator(".plain-list").innerText()).toMatch(/: Mất kết nối$/);
    expect(await page.locator(".log").innerText()).toMatch(
      /Kiểm thử trước 1\sngày, 2\/3 phòng thông suốt; .+: Mất kết nối/,
    );
    await tests.getByRole("button", { name: "Kiểm thử ngay" }).press("Enter");
    await tests.getByText("Cả 3 phòng thông suốt").waitFor();
    expect(desk.acts).toEqual([`/api/sessions/${id}/test`]);
    expect(await page.locator(".log li").first().innerText()).toMatch(/Kiểm thử cả 3 phòng thông suốt/);
  });

  test("somebody is let in: the one-time password is shown, and what a role may not do is not offered", async () => {
    await using desk = await openDesk("ordinary");
    const page = await openPage();
    await page.goto(`${desk.url}/nguoi-dung`);
    const form = page.getByRole("form", { name: "Lập tài khoản" });
    await form.getByLabel("Họ và tên").fill("Võ Thị Sáu");
    await form.getByLabel("Tên đăng nhập").fill("Sáu");
    await form.getByRole("button").press("Enter");
    await form.getByText("chữ thường không dấu, số, dấu chấm, gạch ngang").waitFor();
    await form.getByLabel("Tên đăng nhập").fill("Sau.VT");
    await form.getByRole("button").press("Enter");
    await page.getByText("K3XM-92FA-7TQW-PB4D").waitFor();
    expect(await page.getByRole("row", { name: /Võ Thị Sáu/ }).innerText()).toContain("sau.vt");
    await page.getByRole("button", { name: "Khóa tài khoản của Lê Thị Hoa" }).press("Enter");
    await page.getByRole("dialog").getByRole("button", { name: "Khóa tài khoản" }).press("Enter");
    await page.getByRole("button", { name: "Mở lại tài khoản của Lê Thị Hoa" }).waitFor();
    await page.getByRole("button", { name: "Đổi tên của Nguyễn Thị Minh Nguyệt" }).press("Enter");
    await page.getByRole("dialog").getByLabel("Họ và tên").fill("Nguyễn Minh Nguyệt");
    await page.getByRole("dialog").getByLabel("Họ và tên").press("Enter");
    await page.getByRole("row", { name: /Nguyễn Minh Nguyệt/ }).waitFor();
    await page.locator(".side-foot").getByText("Nguyễn Minh Nguyệt").waitFor();
    expect(desk.acts).toEqual(["/api/users", "/api/users/user-2", "/api/users/user-1"]);

    desk.user = { ...desk.user!, role: "observer" };
    const live = desk.world.sessions.find(({ state }) => state === "live")!;
    await page.goto(`${desk.url}/buoi-tiep/${live.id}`);
    await page.getByRole("heading", { name: live.name }).waitFor();
    await page.locator(".tile").first().waitFor();
    const offered = await page.locator("main button, nav a").allInnerTexts();
    for (const words of ["Tạm dừng", "Kết thúc…", "Tắt tiếng", "Người dùng", "Ghép thiết bị"])
      expect(offered.join("\n")).not.toContain(words);
    await page.goto(`${desk.url}/nguoi-dung`);
    await page.getByRole("heading", { level: 1, name: "Trang này dành cho vai trò khác" }).waitFor();
  });

  test("recordings that were brought are taken in by one press, and what stayed out is named", async () => {
    await using desk = await openDesk("trouble");
    const page = await openPage();
    await page.goto(`${desk.url}/ban-ghi`);
    const brought = page.getByRole("region", { name: "Nhận bản ghi mang đến" });
    await brought.getByText("3 đoạn hỏng").waitFor();
    expect(await brought.locator(".plain-list li").count()).toBe(2);
    expect(await brought.getByText("the-2/recordings").locator("..").innerText()).toContain("không có quyền đọc");
    await brought.getByRole("button", { name: "Nhận vào từ o-dia-1" }).press("Enter");
    await brought.getByText("Nhận mới 40 đoạn").waitFor();
    expect(desk.acts).toEqual(["/api/carried"]);
  });

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

  test("the session's log lies on the timeline of its recording, by keys and in the list, and speech is drawn", async () => {
    await using desk = await openDesk("ordinary");
    const ended = desk.world.recordings.find(({ session }) => session.state === "ended")!;
    const startMs = Date.parse(ended.session.startedAt!);
    const event = (seconds: number, kind: SessionEventView["kind"], text: string) => ({
      ...{ at: new Date(startMs + seconds * 1_000).toISOString(), kind, actor: "Lan", point: null, detail: { text } },
    });
    const events = [event(3, "marked", "Ông Bình trình bày"), event(5, "muted", "Ồn"), event(8, "marked", "Kết luận")];
    desk.world = { ...desk.world, recordings: [{ ...playableRecording(ended), events }] };
    const page = await openPage();
    await page.goto(`${desk.url}/ban-ghi/${ended.session.id}`);
    await page.waitForSelector(".timeline-mark-mark:has-text('Kết luận')");
    const at = (second: number) =>
      page.waitForFunction(
        (wanted) => document.querySelector<HTMLInputElement>(".timeline-slider")?.value === String(wanted),
        second,
      );
    await page.keyboard.press("Shift+ArrowRight");
    await at(3);
    await page.keyboard.press("Shift+ArrowRight");
    await at(8);
    expect(await page.textContent(".timeline-latest")).toContain("Đánh dấu, “Kết luận”, Lan");
    await page.keyboard.press("Shift+ArrowLeft");
    await at(3);
    // One stop of the tabulator; arrows go from mark to mark, the others too, and move nothing else.
    await page.focus(".timeline-marks [tabindex='0']");
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowRight");
    await at(3);
    await page.keyboard.press("Enter");
    await at(5);
    await page.click(".log li:has-text('Kết luận') button");
    await at(8);
    const drawn = await page.waitForFunction(() => {
      const canvases = [...document.querySelectorAll<HTMLCanvasElement>(".timeline-row canvas")];
      const inked = (canvas: HTMLCanvasElement) =>
        canvas.width > 0 &&
        canvas
          .getContext("2d")!
          .getImageData(0, 0, canvas.width, canvas.height)
          .data.some((value) => value > 0);
      return canvases.length === 3 && canvases.every(inked);
    });
    expect(await drawn.jsonValue()).toBe(true);
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
