import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { layCable } from "../support/cable.ts";
import { measureLiveLatency } from "../support/live-latency.ts";
import { startLiveHub, type LiveHub } from "../support/live-hub.ts";
import { publishPicture, publishSpeech } from "../support/live-publisher.ts";
import type { Stage } from "../support/player-page/player-page.ts";
import { buildPlayerPage, launchChromium } from "../support/player-page.ts";
import { until } from "../support/until.ts";

let pages: string;
let hub: LiveHub;
let browser: Browser;

beforeAll(async () => {
  pages = await mkdtemp(join(tmpdir(), "player-"));
  await buildPlayerPage(pages);
  hub = await startLiveHub(pages);
  browser = await launchChromium();
});
afterAll(async () => {
  await browser.close();
  await hub[Symbol.asyncDispose]();
  await rm(pages, { recursive: true });
});

type Box = Awaited<ReturnType<LiveHub["addBox"]>>;

/** A page of its own with a player for each box; closed at the end of the test, which fails on any error in it. */
async function open(
  boxes: Box[],
  { prepare = async () => {}, url = hub.url }: { prepare?: (page: Page) => Promise<unknown>; url?: string } = {},
) {
  const page = await browser.newPage({ viewport: { width: 1300, height: 800 } });
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes("404")) errors.push(message.text());
  });
  await prepare(page);
  await page.goto(`${url}/?boxes=${boxes.map(({ box }) => box).join(",")}`);
  const stats = () => page.evaluate(() => window.stage.players[0]!.stats());
  return {
    page,
    stats,
    level: () => page.evaluate(() => window.stage.players[0]!.level()),
    states: (): Promise<Stage["states"][number]> => page.evaluate(() => window.stage.states[0]!),
    setMuted: (muted: boolean) => page.evaluate((muted) => window.stage.players[0]!.setMuted(muted), muted),
    playing: () => until("the picture plays", async () => (await stats()).state === "playing"),
    latency: (seconds: number) => measureLiveLatency(page, { selector: "video", seconds }),
    async [Symbol.asyncDispose]() {
      await page.close();
      expect(errors).toEqual([]);
    },
  };
}

test("shows each frame of a room within moments", async () => {
  const room = await hub.addBox();
  await using _picture = await publishPicture(room.rtmp("video"));
  await using view = await open([room]);
  await view.playing();
  const { perVideo, median } = await view.latency(3);
  // 75 frames are taken in that time.
  expect(perVideo[0]!.distinct).toBeGreaterThan(50);
  expect(median).toBeLessThan(400);
  const { engine, picture } = await view.stats();
  expect(engine).toBe("webcodecs");
  expect(picture).toMatchObject({ decodeErrors: 0, dropped: 0 });
});

test("waits for a room that is not there yet, and is back within a second when it comes again", async () => {
  const room = await hub.addBox();
  await using view = await open([room]);
  await until("the player waits", async () => (await view.stats()).state === "waiting");
  const arrivals: number[] = [];
  hub.live.onChange((box) => {
    if (box === room.box && hub.live.publishing(box).includes("video")) arrivals.push(Date.now());
  });
  const first = await publishPicture(room.rtmp("video"));
  await view.playing();
  await first.kill();
  await until("the player has noticed", async () => (await view.stats()).state === "waiting");
  await using _second = await publishPicture(room.rtmp("video"));
  await view.playing();
  const playing = (await view.states()).filter(({ state }) => state === "playing");
  expect(playing).toHaveLength(2);
  expect(arrivals).toHaveLength(2);
  for (const [i, { atMs }] of playing.entries()) expect(atMs - arrivals[i]!).toBeLessThan(1_000);
  expect((await view.latency(2)).median).toBeLessThan(400);
});

test("gives up a dead line, and is back within a second of its return", async () => {
  const room = await hub.addBox();
  await using _picture = await publishPicture(room.rtmp("video"));
  await using cable = await layCable({ host: "127.0.0.1", port: Number(new URL(hub.url).port) });
  await using view = await open([room], { url: `http://127.0.0.1:${cable.port}` });
  await view.playing();
  cable.cut();
  await until("the line is given up", async () => (await view.stats()).state === "connecting");
  const mendedMs = Date.now();
  cable.mend();
  await view.playing();
  const back = (await view.states()).at(-1)!;
  expect(back.state).toBe("playing");
  expect(back.atMs - mendedMs).toBeLessThan(1_000);
  expect((await view.states()).map(({ state }) => state)).toContain("stalled");
  expect((await view.latency(1)).median).toBeLessThan(400);
});

