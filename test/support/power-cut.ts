import { mkdir, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createSigner } from "../../src/evidence/evidence.ts";
import { openRecorder } from "../../src/edge/recording/recording.ts";
import { VirtualRoomStatus } from "../../src/edge/capture/virtual-room.ts";
import { readStampRgba, stampAgeMs, stampHeight } from "../../src/media/media.ts";
import { createLog, isoUtc, runChecked, startProcess, systemClock } from "../../src/platform/platform.ts";
import {
  segmentFileName,
  type BoxId,
  type EvidenceRecord,
  type GapRecord,
  type PointId,
  type SessionId,
} from "../../src/protocol/protocol.ts";
import type { RecorderChildOptions, ToldRecord } from "./recorder-child.ts";
import { readChain, type ChildView } from "./recorder-stand.ts";
import { until } from "./until.ts";
import { makeVolatileDisk, mountImage, type Survival, type VolatileDisk } from "./volatile-disk.ts";

export const FRAME_RATE = 25;
const FRAME_MS = 1_000 / FRAME_RATE;
const SIZE = { width: 1280, height: 720, frameRate: FRAME_RATE, maxBitrateKbps: 3_000 };
const SMALL = { width: 320, height: 180, frameRate: FRAME_RATE, maxBitrateKbps: 600 };
const LIVE = { width: 640, height: 360, bitrateKbps: 400 };
const SEGMENT_FRAMES = 10 * FRAME_RATE;
const SESSION = "session-aaaaaaaaaaaaaaaa" as SessionId;
const BOX = "box-aaaaaaaaaaaaaaaa" as BoxId;
const POINT = "point-aaaaaaaaaaaaaaaa" as PointId;

/** What a recorder had after a cut. */
export interface CutResult {
  /** Frames that the source had given by then and that cannot be played any more. */
  framesLost: number;
  /** False where not one frame of a take that had begun can be played. */
  opens: boolean;
  /** Files that were closed a second or longer before the cut and are not whole, or that were said to be on disk. */
  closedSegmentsLost: number;
}

export interface BoxCutResult extends CutResult {
  /** From the start of the agent to the first record of the next take. */
  resumedAfterMs: number;
  /** Numbers that are missing between the first and the last frame. */
  framesMissingInside: number;
  /** Of the take in which the session went on. */
  gap: GapRecord | undefined;
  /** By how much the gap's beginning misses the end of the last frame that can be played. */
  gapErrorMs: number;
}

/** A box's recorder that records 720p25 of a virtual room to a volatile disk, all as in the field. */
export interface RecordingBox extends AsyncDisposable {
  readonly disk: VolatileDisk;
  /** Moment of frame 0, CLOCK_MONOTONIC. */
  readonly startedMs: number;
  /** When the box said that its first segment is on disk, CLOCK_MONOTONIC; undefined before. */
  closedMs(): Promise<number | undefined>;
  /** Ends the recording and switches the disk off. */
  stop(): Promise<void>;
  /** What is on the disk after a cut at that moment, as the recorder finds it at its next start. */
  recover(atMs: number, survival: Survival): Promise<BoxCutResult>;
}

