import type { Page } from "playwright-core";
import { CODE, type DeskFixture } from "./desk-fixture.ts";
import { WORLDS, type WorldName } from "./desk-worlds.ts";

/** Every screen of the desk: where it is and what a person does to see it. */
export interface DeskScreen {
  name: string;
  worlds: readonly WorldName[];
  signedOut?: true;
  path: (desk: DeskFixture) => string;
  act?: (page: Page, desk: DeskFixture, world: WorldName) => Promise<void>;
}

const peopled: readonly WorldName[] = ["ordinary", "full", "trouble"];
const sessionIn = (desk: DeskFixture, state: string): string =>
  `/buoi-tiep/${desk.world.sessions.find((session) => session.state === state)?.id ?? "session-aaaaaaaaaaaaaaaa"}`;
const recordingIn = (desk: DeskFixture, state: string): string =>
  `/ban-ghi/${desk.world.recordings.find(({ session }) => session.state === state)?.session.id ?? "session-aaaaaaaaaaaaaaaa"}`;

export const DESK_SCREENS: readonly DeskScreen[] = [
  { name: "sign-in", worlds: ["empty"], signedOut: true, path: () => "/" },
  {
    name: "sign-in-refused",
    worlds: ["trouble"],
    signedOut: true,
    path: () => "/",
    async act(page) {
      await page.fill("input[autocomplete=username]", "quantri");
      await page.fill("input[autocomplete=current-password]", "sai");
      await page.keyboard.press("Enter");
      await page.waitForSelector("[role=alert]");
    },
  },
  {
    name: "new-password",
    worlds: ["ordinary"],
    path: (desk) => {
      desk.user = { ...desk.user!, mustChangePassword: true };
      return "/";
    },
  },
  { name: "today", worlds: WORLDS, path: () => "/" },
  {
    name: "today-silent",
    worlds: ["trouble"],
    path: () => "/",
    async act(page, desk) {
      await page.waitForSelector("main h1");
      desk.fallSilent();
      await page.waitForSelector(".hub-banner [role=alert]");
    },
  },
  { name: "rooms", worlds: WORLDS, path: () => "/phong" },
  {
    name: "rooms-chosen",
    worlds: peopled,
    path: () => "/phong",
    async act(page) {
      await page.click(".tile h3 button >> nth=0");
      await page.waitForSelector(".detail");
    },
  },
  { name: "releases", worlds: WORLDS, path: () => "/cap-nhat" },
  {
    name: "releases-refused",
    worlds: ["trouble"],
    path: () => "/cap-nhat",
    async act(page) {
      await page.setInputFiles("input[type=file]", [
        { name: "release.json", mimeType: "application/json", buffer: Buffer.from("{}") },
        { name: "release.json.sig", mimeType: "application/octet-stream", buffer: Buffer.alloc(64) },
      ]);
      await page.waitForSelector("[role=alert]");
    },
  },
  { name: "people", worlds: ["ordinary", "trouble"], path: () => "/nguoi-dung" },
  {
    name: "people-made",
    worlds: ["ordinary"],
    path: () => "/nguoi-dung",
    async act(page) {
      const form = page.getByRole("form", { name: "Lập tài khoản" });
      await form.getByLabel("Họ và tên").fill("Võ Thị Sáu");
      await form.getByLabel("Tên đăng nhập").fill("sau.vt");
      await form.getByRole("button").press("Enter");
      await page.waitForSelector(".one-time");
    },
  },
  {
    name: "session-observed",
    worlds: ["ordinary"],
    path: (desk) => {
      desk.user = { ...desk.user!, role: "observer" };
      return sessionIn(desk, "live");
    },
  },
  {
    name: "not-allowed",
    worlds: ["ordinary"],
    path: (desk) => {
      desk.user = { ...desk.user!, role: "observer" };
      return "/nguoi-dung";
    },
  },
  { name: "pairing", worlds: WORLDS, path: () => "/ghep-thiet-bi" },
  {
    name: "pairing-refused",
    worlds: ["trouble"],
    path: () => "/ghep-thiet-bi",
    async act(page) {
      await page.fill(".code input >> nth=0", "ZZZZ");
      await page.fill(".code input >> nth=1", "ZZZZ");
      await page.selectOption("select[id]", { index: 1 });
      await page.click("form button[type=submit]");
      await page.waitForSelector("[role=alert]");
    },
  },
  {
    name: "pairing-replace",
    worlds: ["ordinary"],
    path: () => "/ghep-thiet-bi",
    async act(page) {
      await page.fill(".code input >> nth=0", CODE.slice(0, 4));
      await page.fill(".code input >> nth=1", CODE.slice(4));
      await page.check("input[value=existing]", { force: true });
      await page.selectOption("select[id]", { index: 1 });
      await page.click("form button[type=submit]");
      await page.waitForSelector("dialog[open]");
    },
  },
  { name: "sessions", worlds: WORLDS, path: () => "/buoi-tiep" },
  { name: "session-new", worlds: WORLDS, path: () => "/buoi-tiep/moi" },
  {
    name: "session-new-faults",
    worlds: ["trouble"],
    path: () => "/buoi-tiep/moi",
    async act(page) {
      await page.selectOption("form .pair select >> nth=1", "08:00");
      await page.click("form button[type=submit]");
      await page.waitForSelector(".alert-bad");
    },
  },
  { name: "session-live", worlds: peopled, path: (desk) => sessionIn(desk, "live") },
  {
    name: "session-end",
    worlds: ["ordinary"],
    path: (desk) => sessionIn(desk, "live"),
    async act(page) {
      await page.click(".page-head .button-danger");
      await page.waitForSelector("dialog[open]");
    },
  },
  { name: "session-paused", worlds: ["trouble"], path: (desk) => sessionIn(desk, "paused") },
  { name: "session-draft", worlds: ["ordinary", "trouble"], path: (desk) => sessionIn(desk, "draft") },
  { name: "session-ended", worlds: peopled, path: (desk) => sessionIn(desk, "ended") },
  { name: "recordings", worlds: WORLDS, path: () => "/ban-ghi" },
  { name: "recording-live", worlds: ["ordinary", "full"], path: (desk) => recordingIn(desk, "live") },
  { name: "recording", worlds: ["empty", "ordinary", "trouble"], path: (desk) => recordingIn(desk, "ended") },
  {
    name: "recording-copied",
    worlds: ["ordinary"],
    path: (desk) => {
      const whole = desk.world.recordings.find(
        ({ session, copies }) => session.state === "ended" && copies.hubComplete,
      );
      return `/ban-ghi/${whole!.session.id}`;
    },
    async act(page) {
      await page.click("button:has-text('Tải trọn bộ')");
      await page.waitForSelector(".alert-ok");
    },
  },
  { name: "points", worlds: WORLDS, path: () => "/diem-cau" },
  {
    name: "point",
    worlds: ["empty", "ordinary"],
    path: (desk) => `/diem-cau/${desk.world.rooms[0]?.point.id ?? "point-x"}`,
  },
  {
    name: "point-disk-key",
    worlds: ["ordinary"],
    path: (desk) => `/diem-cau/${desk.world.rooms[0]!.point.id}`,
    async act(page) {
      await page.click("button[aria-label^='Tải tệp mở khóa'] >> nth=0");
      await page.waitForSelector("dialog[open]");
    },
  },
  {
    name: "points-revoke",
    worlds: ["trouble"],
    path: () => "/diem-cau",
    async act(page) {
      await page.click("tbody button[aria-label^='Thu hồi'] >> nth=0");
      await page.waitForSelector("dialog[open]");
    },
  },
  {
    name: "points-reset",
    worlds: ["ordinary", "trouble"],
    path: () => "/diem-cau",
    async act(page) {
      await page.click("tbody button[aria-label^='Đặt lại'] >> nth=0");
      await page.click("dialog[open] .button-danger, dialog[open] .button-primary");
      await page.waitForFunction(() => document.querySelector("dialog[open] .alert, .stack-wide > .alert"));
    },
  },
  { name: "stick", worlds: ["empty", "ordinary"], path: () => "/usb-thiet-bi" },
  {
    name: "stick-faults",
    worlds: ["trouble"],
    path: () => "/usb-thiet-bi",
    async act(page) {
      await page.fill("form input >> nth=0", "https://diemcau.quangngai.gov.vn");
      await page.check("input[value=fixed]", { force: true });
      await page.fill("form .field:has-text('Địa chỉ của thiết bị') input", "10.24.3.17");
      await page.click("form summary");
      await page.click("form button[type=submit]");
      await page.waitForSelector(".field-error");
    },
  },
  {
    name: "stick-made",
    worlds: ["ordinary"],
    path: () => "/usb-thiet-bi",
    async act(page) {
      await page.click("form button[type=submit]");
      await page.waitForSelector(".stick-file");
    },
  },
  { name: "not-found", worlds: ["empty"], path: () => "/khong-co" },
];

/** Opens a screen and waits until it is whole: no grey lines. */
export async function openScreen(page: Page, desk: DeskFixture, screen: DeskScreen, world: WorldName): Promise<void> {
  await page.goto(`${desk.url}${screen.path(desk)}`);
  await page.waitForSelector("h1");
  await page.waitForFunction(() => document.querySelector(".skeleton") === null);
  await screen.act?.(page, desk, world);
}

/** Waits until every video in view shows a picture, or for a while where one has none to show. */
export async function settlePictures(page: Page): Promise<void> {
  await page
    .waitForFunction(
      () =>
        [...document.querySelectorAll("video")]
          .filter((video) => {
            const { top, bottom } = video.getBoundingClientRect();
            return bottom > 0 && top < innerHeight;
          })
          .every((video) => video.videoWidth > 0),
      undefined,
      { timeout: 8_000 },
    )
    .catch(() => {});
}
