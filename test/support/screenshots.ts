import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Browser, Page } from "playwright-core";
import { launchBrowser } from "./browser.ts";
import { openDeskFixture, type DeskFixture } from "./desk-fixture.ts";
import { makeRoomMedia, type RoomMedia } from "./desk-media.ts";
import { DESK_SCREENS, openScreen, settlePictures } from "./desk-screens.ts";
import { ROOM_SCREENS, roomScreen, WORLDS, worldOf } from "./desk-worlds.ts";
import { openRoomFixture } from "./room-fixture.ts";
import { buildScreens } from "./screen-server.ts";

/**
 * Pictures of every screen, to be looked at by a person:
 * `node test/support/screenshots.ts --out <directory> [--only <words of the file's name>] [--full-page]`.
 */
const SIZES = [
  { width: 1366, height: 768 },
  { width: 1920, height: 1080 },
];
const SCHEMES = ["light", "dark"] as const;

interface Wanted {
  out: string;
  only: string[];
  fullPage: boolean;
}

async function deskPictures(browser: Browser, folder: string, media: RoomMedia, wanted: Wanted): Promise<void> {
  for (const world of WORLDS)
    for (const size of SIZES)
      for (const scheme of SCHEMES)
        for (const screen of DESK_SCREENS) {
          const name = `desk-${screen.name}-${world}-${size.width}-${scheme}`;
          if (!isWanted(name, wanted) || !screen.worlds.includes(world)) continue;
          await using desk: DeskFixture = await openDeskFixture({
            screen: folder,
            world: worldOf(world, Date.now()),
            signedIn: !screen.signedOut,
            media,
          });
          const page = await browser.newPage({ viewport: size, colorScheme: scheme });
          await openScreen(page, desk, screen, world);
          await settlePictures(page);
          await shoot(page, name, wanted);
        }
}

async function roomPictures(browser: Browser, folder: string, media: RoomMedia, wanted: Wanted): Promise<void> {
  for (const screen of ROOM_SCREENS)
    for (const size of SIZES)
      for (const scheme of SCHEMES) {
        const name = `room-${screen}-${size.width}-${scheme}`;
        if (!isWanted(name, wanted)) continue;
        // What comes of the test is shown to whoever made it.
        const tested = screen === "soundGood" || screen === "soundBad";
        const state = roomScreen(tested ? "soundListen" : screen, Date.now());
        await using room = await openRoomFixture({ screen: folder, state, media });
        const page = await browser.newPage({ viewport: size, colorScheme: scheme });
        await page.goto(room.url);
        await page.waitForSelector(".room h1");
        if (tested) {
          await page.waitForSelector(".room-steps");
          room.show(roomScreen(screen, Date.now()));
          await page.waitForSelector(".room-test-list");
        }
        if (screen === "ready" || screen.startsWith("sound")) {
          room.hear({ lufs: -27, speech: true });
          await page.waitForSelector(".room-try");
        }
        await settlePictures(page);
        await shoot(page, name, wanted);
      }
}

const isWanted = (name: string, { only }: Wanted): boolean => only.every((word) => name.includes(word));

async function shoot(page: Page, name: string, { out, fullPage }: Wanted): Promise<void> {
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: join(out, `${name}.png`), fullPage });
  await page.close();
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      out: { type: "string" },
      only: { type: "string", multiple: true, default: [] },
      "full-page": { type: "boolean", default: false },
    },
  });
  if (!values.out) throw new Error("say where the pictures go: --out <directory>");
  const wanted = { out: values.out, only: values.only, fullPage: values["full-page"] };
  await mkdir(wanted.out, { recursive: true });
  const directory = await mkdtemp(join(tmpdir(), "screens-"));
  const browser = await launchBrowser();
  try {
    const screens = await buildScreens(directory);
    const media = await makeRoomMedia(directory);
    await deskPictures(browser, screens.desk, media, wanted);
    await roomPictures(browser, screens.room, media, wanted);
  } finally {
    await browser.close();
    await rm(directory, { recursive: true, force: true });
  }
}
