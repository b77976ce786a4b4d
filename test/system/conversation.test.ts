import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page, Request } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SessionEventView } from "../../src/hub/http/views.ts";
import type { SessionId } from "../../src/protocol/protocol.ts";
import { launchBrowser } from "../support/browser.ts";
import { countRoom } from "../support/count.ts";
import { buildScreens } from "../support/screen-server.ts";
import { ADMINISTRATOR, raiseStand, standLogs, type Stand } from "../support/stand.ts";
import { until } from "../support/until.ts";

/**
 * A session of three rooms, driven wholly by people at browsers: one at the desk, one before each room's TV. Hub,
 * agents, encoders and recordings are the real ones.
 */
describe("a session of three rooms", () => {
  const NAMES = ["Trụ sở Tiếp công dân tỉnh", "UBND xã Ba Tơ", "UBND phường Sa Huỳnh"];
  const [CENTRE, BA_TO, SA_HUYNH] = NAMES as [string, string, string];
  let directory: string;
  let stand: Stand;
  let browser: Browser;
  let desk: Page;
  let session: SessionId;
  const tvs = new Map<string, Page>();
  const complaints: string[] = [];

  const tv = (room: string): Page => tvs.get(room)!;
  const tile = (room: string): Locator => desk.locator("li.tile", { hasText: room });
  const largeOn = (room: string): Promise<string> => tv(room).locator(".talk-large figcaption b").first().innerText();
  const press = (words: string | RegExp): Promise<void> => desk.getByRole("button", { name: words }).click();
  const layout = (words: string): Locator => desk.locator(".control-bar .segmented label", { hasText: words });
  const choose = (words: string): Promise<void> => layout(words).click();
  /** What the desk shows by the hub's word; choosing what is chosen already would ask for nothing. */
  const isChosen = (words: string): Promise<void> => layout(words).locator(":checked").waitFor({ state: "attached" });
  const log = async (): Promise<SessionEventView[]> => (await stand.desk.session(session)).events;

  /** Whether a remote room's picture moves on this TV: frames were painted since the last look. */
  async function moves(room: string): Promise<void> {
    const frames = (): Promise<number> =>
      tv(room).evaluate(() =>
        [...document.querySelectorAll("video")].reduce(
          (sum, video) => sum + video.getVideoPlaybackQuality().totalVideoFrames,
          0,
        ),
      );
    const before = await frames();
    await until(`pictures move in ${room}`, async () => (await frames()) > before + 5, { withinMs: 15_000 });
  }

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "diemcau-conversation-"));
    const screens = await buildScreens(join(directory, "screens"));
    stand = await raiseStand({
      directory: join(directory, "stand"),
      screens,
      // Four browsers and three rooms share this machine: pictures that leave it room for both.
      rooms: NAMES.map((label) => ({
        name: label,
        capture: {
          source: { kind: "virtual", label },
          record: { width: 640, height: 360, frameRate: 25, maxBitrateKbps: 1_000 },
        },
      })),
    }).catch(async (error: unknown) => {
      throw new Error(await standLogs(join(directory, "stand")), { cause: error });
    });
    ({ id: session } = await stand.desk.createSession("Vụ việc đường vào khu tái định cư", [
      { id: stand.rooms[0]!.point, role: "central" },
      { id: stand.rooms[1]!.point, role: "delegate" },
      { id: stand.rooms[2]!.point, role: "delegate" },
    ]));
    browser = await launchBrowser();
    const open = async (url: string, viewport: { width: number; height: number }) => {
      const page = await (await browser.newContext({ viewport, reducedMotion: "reduce" })).newPage();
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(url);
      return page;
    };
    for (const room of stand.rooms) tvs.set(room.name, await open(room.roomUrl, { width: 640, height: 360 }));
    desk = await open(stand.hub.url, { width: 1366, height: 768 });
    await desk.fill("input[autocomplete=username]", ADMINISTRATOR);
    await desk.fill("input[autocomplete=current-password]", stand.password);
    await desk.keyboard.press("Enter");
    await desk.waitForSelector("nav");
    await desk.goto(`${stand.hub.url}/buoi-tiep/${session}`);
  });

  afterAll(async () => {
    await browser?.close();
    await stand?.[Symbol.asyncDispose]();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  test("begins at the desk: each TV shows the others, never itself, and the recording sign", async () => {
    await press("Bắt đầu buổi tiếp");
    for (const name of NAMES) {
      await tv(name).waitForSelector(".talk .room-sign:has-text('ĐANG GHI ÂM, GHI HÌNH')", { timeout: 30_000 });
      await until(`both others are on the TV of ${name}`, async () => {
        const plates = await tv(name).locator(".talk-tile figcaption b").allInnerTexts();
        return plates.length === 2 && plates.every((plate) => !name.endsWith(plate.replace(/^Xã |^Phường /u, "")));
      });
      await moves(name);
    }
    expect((await stand.desk.session(session)).state).toBe("live");
  });

  test("nobody watches unseen: the TVs name the person at the desk", async () => {
    const { name } = await stand.desk.me();
    for (const room of NAMES) await tv(room).waitForSelector(`.talk-watchers:has-text("${name}")`);
    expect((await stand.desk.stage(session)).watchers).toContainEqual({ name, kind: "desk" });
  });

  test("a room is put on the screen of all others, and spotlight gives way to a grid", async () => {
    await tile(SA_HUYNH).getByRole("button", { name: "Chiếu lớn" }).click();
    await until("Sa Huỳnh is large in Ba Tơ", async () => (await largeOn(BA_TO)).includes("Sa Huỳnh"));
    await until("Sa Huỳnh is large in the centre", async () => (await largeOn(CENTRE)).includes("Sa Huỳnh"));
    expect(await largeOn(SA_HUYNH)).not.toContain("Sa Huỳnh");
    await isChosen("Một phòng chiếu lớn");
    // Two quick presses of one operator are not two operators: the second comes while the first is not answered.
    const pressed = Promise.withResolvers<void>();
    const answerTo = async (mode: string) => {
      const isIt = (asked: Request) => asked.url().endsWith("/stage/layout") && asked.postDataJSON().mode === mode;
      return (await desk.waitForResponse((response) => isIt(response.request()))).status();
    };
    const answers = Promise.all([answerTo("auto"), answerTo("grid")]);
    await desk.route(/\/stage\/layout$/, (route) => pressed.promise.then(() => route.continue()), { times: 1 });
    await choose("Tự động theo người nói");
    await choose("Lưới");
    pressed.resolve();
    expect(await answers).toEqual([200, 200]);
    expect((await stand.desk.stage(session)).layout.mode).toBe("grid");
    await isChosen("Lưới");
    await choose("Tự động theo người nói");
    await until("who speaks is followed", async () => (await stand.desk.stage(session)).layout.mode === "auto");
  });

  test("a room is muted with a reason that its own TV shows, asks to speak by one key, and is heard again", async () => {
    await tile(BA_TO).getByRole("button", { name: "Tắt tiếng" }).click();
    await press("Có tiếng ồn trong phòng");
    await desk.locator("dialog").getByRole("button", { name: "Tắt tiếng" }).click();
    await tv(BA_TO).waitForSelector(".talk-notices:has-text('Có tiếng ồn trong phòng')");
    await tv(BA_TO).keyboard.press("Enter");
    await desk.waitForSelector(".control-hands:has-text('Ba Tơ')");
    await tile(BA_TO).getByRole("button", { name: "Bật tiếng" }).click();
    await desk.locator(".control-hands").getByRole("button", { name: "Hạ tay" }).click();
    await tv(BA_TO).waitForFunction(() => !document.querySelector(".talk-notices")?.textContent?.includes("tắt tiếng"));
    await tv(BA_TO).waitForSelector("button[aria-pressed=false]:has-text('Giơ tay')");
    const seat = (await stand.desk.stage(session)).rooms.find(({ point }) => point.name === BA_TO)!;
    expect([seat.muted, seat.hand, seat.place]).toEqual([null, null, "in"]);
  });

  test("a room is sent to wait and called up again", async () => {
    await desk.getByRole("button", { name: SA_HUYNH }).click();
    await press("Cho chờ");
    await tv(SA_HUYNH).waitForSelector(".talk-notices:has-text('chờ mời')");
    await tile(SA_HUYNH).getByRole("button", { name: "Mời vào" }).click();
    await tv(SA_HUYNH).waitForFunction(
      () => !document.querySelector(".talk-notices")?.textContent?.includes("chờ mời"),
    );
    expect((await log()).map(({ kind }) => kind)).toContain("sentToStandby");
  });

  test("a message, a mark and an interruption reach the screens and the log", async () => {
    await press("Nhắn lên tivi");
    await press("Xin bật thêm đèn");
    await press("Hiện lời nhắn");
    await tv(SA_HUYNH).waitForSelector(".talk-notices:has-text('Xin bật thêm đèn')");
    // The answer to an act comes when the next question is already open, and closes nothing.
    const asked = Promise.withResolvers<void>();
    const acts = /\/stage\/rooms\/[^/]+$/;
    await desk.route(acts, (route) => asked.promise.then(() => route.continue()), { times: 1 });
    const answer = desk.waitForResponse(acts);
    await press("Gỡ lời nhắn");
    await press("Đánh dấu");
    await desk.locator("dialog").getByText("Kết luận của người chủ trì").waitFor();
    asked.resolve();
    await answer;
    await press("Kết luận của người chủ trì");
    await desk.locator("dialog").getByRole("button", { name: "Đánh dấu" }).click();
    await press("Ghi nhận gián đoạn");
    await press("Mất điện một phòng");
    await desk.locator("dialog").getByRole("button", { name: "Ghi nhận" }).click();
    for (const name of NAMES) await tv(name).waitForSelector(".talk-notices:has-text('gián đoạn')");
    await press("Hết gián đoạn");
    for (const name of NAMES)
      await tv(name).waitForFunction(
        () => !document.querySelector(".talk-notices")?.textContent?.includes("gián đoạn"),
      );
    const marks = (await log()).filter(({ kind }) => kind === "marked").map(({ detail }) => detail?.text);
    expect(marks).toEqual(["Kết luận của người chủ trì"]);
  });

  test("paused with a reason: the TVs say that nothing is recorded, and go on after it", async () => {
    await press("Tạm dừng");
    await press("Hội ý riêng");
    await desk.locator("dialog").getByRole("button", { name: "Tạm dừng" }).click();
    for (const name of NAMES) await tv(name).waitForSelector(".room-say:has-text('Hội ý riêng')");
    // The sign stands for as long as the file still grows.
    for (const name of NAMES)
      await tv(name).locator(".room-sign:has-text('ĐANG GHI')").waitFor({ state: "detached", timeout: 5_000 });
    await press("Tiếp tục");
    for (const name of NAMES) await tv(name).waitForSelector(".talk .room-sign:has-text('ĐANG GHI ÂM, GHI HÌNH')");
    expect((await stand.desk.session(session)).state).toBe("live");
  });

  test("two operators do not fight: who has not seen the other's layout is told of it", async () => {
    const seen = (await stand.desk.stage(session)).revision;
    await stand.desk.setLayout(session, { mode: "spotlight", onScreen: [stand.rooms[0]!.point], seen });
    await expect(stand.desk.setLayout(session, { mode: "grid", onScreen: [], seen })).rejects.toThrow("stageConflict");
  });

  test("ends in two presses; the log holds every act with its time and actor", async () => {
    await desk.locator(".page-head").getByRole("button", { name: "Kết thúc" }).click();
    await desk.locator("dialog[open]").getByRole("button", { name: "Kết thúc buổi tiếp" }).click();
    for (const name of NAMES) await tv(name).waitForSelector(".room-paired");
    const events = await log();
    const kinds = events.map(({ kind }) => kind);
    for (const kind of [
      ...["created", "started", "layoutChanged", "muted", "handRaised", "unmuted", "handLowered", "sentToStandby"],
      ...["calledUp", "messageShown", "messageTaken", "marked", "interrupted", "interruptionEnded", "paused"],
      ...["resumed", "ended"],
    ] as const)
      expect(kinds, kind).toContain(kind);
    expect(events.filter(({ kind }) => kind === "muted").map(({ detail }) => detail?.text)).toEqual([
      "Có tiếng ồn trong phòng",
    ]);
    const byPeople = events.filter(({ kind }) => !["handRaised", "roomLost", "roomBack"].includes(kind));
    expect(byPeople.filter(({ actor, kind }) => actor === null && !kind.startsWith("alarm"))).toEqual([]);
    // Alarms bear the moment at which the box raised them, not that of their arrival.
    const times = events.filter(({ kind }) => !kind.startsWith("alarm")).map(({ at }) => at);
    expect(times).toEqual([...times].sort());
  });

  test("no room's recording was touched by any of it: whole but for the pause, and equal in the archive", async () => {
    await until("all is at the province", async () => (await stand.desk.recording(session)).copies.provinceComplete, {
      withinMs: 60_000,
      everyMs: 200,
    }).catch(async (error: unknown) => {
      throw new Error(await standLogs(join(directory, "stand")), { cause: error });
    });
    for (const room of stand.rooms) {
      const count = await countRoom(session, room.point, {
        recordings: join(room.dataDirectory, "recordings"),
        archive: join(stand.hub.dataDirectory, "archive"),
        province: stand.province.directory,
      });
      expect(count.framesArchived, room.name).toBe(count.framesRecorded);
      expect(count.hashesEqual, room.name).toBe(true);
      expect(
        count.gaps.map(({ cause }) => cause).filter((cause) => cause !== "starting"),
        room.name,
      ).toEqual(["paused"]);
    }
    expect(complaints).toEqual([]);
  });
});
