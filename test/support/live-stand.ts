import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { markAgeMs } from "./marks.ts";
import { measureLiveLatency, quantile, type LiveLatency, type Seen } from "./live-latency.ts";
import { startLiveHub, type LiveBox, type LiveHub } from "./live-hub.ts";
import { publishStampedRoom, type StampedRoom } from "./live-publisher.ts";
import { GOOD_LINE, makeImpairedNamespace, type ImpairedNamespace, type LineCondition } from "./namespace.ts";
import { chromiumInside, launchChromium } from "./player-page.ts";
import { until, within } from "./until.ts";

/** Rooms, a hub and a browser, either on one loopback or each side behind a line of its own. */
export interface LiveStand extends AsyncDisposable {
  readonly hub: LiveHub;
  readonly rooms: StandRoom[];
  /** Both lines, from now on. */
  impair(line: LineCondition): void;
  /** A page with players, playing and warm. */
  open(player: PlayerName, rooms: number): Promise<{ page: Page } & AsyncDisposable>;
}

export type PlayerName = "ours" | "mpegts" | "hls";

export interface StandRoom {
  box: LiveBox;
  camera: StampedRoom;
}

export interface StandOptions {
  rooms: number;
  /** Two namespaces instead of loopback. */
  lines: boolean;
  /** The rooms' encoder; that of this machine unless given. */
  ffmpeg?: string | undefined;
  /** By the box's own command line, with the small picture. */
  asBox?: boolean;
  /** Congestion control of both senders; the system's own unless given. */
  congestion?: string;
}

/** Start-up is not what is measured: buffers fill, chasing players catch up. */
const WARM_UP_SECONDS = 5;
/** Of any step that has no limit of its own: a browser that hangs ends neither by itself nor by being asked. */
const STEP_MS = 20_000;

/** @param directory of the built pages; scratch files go there too */
export async function raiseLiveStand(directory: string, options: StandOptions): Promise<LiveStand> {
  await using stack = new AsyncDisposableStack();
  const scratch = join(directory, `stand-${process.hrtime.bigint()}`);
  await mkdir(scratch);
  const lines: ImpairedNamespace[] = [];
  // The box's and the viewer's.
  while (options.lines && lines.length < 2) lines.push(stack.use(await makeImpairedNamespace(options.congestion)));
  const [boxLine, viewerLine] = lines;
  const hub = stack.use(await startLiveHub(directory, options.lines ? "0.0.0.0" : "127.0.0.1"));
  const rooms: StandRoom[] = [];
  for (let n = 0; n < options.rooms; n++) {
    const box = await hub.addBox();
    const run = `benched${"abcdefghij"[n]}`;
    const camera = stack.use(
      await publishStampedRoom({
        url: box.rtmp("video", run, boxLine?.hostAddress),
        sound: box.rtmp("audio", run, boxLine?.hostAddress),
        log: join(scratch, `camera-${n}`),
        ffmpeg: options.ffmpeg,
        ...(boxLine && { enter: boxLine.enter }),
        ...(options.asBox && { small: box.rtmp("small", run, boxLine?.hostAddress) }),
      }),
    );
    rooms.push({ box, camera });
  }
  const publishing = () => rooms.every(({ box }) => hub.live.publishing(box.box).length === (options.asBox ? 3 : 2));
  await until("all rooms publish", publishing, { withinMs: 30_000 });
  const origin = viewerLine ? `http://${viewerLine.hostAddress}:${hub.port}` : hub.url;
  const browser: Browser = viewerLine
    ? await launchChromium(await chromiumInside(viewerLine.enter, scratch), origin)
    : await launchChromium();
  stack.defer(() => within("the browser ends", STEP_MS, browser.close()));
  const held = stack.move();
  return {
    hub,
    rooms,
    impair(line) {
      for (const each of lines) each.impair(line);
    },
    async open(player, count) {
      const page = await within("a page", STEP_MS, browser.newPage({ viewport: { width: 1300, height: 800 } }));
      const boxes = rooms.slice(0, count).map(({ box }) => box.box);
      await page.goto(`${origin}/?player=${player}&boxes=${boxes.join(",")}&sound`, { waitUntil: "commit" });
      const look = () =>
        page.evaluate((count) => {
          const videos = [...document.querySelectorAll("video")];
          return videos.length === count && videos.every((video) => video.currentTime > 0);
        }, count);
      const playing = () => within("the page looks", STEP_MS, look());
      await until(`${player} plays`, playing, { withinMs: 40_000 });
      await measureLiveLatency(page, { selector: "video", seconds: WARM_UP_SECONDS });
      return { page, [Symbol.asyncDispose]: () => within("the page closes", STEP_MS, page.close()) };
    },
    async [Symbol.asyncDispose]() {
      for (const each of lines) each.impair(GOOD_LINE);
      await held.disposeAsync();
    },
  };
}