/** @param picture size of the record; small where only the outcome counts */
export async function startRecordingBox(home: string, picture: "720p" | "small"): Promise<RecordingBox> {
  const record = picture === "720p" ? SIZE : SMALL;
  const runDirectory = join(home, "run");
  await mkdir(runDirectory, { recursive: true });
  const [keyFile, publicFile] = [join(home, "key.pem"), join(home, "public.pem")];
  await runChecked(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", keyFile]);
  await runChecked(["openssl", "ec", "-in", keyFile, "-pubout", "-out", publicFile]);
  const [key, publicKey] = [await readFile(keyFile, "utf8"), await readFile(publicFile, "utf8")];

  await using starting = new AsyncDisposableStack();
  const diskHome = join(home, "disk");
  const disk = starting.use(await makeVolatileDisk(diskHome));
  const session = { id: SESSION, startedAt: isoUtc(systemClock.wallMs()) };
  const source = { kind: "virtual", label: "power cut", phrases: "/usr/share/sounds/alsa" } as const;
  const options: RecorderChildOptions = {
    dataDirectory: join(disk.directory, "box"),
    runDirectory,
    capture: { source, record, live: LIVE },
    // Nobody listens there: the line is dead throughout.
    rtmpPort: 1,
    identity: { box: BOX, point: POINT, keyFile },
    session,
    ended: [],
  };
  const script = join(import.meta.dirname, "recorder-child.ts");
  const agent = await startProcess([process.execPath, script, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", process.env["DIEMCAU_TEST_LOG"] ? "inherit" : "ignore"],
  });
  starting.defer(async () => void (await agent.stop(20_000)));
  const port = await new Promise<number>((resolve) =>
    agent.stdout!.once("data", (text) => resolve(Number(String(text)))),
  );
  const view = async () =>
    (await (await fetch(`http://127.0.0.1:${port}/view`)).json()) as ChildView & { told: ToldRecord[] };
  await until("the box records", async () => (await view()).facts.recording.growing, { withinMs: 30_000 });
  const run = (await readdir(join(runDirectory, "encoder"))).find((name) => !name.endsWith(".json"));
  const room = VirtualRoomStatus.parse(
    JSON.parse(await readFile(join(runDirectory, "encoder", run!, "room.json"), "utf8")),
  );
  const [startedMs, startedWallMs] = [room.startedMonotonicMs!, room.startedWallMs!];
  const running = starting.move();
  let told: ToldRecord[] = [];

  const recover = async (atMs: number, survival: Survival): Promise<BoxCutResult> => {
    const place = await mkdtemp(join(diskHome, "cut-"));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rm(place, { recursive: true }));
    const image = join(place, "disk.img");
    await disk.cut(atMs, survival, Math.random, image);
    const mounted = join(place, "mounted");
    stack.use(await mountImage(image, mounted));

    const next = join(place, "run");
    await mkdir(next);
    const lines: string[] = [];
    const startMs = systemClock.monotonicMs();
    const clock = { ...systemClock, bootId: "the boot after the cut" };
    const recorder = await openRecorder({
      clock,
      log: createLog(clock, (line) => lines.push(line), "warn"),
      config: { source, record: SMALL, live: { width: 160, height: 90, bitrateKbps: 60 } },
      dataDirectory: join(mounted, "box"),
      runDirectory: next,
      liveUrl: (kind, run) => `rtmp://127.0.0.1:1/live/${BOX}_${kind}_${run}`,
      hubOffset: () => null,
      agentVersion: "test",
    });
    recorder.setIdentity({ box: BOX, point: POINT, signer: createSigner(key) });
    recorder.setSession(session, "sessionEnded");
    const ending = new AbortController();
    const recording = recorder.run(ending.signal);
    await until(
      "the session goes on",
      () => {
        const { take } = recorder.facts().recording;
        return recorder.takes().some((each) => each.take === take && each.records > 0);
      },
      { withinMs: 30_000 },
    );
    const resumedAfterMs = systemClock.monotonicMs() - startMs;
    ending.abort();
    await recording;

    const folder = join(mounted, "box/recordings", SESSION);
    const takes = await readChain([folder], publicKey);
    if (lines.some((line) => line.includes("unreadableTake"))) throw new Error(lines.join(""));
    const framesGiven = Math.floor((atMs - startedMs) / FRAME_MS) + 1;
    const cut = takes.length > 1 ? takes[0]! : [];
    const segments = cut.flatMap((each) => (each.kind === "segment" ? [each] : []));
    const last = segments.at(-1);
    const stamps = last ? await readStamps(join(folder, last.take, segmentFileName(last.seq)), record.width) : [];
    const numbers = new Set(stamps.map((stamp) => Math.round(-stampAgeMs(stamp, startedWallMs) / FRAME_MS)));
    const played = segments.slice(0, -1).reduce((sum, each) => sum + each.frames, 0) + numbers.size;
    const behindLast = Math.max(-1, ...numbers) + 1;
    const recordsTold = told.filter((each) => each.atMs <= atMs).length;
    const closed = Math.floor((framesGiven - FRAME_RATE) / SEGMENT_FRAMES);
    const whole = segments.filter(({ frames }) => frames === SEGMENT_FRAMES).length;
    const gap = (takes.at(-1) as EvidenceRecord[]).find((each) => each.kind === "gap");
    const endedWallMs = played === 0 ? Date.parse(session.startedAt) : startedWallMs + behindLast * FRAME_MS;
    return {
      framesLost: framesGiven - played,
      opens: recordsTold === 0 || played > 0,
      closedSegmentsLost: Math.max(0, closed - whole, recordsTold - cut.length),
      resumedAfterMs,
      framesMissingInside: behindLast - played,
      gap,
      gapErrorMs: gap ? Date.parse(gap.from) - endedWallMs : Infinity,
    };
  };

  return {
    disk,
    startedMs,
    recover,
    // The record before it is the take's start; between them may be a gap.
    closedMs: async () => {
      const { segments, takes, told } = await view();
      const before = (takes[0]?.records ?? 0) - segments.length;
      return segments.length > 0 ? told[before]?.atMs : undefined;
    },
    async stop() {
      ({ told } = await view());
      await agent.stop(20_000);
      await disk.stop();
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** The clocks in the pictures that a file still shows. */
async function readStamps(file: string, width: number): Promise<number[]> {
  const row = Math.floor(stampHeight(width) / 4) * 2;
  const child = await startProcess([
    ...["ffmpeg", "-v", "quiet", "-nostdin", "-i", file, "-map", "0:v", "-fps_mode", "passthrough"],
    ...["-vf", `crop=iw:2:0:${row},format=rgba`, "-f", "rawvideo", "-"],
  ]);
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout!) chunks.push(chunk as Buffer);
  const pixels = Buffer.concat(chunks);
  const frameBytes = width * 2 * 4;
  return Array.from({ length: Math.floor(pixels.length / frameBytes) }, (_, n) =>
    readStampRgba(pixels.subarray(n * frameBytes, n * frameBytes + width * 4), width),
  ).filter((stamp) => stamp !== undefined);
}
