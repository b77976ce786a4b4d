import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { verifyBag } from "../../src/evidence/evidence.ts";
import { readStampRgba, stampAgeMs } from "../../src/media/media.ts";
import { runChecked } from "../../src/platform/platform.ts";
import { segmentPath, type SegmentRecord, type TakeEndRecord, type TakeId } from "../../src/protocol/protocol.ts";
import { raiseCompanionStand, ROOM_TONE_HERTZ, SMALL_ROOM, type CompanionStand } from "../support/companion-stand.ts";
import { boxRecords, countRoom } from "../support/count.ts";
import type { Meeting } from "../support/meeting-page/meeting-page.ts";
import { FAR_TONE_HERTZ } from "../support/meeting.ts";
import { raiseStand, standLogs } from "../support/stand.ts";
import { until } from "../support/until.ts";

const directory = await mkdtemp(join(tmpdir(), "diemcau-companion-"));
afterAll(() => rm(directory, { recursive: true, force: true }));

/** What the far peer has read of the room's camera since a moment, and hears of its microphone. */
const seenAt = ({ meeting }: CompanionStand): Promise<Pick<Meeting, "stamps"> & { roomDb: number; noneDb: number }> =>
  meeting.far.evaluate(
    ([room, none]) => ({
      stamps: window.meeting.stamps.slice(),
      roomDb: window.meeting.levelAt(room!),
      noneDb: window.meeting.levelAt(none!),
    }),
    [ROOM_TONE_HERTZ, 3_000],
  );

/** The browser that the agent started last. */
async function browserPid({ room }: CompanionStand): Promise<number> {
  const started = [...(await readFile(room.logFile, "utf8")).matchAll(/"companion.browserStarted","pid":(\d+)/g)];
  return Number(started.at(-1)![1]);
}

/** The numbers that the far peer's picture counts, as they stand in these files of the screen. */
async function countedIn(paths: readonly string[]): Promise<number[]> {
  const numbers: number[] = [];
  for (const path of paths) {
    const rows = join(directory, "rows.raw");
    // One line through the middle of the stamp, which the far peer draws along the lower edge.
    const line = ["-vf", "crop=iw:2:0:ih-18,format=rgba", "-f", "rawvideo"];
    await runChecked(["ffmpeg", "-v", "error", "-y", "-i", path, "-an", ...line, rows]);
    const bytes = await readFile(rows);
    const width = 640;
    for (let at = 0; at + width * 8 <= bytes.length; at += width * 8) {
      const number = readStampRgba(bytes.subarray(at, at + width * 4), width);
      if (number !== undefined) numbers.push(number);
    }
  }
  return numbers;
}

/** Mean level of a narrow band in these files, dB. */
async function bandDb(path: string, hertz: number): Promise<number> {
  const filter = `bandpass=f=${hertz}:width_type=h:w=40,volumedetect`;
  const { stderr } = await runChecked(["ffmpeg", "-nostdin", "-i", path, "-vn", "-af", filter, "-f", "null", "-"]);
  return Number(/mean_volume: (-?[\d.]+) dB/.exec(stderr)![1]);
}

/** With the last lines of every process's log. */
async function told(cause: unknown): Promise<Error> {
  return new Error(await standLogs(join(directory, "stand"), 25), { cause });
}

