import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
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

const { values } = (() => {
  try {
    return parseArgs({
      options: { seconds: { type: "string" }, cut: { type: "string" }, report: { type: "string" }, data: { type: "string" } },
    });
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
})();

function wholeNumber(name: string, text: string | undefined, minimum: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= minimum) return value;
  console.error(`--${name} takes a whole number of seconds, at least ${minimum}\n${USAGE}`);
  process.exit(2);
}
const cutSeconds = wholeNumber("cut", values.cut, 1);
const seconds = wholeNumber("seconds", values.seconds, cutSeconds === undefined ? 10 : cutSeconds + 20);
if (seconds === undefined && (values.report ?? values.cut) !== undefined) {
  console.error(`--report and --cut go with --seconds\n${USAGE}`);
  process.exit(2);
}

const ROOMS = ["Trụ sở Tiếp công dân tỉnh", "UBND xã Ba Tơ", "Sở Nông nghiệp và Môi trường"];
const unattended = seconds !== undefined;
const directory = values.data ?? join(import.meta.dirname, "..", "var", `demo-${process.pid}`);
if (await mkdir(directory, { recursive: true }).then((made) => made === undefined)) {
  console.error(`${directory} exists already; name a folder that does not`);
  process.exit(2);
}

const stopping = new AbortController();
process.once("SIGINT", () => stopping.abort());
process.once("SIGTERM", () => stopping.abort());

interface RoomReport extends RoomCount {
  room: string;
  /** Frames that the virtual camera gave. */
  framesCaptured: number;
  /** Frames that the encoder reports. */
  framesEncoded: number;
  framesDropped: number;
}

interface Report {
  name: "demo";
  machine: { cpu: string; cores: number };
  seconds: number;
  cutSeconds: number;
  rooms: RoomReport[];
  liveLatencyMs: { median: number; p95: number; perRoom: { room: string; median: number; p95: number }[] } | null;
  /** After the line came back (with --cut). */
  liveBackMs: number | null;
  syncedSecondsAfterEnd: number;
  lost: string[];
}

/** The line cut and the hub killed in the middle of a session; resolves with how long the live picture took to return. */
async function trouble(stand: Stand, room: RoomProcess, cutMs: number): Promise<number> {
  const { clock } = { clock: systemClock };
  await clock.sleep(5_000);
  room.cable!.cut();
  await clock.sleep(cutMs / 2);
  stand.hub.process.kill("SIGKILL");
  await clock.sleep(cutMs / 2);
  await until("the hub is back", () => stand.desk.rooms().then(() => true), { withinMs: 20_000 });
  room.cable!.mend();
  const mendedMs = clock.monotonicMs();
  await until(
    `the live picture of ${room.name} is back`,
    async () => (await stand.desk.rooms()).some((view) => view.box === room.box && view.live.includes("video")),
    { withinMs: 20_000, everyMs: 20 },
  );
  return clock.monotonicMs() - mendedMs;
}

async function holdSession(stand: Stand, sessionSeconds: number): Promise<Report> {
  const { desk, rooms } = stand;
  const browser = values.report === undefined ? undefined : await openDesk(stand.hub.url, ADMINISTRATOR, stand.password);
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
      async () => (await desk.rooms()).filter((view) => view.health?.recording.growing && view.session?.id === session.id).length === rooms.length,
      { withinMs: 20_000, everyMs: 50 },
    );
    // Without a cut the pictures are read all through; with one, only until the line goes.
    const reading = browser
      ? measureLiveLatency(browser.page, { selector: "video", seconds: cutSeconds === undefined ? Math.max(3, sessionSeconds - 6) : 3 })
      : undefined;
    const liveBackMs = cutSeconds === undefined ? null : await trouble(stand, rooms.at(-1)!, cutSeconds * 1_000);
    const latency: LiveLatency | undefined = await reading;
    await systemClock.sleep(Math.max(0, startedMs + sessionSeconds * 1_000 - systemClock.monotonicMs()));
    await desk.act(session.id, "end");
    const endedMs = systemClock.monotonicMs();
    await until(
      "everything is at the hub",
      async () => (await desk.recording(session.id)).copies.hubComplete,
      { withinMs: 60_000, everyMs: 100 },
    );
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
      counted.push({ room: room.name, ...(await encoderCounts(room)), ...count });
    }
    const lost = counted.flatMap((room) => losses(room));
    if (syncedSecondsAfterEnd > 15) lost.push(`synced only ${syncedSecondsAfterEnd.toFixed(1)} s after the end`);
    if (liveBackMs !== null && liveBackMs > 3_000) lost.push(`live picture back only after ${Math.round(liveBackMs)} ms`);
    return {
      name: "demo",
      machine: { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length },
      seconds: sessionSeconds,
      cutSeconds: cutSeconds ?? 0,
      rooms: counted,
      liveLatencyMs: latency
        ? {
            median: latency.median,
            p95: latency.p95,
            perRoom: latency.perVideo.map(({ median, p95 }, i) => ({ room: rooms[i]?.name ?? "", median, p95 })),
          }
        : null,
      liveBackMs,
      syncedSecondsAfterEnd,
      lost,
    };
  } finally {
    await browser?.close();
  }
}

/** What the camera gave and the encoder took in the session's takes, from their own status files. */
async function encoderCounts(room: RoomProcess): Promise<Pick<RoomReport, "framesCaptured" | "framesEncoded" | "framesDropped">> {
  const last = JSON.parse(await readFile(join(room.runDirectory, "last-take.json"), "utf8")) as {
    framesCaptured: number;
    framesEncoded: number;
    framesDropped: number;
  };
  return last;
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
  expect("frames dropped", room.framesDropped, 0);
  if (!room.hashesEqual) lost.push(`${room.room}: hashes differ`);
  for (const gap of room.gaps) if (gap.cause !== "starting") lost.push(`${room.room}: gap ${gap.cause} of ${Math.round(gap.durationMs)} ms`);
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
      console.log(`${room.room}: ${room.framesRecorded} khung hình ghi, ${room.framesArchived} lưu trữ, ${room.framesAtProvince} ở kho tỉnh`);
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
