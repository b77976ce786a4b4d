import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { startLiveHub, type LiveHub } from "../support/live-hub.ts";
import { measureLiveLatency, type LiveLatency } from "../support/live-latency.ts";
import { publishPicture } from "../support/live-publisher.ts";
import { buildPlayerPage, launchChromium } from "../support/player-page.ts";
import { until } from "../support/until.ts";
import { atMost, machineNow, type Bench } from "./report.ts";

const ROOMS = 3;
const SECONDS = 15;
/** Start-up is not what is measured: buffers fill, chasing players catch up. */
const WARM_UP_SECONDS = 4;

type Player = "ours" | "mpegts" | "hls";

/**
 * From the moment that a frame carries to the moment that its pixels can be read in Chromium: a real encoder per room
 * (360p, 400 kbit/s, zero latency, a key frame a second) → RTMP → our ingest and fan-out → the player, all on this
 * machine. Other players get the same stream from the same hub, one after another.
 */
export const bench: Bench = {
  name: "latency",
  async run({ seconds = SECONDS }) {
    const machine = machineNow();
    const pages = await mkdtemp(join(tmpdir(), "latency-"));
    try {
      await buildPlayerPage(pages);
      await using hub = await startLiveHub(pages);
      const rooms = await Promise.all(Array.from({ length: ROOMS }, () => hub.addBox()));
      await using stack = new AsyncDisposableStack();
      for (const room of rooms) stack.use(await publishPicture(room.rtmp("video")));
      await until("all rooms publish", () => rooms.every(({ box }) => hub.live.publishing(box).includes("video")));
      const browser = await launchChromium();
      stack.defer(() => browser.close());
      const boxes = rooms.map(({ box }) => box);
      const one = boxes.slice(0, 1);
      const measure = (player: Player, boxes: string[]) => measurePlayer(browser, hub, player, boxes, seconds);
      const oneRoom = await measure("ours", one);
      const threeRooms = await measure("ours", boxes);
      const mpegts = await measure("mpegts", one);
      const hls = await measure("hls", one);
      return {
        name: "latency",
        machine,
        figures: { unit: "ms, capture stamp to readable pixel", oneRoom, threeRooms },
        peers: { mpegts, hls },
        goals: [atMost(`p95 with ${ROOMS} rooms on one page, ms`, threeRooms.p95, 150)],
      };
    } finally {
      await rm(pages, { recursive: true });
    }
  },
};

async function measurePlayer(
  browser: Browser,
  hub: LiveHub,
  player: Player,
  boxes: string[],
  seconds: number,
): Promise<LiveLatency> {
  const page = await browser.newPage({ viewport: { width: 1300, height: 800 } });
  try {
    await page.goto(`${hub.url}/?player=${player}&boxes=${boxes.join(",")}`, { waitUntil: "commit" });
    await until(
      `${player} plays`,
      () => page.evaluate(() => [...document.querySelectorAll("video")].every((video) => video.currentTime > 0)),
      { withinMs: 30_000 },
    );
    await measureLiveLatency(page, { selector: "video", seconds: WARM_UP_SECONDS });
    return await measureLiveLatency(page, { selector: "video", seconds });
  } finally {
    await page.close();
  }
}