test("another system's page gets camera and microphone, and its screen is recorded beside the room; a killed browser costs the screen a signed gap and the room nothing", async () => {
  await using companion = await raiseCompanionStand(directory);
  const { stand, room, meeting } = companion;
  const { desk } = stand;
  try {
    const points = [{ id: room.point, role: "central" as const }];
    const created = await desk.createSession("Họp", points, undefined, { url: meeting.url, name: "Họp thử" });
    const session = created.id;
    await desk.act(session, "start");
    const screen = async () => (await desk.recording(session)).rooms[0]!.screen!;

    const roomInMeeting = async (what: string, sinceMs: number) => {
      await until(
        what,
        async () => {
          const { stamps, roomDb, noneDb } = await seenAt(companion);
          return stamps.filter(({ atMs }) => atMs > sinceMs).length > 20 && roomDb > noneDb + 30;
        },
        { withinMs: 60_000, everyMs: 500 },
      );
    };
    await roomInMeeting("the far peer sees and hears the room", 0);
    // Each picture that arrives is of this moment: the stamp is the wall clock at the camera.
    const { stamps } = await seenAt(companion);
    for (const { stamp, atMs } of stamps.slice(-10)) {
      expect(stampAgeMs(stamp, atMs)).toBeGreaterThanOrEqual(0);
      expect(stampAgeMs(stamp, atMs)).toBeLessThan(5_000);
    }
    await until("a segment of the screen is closed", async () => (await screen()).segments.length > 0, {
      withinMs: 60_000,
      everyMs: 250,
    });

    const killedMs = Date.now();
    process.kill(await browserPid(companion), "SIGKILL");
    await until(
      "the screen is recorded again",
      async () => (await screen()).gaps.some(({ cause }) => cause === "deviceLost"),
      { withinMs: 60_000, everyMs: 250 },
    );
    await roomInMeeting("the room is in the meeting again", killedMs + 1_000);
    await desk.act(session, "end");
    await until(
      "all is at the hub and in the province",
      async () => (await desk.recording(session)).copies.provinceComplete,
      {
        withinMs: 60_000,
        everyMs: 250,
      },
    );

    const view = (await desk.recording(session)).rooms[0]!;
    // A machine so busy that an encoder stands still for seconds is no matter of this test.
    const causesOf = ({ gaps }: Pick<typeof view, "gaps">) =>
      gaps.map(({ cause }) => cause).filter((cause) => cause !== "encoderStalled");
    expect(causesOf(view)).toEqual(["starting"]);
    expect(causesOf(view.screen!)).toEqual(["starting", "deviceLost"]);
    const lost = view.screen!.gaps.find(({ cause }) => cause === "deviceLost")!;
    expect(Date.parse(lost.from)).toBeLessThan(killedMs + 3_000);
    expect(Date.parse(lost.to)).toBeGreaterThan(killedMs);

    // Both tracks: the same bytes on the box, at the hub and in the province; every frame of the camera in the room's.
    const recordings = join(room.dataDirectory, "recordings");
    const archive = join(stand.hub.dataDirectory, "archive");
    const count = await countRoom(session, room.point, { recordings, archive, province: stand.province.directory });
    expect(count).toMatchObject({ hashesEqual: true, segments: view.segments.length + view.screen!.segments.length });
    const records = await boxRecords(recordings, session);
    const tracks = new Map<TakeId, string>();
    for (const record of records) if (record.kind === "takeStart") tracks.set(record.take, record.track);
    const segmentsOf = (track: string) =>
      records.filter(
        (record): record is SegmentRecord => record.kind === "segment" && tracks.get(record.take) === track,
      );
    const framesOf = (track: string) => segmentsOf(track).reduce((sum, { frames }) => sum + frames, 0);
    const whole = records.filter(
      (record): record is TakeEndRecord =>
        record.kind === "takeEnd" && record.reason === "sessionEnded" && tracks.get(record.take) === "room",
    );
    expect(whole.map((end) => end["framesCaptured"])).toEqual(whole.map(({ frames }) => frames));
    expect(framesOf("room")).toBeGreaterThan(0);
    const report = await verifyBag(join(archive, session));
    expect(report).toMatchObject({ whole: true, takes: tracks.size, differences: [] });
    expect(report.screenTakes).toBe([...tracks.values()].filter((track) => track === "screen").length);

    // The screen shows the far peer's counted picture and plays its tone; the room's own microphone is in the other track.
    const filesOf = (track: string) => segmentsOf(track).map((name) => join(recordings, segmentPath(name)));
    const numbers = await countedIn(filesOf("screen"));
    expect(numbers.length).toBeGreaterThan(framesOf("screen") / 2);
    expect(new Set(numbers).size).toBeGreaterThan(100);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    const [ofScreen, ofRoom] = [filesOf("screen")[0]!, filesOf("room")[1]!];
    expect(await bandDb(ofScreen, FAR_TONE_HERTZ)).toBeGreaterThan((await bandDb(ofScreen, ROOM_TONE_HERTZ)) + 20);
    expect(await bandDb(ofRoom, ROOM_TONE_HERTZ)).toBeGreaterThan((await bandDb(ofRoom, FAR_TONE_HERTZ)) + 20);
  } catch (error) {
    throw await told(error);
  }
}, 240_000);

test("a box that cannot show the page records its room all the same, alarms, and signs that there is no screen", async () => {
  const home = await mkdtemp(join(directory, "without-"));
  await using stand = await raiseStand({
    directory: join(home, "stand"),
    rooms: [{ name: "Xã Yên", capture: SMALL_ROOM, config: { companion: { browser: "/nonexistent/browser" } } }],
  });
  const { desk } = stand;
  const room = stand.rooms[0]!;
  const points = [{ id: room.point, role: "central" as const }];
  const url = "https://localhost:1/";
  const created = await desk.createSession("Họp", points, undefined, { url, name: "Họp thử" });
  const session = created.id;
  await desk.act(session, "start");
  const view = async () => (await desk.recording(session)).rooms[0]!;
  await until(
    "the alarm is at the hub",
    async () => (await view()).alarms.some(({ cause }) => cause === "screenNotRecording"),
    {
      withinMs: 40_000,
      everyMs: 250,
    },
  );
  await desk.act(session, "end");
  await until("all is at the hub", async () => (await desk.recording(session)).copies.hubComplete, {
    withinMs: 40_000,
    everyMs: 250,
  });
  const { gaps, segments, screen } = await view();
  expect(gaps.map(({ cause }) => cause)).toEqual(["starting"]);
  expect(segments.length).toBeGreaterThan(0);
  const { startedAt, endedAt } = await desk.session(session);
  expect(screen!.segments).toEqual([]);
  expect(screen!.gaps).toMatchObject([{ cause: "deviceLost", to: endedAt }]);
  expect(Math.abs(Date.parse(screen!.gaps[0]!.from) - Date.parse(startedAt!))).toBeLessThan(500);
}, 120_000);
