import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { runChecked, startProcess, systemClock, type Child } from "../../src/platform/platform.ts";
import { liveStreamName, makeId, type BoxId, type LiveKind } from "../../src/protocol/protocol.ts";
import { nginxVersion, startNginxRtmp } from "../support/nginx-rtmp.ts";
import { cpuMs, rssMb } from "../support/process-cost.ts";
import { until } from "../support/until.ts";
import type { LoadPlan, LoadReport } from "../support/ingest-load-child.ts";
import { atMost, machineNow, median, round, type Bench } from "./report.ts";

const STREAMS = [20, 50];
const VIEWERS = [0, 1];
const WINDOWS = 3;
const WINDOW_SECONDS = 8;
const WARM_UP_MS = 2_500;
const CLIP_SECONDS = 10;
type Clip = Exclude<LiveKind, "small">;
const KINDS: Clip[] = ["video", "audio"];

interface Server extends AsyncDisposable {
  pid: number;
  plan(boxes: readonly BoxId[], viewers: number, clips: Record<Clip, string>): LoadPlan;
}

interface Sample {
  /** CPU of the server for one second of one box's picture and sound. */
  cpuMsPerStreamSecond: number;
  rssMb: number;
  worstLagMs: number;
}

/**
 * What receiving and handing out live streams costs: CPU and memory of the hub's ingest and fan-out, and of Debian's
 * nginx with its RTMP module, given the same bytes over the same number of connections by the same replayer. The
 * windows of the two take turns, so that what else the machine does falls on both.
 */
export const bench: Bench = {
  name: "ingest",
  async run({ seconds = WINDOW_SECONDS }) {
    const machine = machineNow();
    const directory = await mkdtemp(join(tmpdir(), "dc-bench-ingest-"));
    try {
      const clips = await makeClips(directory);
      const boxes = Array.from({ length: Math.max(...STREAMS) }, (_, n) => boxId(n));
      await using ours = await startOurs(boxes);
      await using nginx = await startNginx(directory);
      const figures: Record<string, number> = {};
      const peer: Record<string, number> = {};
      const ratios: Record<string, number> = {};
      for (const viewers of VIEWERS)
        for (const streams of STREAMS) {
          const samples: Record<"ours" | "nginx", Sample[]> = { ours: [], nginx: [] };
          for (let window = 0; window < WINDOWS; window++) {
            samples.ours.push(await measure(ours, boxes.slice(0, streams), viewers, clips, seconds));
            samples.nginx.push(await measure(nginx, boxes.slice(0, streams), viewers, clips, seconds));
          }
          const setting = `${streams} streams, ${viewers} viewers each`;
          note(figures, setting, samples.ours);
          note(peer, setting, samples.nginx);
          ratios[setting] = round(
            median(
              samples.ours.map((sample, n) => sample.cpuMsPerStreamSecond / samples.nginx[n]!.cpuMsPerStreamSecond),
            ),
          );
        }
      for (const [setting, ratio] of Object.entries(ratios)) figures[`${setting}: CPU ratio to nginx`] = ratio;
      const worst = Math.max(...Object.values(ratios));
      return {
        name: "ingest",
        machine,
        figures,
        peers: { [await nginxVersion()]: peer },
        goals: [
          atMost("CPU ratio to nginx-rtmp, now", worst, 5),
          atMost("CPU ratio to nginx-rtmp, in the end", worst, 2),
        ],
      };
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};

function note(figures: Record<string, number>, setting: string, samples: Sample[]): void {
  figures[`${setting}: CPU ms per stream-second`] = round(median(samples.map((each) => each.cpuMsPerStreamSecond)), 3);
  figures[`${setting}: RSS MB`] = round(median(samples.map((each) => each.rssMb)), 1);
  figures[`${setting}: worst lag of the replayer, ms`] = round(Math.max(...samples.map((each) => each.worstLagMs)), 0);
}

const boxId = (n: number): BoxId => makeId("box", Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, n));
const streamName = (box: BoxId, kind: LiveKind): string => liveStreamName({ box, kind, run: "aaaaaaaa" });

/** 720p25 at 1.5 Mbit/s and AAC at 64 kbit/s, each in a file of its own as boxes publish them. */
async function makeClips(directory: string): Promise<Record<Clip, string>> {
  const clips = { video: join(directory, "video.flv"), audio: join(directory, "audio.flv") };
  const common = ["ffmpeg", "-v", "error", "-nostdin", "-t", String(CLIP_SECONDS), "-f", "lavfi"];
  const rate = [
    "-b:v",
    "1500k",
    "-minrate",
    "1500k",
    "-maxrate",
    "1500k",
    "-bufsize",
    "750k",
    "-x264-params",
    "nal-hrd=cbr",
  ];
  const codec = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "50"];
  await runChecked([...common, "-i", "testsrc2=size=1280x720:rate=25", ...codec, ...rate, clips.video]);
  await runChecked([
    ...common,
    "-i",
    "sine=frequency=440:sample_rate=48000",
    "-c:a",
    "aac",
    "-b:a",
    "64k",
    clips.audio,
  ]);
  return clips;
}