export interface Marked {
  atMs: number;
  ageMs: number;
}

export interface Conversation extends LiveLatency {
  /** Mouth to ear: from a sound's making to its leaving for the loudspeaker. */
  sound: { median: number | null; p95: number | null; samples: number };
  heard: Marked[];
}

/** Pictures and the first room's sound, over the same seconds. */
export async function measureConversation(page: Page, seconds: number): Promise<Conversation> {
  await page.evaluate(() => void window.stage.marks.splice(0));
  const picture = await measureLiveLatency(page, { selector: "video", seconds });
  const marks = await page.evaluate(() => window.stage.marks.splice(0));
  // Sound that is seconds late (HLS) is about as late as its picture.
  const about = (picture.median ?? 0) > 1_500 ? picture.median! : 0;
  const heard = marks.map((mark) => ({ atMs: mark.atMs, ageMs: markAgeMs(mark, about) }));
  const ages = heard.map(({ ageMs }) => ageMs);
  return {
    ...picture,
    sound: { median: quantile(ages, 0.5), p95: quantile(ages, 0.95), samples: ages.length },
    heard,
  };
}

/** Medians of a picture's way, in milliseconds. */
export interface Stages {
  captureToHub: number | null;
  hubToViewer: number | null;
  decode: number | null;
  paint: number | null;
}

/** @param last what the player said of single frames @param seen what was read from the screen */
export async function stagesOf(room: StandRoom, last: readonly LastFrame[], seen: readonly Seen[]): Promise<Stages> {
  const captured = await room.camera.captured();
  const { arrivals } = room.box;
  const atHub = (mediaMs: number) => arrivals.get(Math.round(mediaMs));
  const readable = new Map(seen.map(({ stamp, atMs }) => [stamp, atMs]));
  const medianOf = (pairs: [number | undefined, number | undefined][]) =>
    quantile(
      pairs.flatMap(([from, to]) => (from === undefined || to === undefined ? [] : [to - from])),
      0.5,
    );
  return {
    captureToHub: medianOf([...captured].map(([mediaMs, wallMs]) => [wallMs, atHub(mediaMs)])),
    hubToViewer: medianOf(last.map(({ mediaMs, arrivedMs }) => [atHub(mediaMs), arrivedMs])),
    decode: medianOf(last.map(({ arrivedMs, decodedMs }) => [arrivedMs, decodedMs])),
    paint: medianOf(
      last.map(({ mediaMs, decodedMs }) => {
        const stamp = captured.get(Math.round(mediaMs));
        return [decodedMs, stamp === undefined ? undefined : readable.get(Math.floor(stamp) % 2 ** 32)];
      }),
    ),
  };
}

export interface LastFrame {
  mediaMs: number;
  arrivedMs: number;
  decodedMs: number;
  paintedMs: number;
}

/** Collects what the first player says of its last frame, until it is ended. */
export async function watchFrames(page: Page): Promise<() => Promise<LastFrame[]>> {
  await page.evaluate(() => {
    const frames: LastFrame[] = [];
    const timer = setInterval(() => {
      const last = window.stage.players[0]?.stats().picture?.last;
      if (last && frames.at(-1)?.mediaMs !== last.mediaMs) frames.push(last);
    }, 100);
    Object.assign(window, { endWatch: () => (clearInterval(timer), frames) });
  });
  return () => page.evaluate(() => (window as unknown as { endWatch(): LastFrame[] }).endWatch());
}
