import { mkdir, rm, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Page } from "playwright-core";
import { systemClock } from "../src/platform/platform.ts";
import { openDesk } from "../test/support/browser.ts";
import { countRoom, type RoomCount } from "../test/support/count.ts";
import { measureLiveLatency, type LiveLatency } from "../test/support/live-latency.ts";
import { ADMINISTRATOR, raiseStand, standLogs, type RoomProcess, type Stand } from "../test/support/stand.ts";
import { until } from "../test/support/until.ts";

const USAGE = `usage: scripts/demo [--data DIR]
       scripts/demo --seconds N [--cut S] [--report FILE] [--data DIR]
  --seconds N    hold one session of N seconds (at least 10), count every frame along the way, and end
  --cut S        meanwhile cut one room's line for S seconds and kill the hub once
  --report FILE  write what was counted as JSON; measures the live pictures in a browser too
  --data DIR     keep everything there (must not exist yet)`;

function refuse(why: string): never {
  console.error(`${why}\n${USAGE}`);
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        seconds: { type: "string" },
        cut: { type: "string" },
        report: { type: "string" },
        data: { type: "string" },
      },
    }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}
const values = readArguments();

function wholeNumber(name: string, text: string | undefined, minimum: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  return Number.isInteger(value) && value >= minimum
    ? value
    : refuse(`--${name} takes a whole number of seconds, at least ${minimum}`);
}
const cutSeconds = wholeNumber("cut", values.cut, 1);
const seconds = wholeNumber("seconds", values.seconds, cutSeconds === undefined ? 10 : cutSeconds + 20);
if (seconds === undefined && (values.report ?? values.cut) !== undefined)
  refuse("--report and --cut go with --seconds");

const ROOMS = ["Trụ sở Tiếp công dân tỉnh", "UBND xã Ba Tơ", "Sở Nông nghiệp và Môi trường"];
const unattended = seconds !== undefined;
const directory = values.data ?? join(import.meta.dirname, "..", "var", `demo-${process.pid}`);
if (await mkdir(directory, { recursive: true }).then((made) => made === undefined)) {
  refuse(`${directory} exists already; name a folder that does not`);
}

const stopping = new AbortController();
process.once("SIGINT", () => stopping.abort());
process.once("SIGTERM", () => stopping.abort());

type Quantiles = Pick<LiveLatency, "median" | "p95">;

interface RoomReport extends RoomCount {
  room: string;
}

interface Report {
  name: "demo";
  machine: { cpu: string; cores: number };
  seconds: number;
  cutSeconds: number;
  rooms: RoomReport[];
  liveLatencyMs: (Quantiles & { perRoom: ({ room: string } & Quantiles)[] }) | null;
  /** After the line came back (with --cut). */
  liveBackMs: number | null;
  syncedSecondsAfterEnd: number;
  lost: string[];
}

const tileOf = (room: RoomProcess) => `.tile:has(button[title="${room.name}"]) video`;

/** The line cut and the hub killed in the middle of a session; resolves with how long the live picture took to return. */
async function trouble(stand: Stand, room: RoomProcess, cutMs: number, page: Page | undefined): Promise<number> {
  const clock = systemClock;
  await clock.sleep(5_000);
  room.cable!.cut();
  await clock.sleep(cutMs / 2);
  stand.hub.process.kill("SIGKILL");
  await clock.sleep(cutMs / 2);
  await until("the hub is back", () => stand.desk.rooms().then(() => true), { withinMs: 20_000 });
  room.cable!.mend();
  const mendedMs = clock.monotonicMs();
  // In a browser the picture itself is read: back is when a frame less than a second old can be seen.
  const isBack = async () => {
    if (!page) return (await stand.desk.rooms()).some((view) => view.box === room.box && view.live.includes("video"));
    const { median } = await measureLiveLatency(page, { selector: tileOf(room), seconds: 0.1 });
    return median !== null && median < 1_000;
  };
  await until(`the live picture of ${room.name} is back`, isBack, { withinMs: 20_000, everyMs: 20 });
  return clock.monotonicMs() - mendedMs;
}

/** Capture stamp to readable pixel in every room's tile, for so many seconds. */
async function readPictures(page: Page, readSeconds: number): Promise<Report["liveLatencyMs"]> {
  const names = await page.$$eval(".tile:has(video) button[title]", (buttons) =>
    buttons.map((button) => button.getAttribute("title")),
  );
  const { median, p95, perVideo } = await measureLiveLatency(page, { selector: ".tile video", seconds: readSeconds });
  const perRoom = perVideo.map((video, i) => ({ room: names[i] ?? "", median: video.median, p95: video.p95 }));
  return { median, p95, perRoom };
}