async function startOurs(boxes: readonly BoxId[]): Promise<Server> {
  const child = await startProcess(
    [process.execPath, join(import.meta.dirname, "../support/ingest-hub-child.ts"), ...boxes],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const [line] = (await once(createInterface(child.stdout!), "line")) as [string];
  const { rtmpPorts, webPort } = JSON.parse(line) as { rtmpPorts: Record<BoxId, number>; webPort: number };
  return {
    pid: child.pid,
    plan: (streams, viewers, clips) => ({
      publishes: each(streams, (box, kind) => ({
        port: rtmpPorts[box]!,
        name: streamName(box, kind),
        clip: clips[kind],
      })),
      rtmpViewers: [],
      webViewers: repeat(viewers, () => each(streams, (box, kind) => `ws://127.0.0.1:${webPort}/${box}/${kind}`)),
    }),
    [Symbol.asyncDispose]: async () => void (await child.stop(5_000)),
  };
}

async function startNginx(directory: string): Promise<Server> {
  const nginx = await startNginxRtmp(directory);
  const { port } = nginx;
  return {
    pid: nginx.pid,
    plan: (streams, viewers, clips) => ({
      publishes: each(streams, (box, kind) => ({ port, name: streamName(box, kind), clip: clips[kind] })),
      rtmpViewers: repeat(viewers, () => each(streams, (box, kind) => ({ port, name: streamName(box, kind) }))),
      webViewers: [],
    }),
    [Symbol.asyncDispose]: () => nginx[Symbol.asyncDispose](),
  };
}

const each = <T>(boxes: readonly BoxId[], make: (box: BoxId, kind: Clip) => T): T[] =>
  boxes.flatMap((box) => KINDS.map((kind) => make(box, kind)));
const repeat = <T>(times: number, make: () => T[]): T[] => Array.from({ length: times }, make).flat();

/** One window: starts the load, lets it settle, and reads the server's clock of CPU time before and after. */
async function measure(
  server: Server,
  boxes: readonly BoxId[],
  viewers: number,
  clips: Record<Clip, string>,
  seconds: number,
): Promise<Sample> {
  const plan = server.plan(boxes, viewers, clips);
  const load = await startProcess(
    [process.execPath, join(import.meta.dirname, "../support/ingest-load-child.ts"), JSON.stringify(plan)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  try {
    const reports: LoadReport[] = [];
    createInterface(load.stdout!).on("line", (line) => reports.push(JSON.parse(line) as LoadReport));
    await until("the load runs", () => alive(load) && reports.length > 0, { withinMs: 30_000 });
    await systemClock.sleep(WARM_UP_MS);
    const [first, cpuBefore, startMs] = [reports.at(-1)!, cpuMs(server.pid), systemClock.monotonicMs()];
    const before = reports.length;
    await systemClock.sleep(seconds * 1_000);
    const [last, cpuAfter, endMs] = [reports.at(-1)!, cpuMs(server.pid), systemClock.monotonicMs()];
    const sent = last.sentBytes - first.sentBytes;
    const received = last.receivedBytes - first.receivedBytes;
    if (received < 0.95 * sent * viewers) throw new Error(`viewers got ${received} of ${sent * viewers} bytes`);
    const streamSeconds = ((endMs - startMs) / 1_000) * boxes.length;
    return {
      cpuMsPerStreamSecond: (cpuAfter - cpuBefore) / streamSeconds,
      rssMb: rssMb(server.pid),
      worstLagMs: Math.max(...reports.slice(before).map((report) => report.worstLagMs)),
    };
  } finally {
    await load.stop(2_000);
  }
}

function alive(load: Child): true {
  process.kill(load.pid, 0);
  return true;
}
