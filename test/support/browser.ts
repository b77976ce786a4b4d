import { chromium, type Browser, type Page } from "playwright-core";

/** Headless Chromium of the machine; the flags keep it from looking up hosts that a closed network does not have. */
export function launchBrowser(more: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      ...["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
      "--autoplay-policy=no-user-gesture-required",
      ...more,
    ],
  });
}

export interface DeskBrowser {
  readonly page: Page;
  /** Opens the rooms wall and waits until so many pictures move. */
  openRooms(rooms: number): Promise<void>;
  close(): Promise<void>;
}

/** A person who has signed in at the desk. */
export async function openDesk(url: string, login: string, password: string): Promise<DeskBrowser> {
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1366, height: 768 } });
    await page.goto(url);
    await page.fill("input[autocomplete=username]", login);
    await page.fill("input[autocomplete=current-password]", password);
    await page.keyboard.press("Enter");
    await page.waitForSelector("nav");
    return {
      page,
      async openRooms(rooms) {
        await page.goto(`${url}/phong`);
        await page.waitForFunction(
          (count) => [...document.querySelectorAll("video")].filter((video) => video.videoWidth > 0).length >= count,
          rooms,
          { timeout: 30_000 },
        );
      },
      close: () => browser.close(),
    };
  } catch (error) {
    await browser.close();
    throw error;
  }
}
