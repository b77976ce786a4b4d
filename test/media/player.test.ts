import { mkdtemp, readFile, rm } from "node:fs/promises";
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
import { makeFilm, replay } from "../support/replay.ts";
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

type Box = Pick<Awaited<ReturnType<LiveHub["addBox"]>>, "box">;

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

test("goes on while the page is blocked for two seconds: nothing of the picture passes the page's own thread", async () => {
  const room = await hub.addBox();
  await using _picture = await publishPicture(room.rtmp("video"));
  await using view = await open([room]);
  await view.playing();
  await view.latency(0.5);
  const block = () => {
    const endMs = performance.now() + 2_000;
    while (performance.now() < endMs);
  };
  const before = (await view.stats()).picture!;
  await view.page.evaluate(block);
  const { picture } = await view.stats();
  expect(picture!.painted - before.painted).toBeGreaterThan(30);
  expect(picture!.jumps - before.jumps).toBe(0);
  expect((await view.latency(0.5)).median).toBeLessThan(400);
});

test("changes the rendition without a moment of black, and has one connection before and after", async () => {
  const room = await hub.addBox();
  await using _large = await publishPicture(room.rtmp("video"));
  await using _small = await publishPicture(room.rtmp("small"), { width: 320, height: 180 });
  await using view = await open([room]);
  await view.playing();
  // The worker plays a moment before the element shows it.
  await until("the large picture is shown", () =>
    view.page.evaluate(() => {
      const video = document.querySelector("video")!;
      return video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && video.videoWidth === 640;
    }),
  );
  await view.page.evaluate(() => {
    const video = document.querySelector("video")!;
    const widths = ((window as { widths?: number[] }).widths = [] as number[]);
    const look = () => {
      widths.push(video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA ? video.videoWidth : 0);
      requestAnimationFrame(look);
    };
    look();
  });
  const change = async (picture: "video" | "small", width: number) => {
    await view.page.evaluate((picture) => window.stage.players[0]!.setPicture(picture), picture);
    await until(`${picture} is shown`, () =>
      view.page.evaluate((width) => document.querySelector("video")!.videoWidth === width, width),
    );
  };
  await change("small", 320);
  await until("the large one is given back", () => hub.viewers("video") === 0 && hub.viewers("small") === 1);
  await change("video", 640);
  await until("the small one is given back", () => hub.viewers("video") === 1 && hub.viewers("small") === 0);
  const widths = await view.page.evaluate(() => (window as unknown as { widths: number[] }).widths);
  expect(new Set(widths)).toEqual(new Set([640, 320]));
  expect((await view.states()).map(({ state }) => state)).toEqual(["connecting", "waiting", "playing"]);
});

test("starts anew by itself when its worker has died", async () => {
  const room = await hub.addBox();
  await using _picture = await publishPicture(room.rtmp("video"));
  await using view = await open([room, room], {
    prepare: (page) =>
      page.addInitScript(() => {
        const workers = ((window as { workers?: Worker[] }).workers = [] as Worker[]);
        window.Worker = class extends Worker {
          constructor(url: string | URL, options?: WorkerOptions) {
            super(url, options);
            workers.push(this);
          }
        };
      }),
  });
  await view.playing();
  const workers = () => view.page.evaluate(() => (window as unknown as { workers: Worker[] }).workers.length);
  // One for all players of a page.
  expect(await workers()).toBe(1);
  await view.page.evaluate(() => (window as unknown as { workers: Worker[] }).workers[0]!.terminate());
  await until("another worker", async () => (await workers()) === 2);
  await view.playing();
  expect((await view.latency(1)).perVideo.every(({ distinct }) => distinct > 10)).toBe(true);
});

test("holds no frame and no memory for longer than its moment", async () => {
  const film = await makeFilm(join(pages, "film.flv"));
  const room = hub.addActor((socket, kind) => {
    if (kind === "video") replay(socket, film, 20);
  });
  await using view = await open([room]);
  await view.playing();
  const system = await browser.newBrowserCDPSession();
  const residentBytes = async () => {
    const { processInfo } = await system.send("SystemInfo.getProcessInfo");
    const pids = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
    const pages = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/statm`, "utf8")));
    return pages.reduce((sum, statm) => sum + Number(statm.split(" ")[1]) * 4096, 0);
  };
  const bytesAtPicture = async (n: number) => {
    await until(`picture ${n}`, async () => (await view.stats()).picture!.decoded > n, { withinMs: 120_000 });
    const collect = () => (globalThis as unknown as { gc(): void }).gc();
    await view.page.evaluate(collect);
    for (const worker of view.page.workers()) await worker.evaluate(collect);
    return residentBytes();
  };
  const before = await bytesAtPicture(3_000);
  const after = await bytesAtPicture(11_000);
  const { picture } = await view.stats();
  // 8000 frames of 160×90 are 172 MB.
  expect(after - before).toBeLessThan(25 << 20);
  expect(picture!.decoded - picture!.closed).toBeLessThanOrEqual(6);
  expect(picture!.decodeErrors).toBe(0);
  await system.detach();
}, 200_000);

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

test("mixes all rooms in one loudspeaker, each at its own gain", async () => {
  const rooms = [await hub.addBox(), await hub.addBox()];
  await using _first = await publishSpeech(rooms[0]!.rtmp("audio"));
  await using _second = await publishSpeech(rooms[1]!.rtmp("audio"));
  await using view = await open(rooms, {
    prepare: (page) =>
      page.addInitScript(() => {
        const contexts = ((window as { contexts?: AudioContext[] }).contexts = [] as AudioContext[]);
        window.AudioContext = class extends AudioContext {
          constructor(options?: AudioContextOptions) {
            super(options);
            contexts.push(this);
          }
        };
      }),
  });
  await view.page.evaluate(() => {
    const [first, second] = window.stage.players;
    first!.setMuted(false);
    second!.setGain(-20);
    second!.setMuted(false);
  });
  const loudest = await view.page.evaluate(async () => {
    const loudest = [0, 0];
    const endMs = performance.now() + 6_000;
    while (performance.now() < endMs) {
      for (const [i, player] of window.stage.players.entries()) loudest[i] = Math.max(loudest[i]!, player.level());
      await new Promise(requestAnimationFrame);
    }
    return loudest;
  });
  // The meter has 60 dB; both rooms speak the same words.
  expect(loudest[0]! - loudest[1]!).toBeGreaterThan(0.25);
  expect(loudest[0]! - loudest[1]!).toBeLessThan(0.42);
  expect(await view.page.evaluate(() => (window as unknown as { contexts: AudioContext[] }).contexts.length)).toBe(1);
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