test("comes back to live after the page was blocked for two seconds", async () => {
  const room = await hub.addBox();
  await using _picture = await publishPicture(room.rtmp("video"));
  await using view = await open([room]);
  await view.playing();
  await view.page.evaluate(() => {
    const endMs = performance.now() + 2_000;
    while (performance.now() < endMs);
  });
  await until("the picture is live again", async () => (await view.latency(0.2)).median! < 400, { withinMs: 1_500 });
  const { median, perVideo } = await view.latency(2);
  expect(median).toBeLessThan(400);
  expect(perVideo[0]!.distinct).toBeGreaterThan(30);
  const { picture } = await view.stats();
  expect(picture!.skipped + picture!.jumps).toBeGreaterThan(0);
});

test("is silent until it is asked for sound, and hears speech then", async () => {
  const room = await hub.addBox();
  await using _picture = await publishPicture(room.rtmp("video"));
  await using _speech = await publishSpeech(room.rtmp("audio"));
  await using view = await open([room]);
  await view.playing();
  expect(hub.viewers("audio")).toBe(0);
  expect(await view.level()).toBe(0);
  await view.setMuted(false);
  const level = await until("speech is heard", async () => {
    const level = await view.level();
    return level > 0.3 && level;
  });
  expect(level).toBeLessThanOrEqual(1);
  const sound = await until("sound flows", async () => {
    const { sound } = await view.stats();
    return sound?.state === "playing" && sound;
  });
  expect(sound.decodeErrors).toBe(0);
  expect(sound.depthMs).toBeLessThan(400);
  await view.setMuted(true);
  await until("the sound's connection is given back", () => hub.viewers("audio") === 0);
  expect(await view.level()).toBe(0);
});

test("gives its connection back while nobody sees the page, and shows the present at once after that", async () => {
  const room = await hub.addBox();
  await using _picture = await publishPicture(room.rtmp("video"));
  await using view = await open([room]);
  await view.playing();
  const show = (visibility: DocumentVisibilityState) =>
    view.page.evaluate((visibility) => {
      Object.defineProperty(document, "visibilityState", { value: visibility, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, visibility);
  await show("hidden");
  await until("the connection is closed", () => hub.viewers("video") === 0);
  const before = (await view.stats()).picture!;
  expect(before.queued).toBe(0);
  await show("visible");
  await until("frames are painted again", async () => (await view.stats()).picture!.painted > before.painted + 5);
  expect((await view.latency(1)).median).toBeLessThan(400);
});

test("leaves nothing behind when it is closed", async () => {
  const room = await hub.addBox();
  await using _picture = await publishPicture(room.rtmp("video"));
  await using view = await open([room, room, room]);
  await view.playing();
  await until("three viewers", () => hub.viewers("video") === 3);
  await view.page.evaluate(() => {
    for (const player of window.stage.players) player.close();
  });
  await until("no viewers", () => hub.viewers("video") === 0);
  expect(await view.page.evaluate(() => [...document.querySelectorAll("video")].map((v) => v.srcObject))).toEqual([
    null,
    null,
    null,
  ]);
});

test("plays through a canvas where there is no track generator", async () => {
  const room = await hub.addBox();
  await using _picture = await publishPicture(room.rtmp("video"));
  await using view = await open([room], {
    prepare: (page) => page.addInitScript(() => Reflect.deleteProperty(window, "MediaStreamTrackGenerator")),
  });
  await view.playing();
  const { perVideo, median } = await view.latency(2);
  expect(perVideo[0]!.distinct).toBeGreaterThan(20);
  expect(median).toBeLessThan(600);
});

test("plays by the browser's media source where there is no WebCodecs, by HLS when sound is wanted", async () => {
  const room = await hub.addBox();
  const run = "abcdefgh";
  await using _picture = await publishPicture(room.rtmp("video", run));
  await using _speech = await publishSpeech(room.rtmp("audio", run));
  await using view = await open([room], {
    prepare: (page) => page.addInitScript(() => Reflect.deleteProperty(window, "VideoDecoder")),
  });
  await view.playing();
  expect((await view.stats()).engine).toBe("mpegts");
  expect((await view.latency(2)).perVideo[0]!.distinct).toBeGreaterThan(20);
  await view.setMuted(false);
  await until(
    "HLS plays",
    async () => {
      const { engine, state } = await view.stats();
      return engine === "hls" && state === "playing";
    },
    { withinMs: 30_000 },
  );
  await until("speech is heard", async () => (await view.level()) > 0.3);
});