async function holdSession(stand: Stand, sessionSeconds: number): Promise<Report> {
  const { desk, rooms } = stand;
  const browser =
    values.report === undefined ? undefined : await openDesk(stand.hub.url, ADMINISTRATOR, stand.password);
  try {
    const session = await desk.createSession(
      "Buổi tiếp thử",
      rooms.map((room, i) => ({ id: room.point, role: i === 0 ? ("central" as const) : ("delegate" as const) })),
    );
    if (browser) await browser.openRooms(rooms.length);
    await desk.act(session.id, "start");
    const startedMs = systemClock.monotonicMs();
    await until(
      "every room is recording",
      async () =>
        (await desk.rooms()).filter((view) => view.health?.recording.growing && view.session?.id === session.id)
          .length === rooms.length,
      { withinMs: 20_000, everyMs: 50 },
    );
    // Without a cut the pictures are read all through; with one, only until the line goes.
    const readSeconds = cutSeconds === undefined ? Math.max(3, sessionSeconds - 6) : 3;
    const reading = browser ? readPictures(browser.page, readSeconds) : Promise.resolve(null);
    const liveBackMs =
      cutSeconds === undefined ? null : await trouble(stand, rooms.at(-1)!, cutSeconds * 1_000, browser?.page);
    const liveLatencyMs = await reading;
    await systemClock.sleep(Math.max(0, startedMs + sessionSeconds * 1_000 - systemClock.monotonicMs()));
    await desk.act(session.id, "end");
    const endedMs = systemClock.monotonicMs();
    await until("everything is at the hub", async () => (await desk.recording(session.id)).copies.hubComplete, {
      withinMs: 60_000,
      everyMs: 100,
    });
    const syncedSecondsAfterEnd = (systemClock.monotonicMs() - endedMs) / 1_000;
    await until(
      "everything is at the province",
      async () => (await desk.recording(session.id)).copies.provinceComplete,
      { withinMs: 60_000, everyMs: 100 },
    );
    const counted: RoomReport[] = [];
    for (const room of rooms) {
      const count = await countRoom(session.id, room.point, {
        recordings: join(room.dataDirectory, "recordings"),
        archive: join(stand.hub.dataDirectory, "archive"),
        province: stand.province.directory,
      });
      counted.push({ room: room.name, ...count });
    }
    const lost = counted.flatMap((room) => losses(room));
    if (syncedSecondsAfterEnd > 15) lost.push(`synced only ${syncedSecondsAfterEnd.toFixed(1)} s after the end`);
    if (liveBackMs !== null && liveBackMs > 3_000)
      lost.push(`live picture back only after ${Math.round(liveBackMs)} ms`);
    return {
      name: "demo",
      machine: { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length },
      seconds: sessionSeconds,
      cutSeconds: cutSeconds ?? 0,
      rooms: counted,
      liveLatencyMs,
      liveBackMs,
      syncedSecondsAfterEnd,
      lost,
    };
  } finally {
    await browser?.close();
  }
}

function losses(room: RoomReport): string[] {
  const lost: string[] = [];
  const expect = (what: string, value: number, expected: number) => {
    if (value !== expected) lost.push(`${room.room}: ${what} ${value}, expected ${expected}`);
  };
  if (room.framesRecorded === 0) lost.push(`${room.room}: nothing was recorded`);
  expect("frames encoded", room.framesEncoded, room.framesCaptured);
  expect("frames recorded", room.framesRecorded, room.framesEncoded);
  expect("frames archived", room.framesArchived, room.framesRecorded);
  expect("frames at the province", room.framesAtProvince, room.framesRecorded);
  if (!room.hashesEqual) lost.push(`${room.room}: hashes differ`);
  for (const gap of room.gaps)
    if (gap.cause !== "starting") lost.push(`${room.room}: gap ${gap.cause} of ${Math.round(gap.durationMs)} ms`);
  return lost;
}

let code = 0;
try {
  console.log("Đang dựng một trung tâm và ba điểm cầu trên máy này…");
  await using stand = await raiseStand({
    directory,
    rooms: ROOMS.map((name, i) => ({ name, cable: cutSeconds !== undefined && i === ROOMS.length - 1 })),
    say: (line) => console.log(line),
  });
  if (unattended) {
    const report = await holdSession(stand, seconds);
    if (values.report) await writeFile(values.report, `${JSON.stringify(report, null, 2)}\n`);
    for (const room of report.rooms)
      console.log(
        `${room.room}: ${room.framesRecorded} khung hình ghi, ${room.framesArchived} lưu trữ, ${room.framesAtProvince} ở kho tỉnh`,
      );
    if (report.lost.length > 0) {
      code = 1;
      for (const line of report.lost) console.error(`LOST: ${line}`);
    } else console.log("Không mất gì.");
  } else {
    console.log(`
  Bàn điều hành:  ${stand.hub.url}
  Tên đăng nhập:  ${ADMINISTRATOR}
  Mật khẩu:       ${stand.password}

  Màn hình từng phòng:`);
    for (const room of stand.rooms) console.log(`    ${room.name}: ${room.roomUrl}`);
    console.log(`\n  Dữ liệu: ${directory}\n  Kết thúc: Ctrl-C\n`);
    await new Promise<void>((resolve) => stopping.signal.addEventListener("abort", () => resolve(), { once: true }));
    console.log("Đang dừng…");
  }
} catch (error) {
  code = 1;
  console.error(error);
  console.error(await standLogs(directory));
} finally {
  if (unattended && code === 0 && values.data === undefined) await rm(directory, { recursive: true, force: true });
}
process.exit(code);
