import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { runChecked, startProcess, systemClock, type Child } from "../../src/platform/platform.ts";
import { LIVE_KINDS, liveStreamName, makeId, type BoxId, type LiveKind } from "../../src/protocol/protocol.ts";
import type { PublishPlan, PublishReport } from "../support/fanout-publish-child.ts";
import { pairRooms } from "../support/fanout-rooms.ts";
import type { ViewPlan, ViewReport } from "../support/fanout-view-child.ts";
import { makeHubFolder } from "../support/hub-process.ts";
import type { Target } from "../support/load-connection.ts";
import { nginxVersion, startNginxRtmp } from "../support/nginx-rtmp.ts";
import { cpuMs, rssMb } from "../support/process-cost.ts";
import { until } from "../support/until.ts";
import { atMost, machineNow, round, type Bench } from "./report.ts";

const ROOMS = 40;
const SMALL_PICTURES = 8;
/** More than eight rooms are in the talk only when somebody calls them up. */
const AUDIBLE = 8;
const WINDOW_SECONDS = 30;
const WARM_UP_MS = 5_000;
const CLIP_SECONDS = 20;
/** Half a frame of the camera. */
const MAX_ADDED_P95_MS = 20;
const MAX_STALLED_MB = 4;

/** One server under the load: where its publishers and viewers connect. */
interface Server {
  pid: number;
  publish(n: number): Target;
  view(n: number, kind: LiveKind): Omit<ViewPlan["viewers"][number], "kind">;
}

/**
 * One hub as it is installed (one TLS port, certificates, fresh data directory) and forty rooms in one session: each
 * publishes a large and a small picture and its sound, and watches one large and eight small pictures of others and hears
 * eight rooms. The hub has one core for itself, the load has the other. Then one more viewer per room stops reading.
 * Beside it nginx-rtmp behind its own TLS with the same bytes for as many RTMP players.
 */
export const bench: Bench = {
  name: "fanout",
  async run({ seconds = WINDOW_SECONDS }) {
    const machine = machineNow();
    const directory = await mkdtemp(join(tmpdir(), "dc-bench-fanout-"));
    try {
      const clips = await makeClips(directory);
      const ours = await measureHub(directory, clips, seconds);
      const peers = await measureNginx(directory, clips, seconds);
      const { watched, stalled } = ours;
      return {
        name: "fanout",
        machine,
        figures: {
          rooms: ROOMS,
          ...viewerCounts(),
          ...ours,
        },
        peers: { [await nginxVersion()]: peers },
        goals: [
          atMost("viewers disconnected or silent", watched.disconnected + watched.silentViewers, 0),
          atMost("frames missing, all viewers together", watched.missingTags, 0),
          atMost("added latency p95, ms", watched.addedLatencyMs.all.p95, MAX_ADDED_P95_MS),
          atMost(
            "memory per stalled viewer, hub and kernel, MB",
            round(stalled.hubMbPerStalled + stalled.kernelMbPerStalled),
            MAX_STALLED_MB,
          ),
          atMost("frames missing at others beside stalled viewers", stalled.missingTags, 0),
          atMost("others disconnected beside stalled viewers", stalled.disconnected + stalled.silentViewers, 0),
          atMost("added latency p95 beside stalled viewers, ms", stalled.addedLatencyMs.all.p95, MAX_ADDED_P95_MS),
        ],
      };
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};

/** Whose streams room `n` is sent: the next rooms round the table, and never its own. */
const watchedBy = (n: number): { of: number; kind: LiveKind }[] => {
  const next = (by: number) => (n + by) % ROOMS;
  const range = (count: number) => Array.from({ length: count }, (_, by) => by);
  return [
    { of: next(1), kind: "video" as const },
    ...range(SMALL_PICTURES).map((by) => ({ of: next(2 + by), kind: "small" as const })),
    ...range(AUDIBLE).map((by) => ({ of: next(1 + by), kind: "audio" as const })),
  ];
};

const viewerCounts = () => ({
  pictureViewers: ROOMS * (1 + SMALL_PICTURES),
  soundViewers: ROOMS * AUDIBLE,
});

const viewPlan = (server: Server, what: { of: number; kind: LiveKind }[], stalled: boolean): ViewPlan => ({
  viewers: what.map(({ of, kind }) => ({ kind, ...server.view(of, kind) })),
  stalled,
});
const everything = () => Array.from({ length: ROOMS }, (_, n) => watchedBy(n)).flat();

/** What boxes send: 360p at 400 kbit/s, 180p at 120 kbit/s, a key frame each second, and AAC at 64 kbit/s. */
async function makeClips(directory: string): Promise<Record<LiveKind, string>> {
  const clip = (kind: LiveKind) => join(directory, `${kind}.flv`);
  const ffmpeg = ["ffmpeg", "-v", "error", "-nostdin", "-t", String(CLIP_SECONDS), "-f", "lavfi"];
  const picture = (size: string, rate: number) => [
    ...["-i", `testsrc2=size=${size}:rate=25`, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"],
    ...["-g", "25", "-b:v", `${rate}k`, "-maxrate", `${rate}k`, "-bufsize", `${rate / 4}k`],
  ];
  await runChecked([...ffmpeg, ...picture("640x360", 400), clip("video")]);
  await runChecked([...ffmpeg, ...picture("320x180", 120), clip("small")]);
  await runChecked([...ffmpeg, "-i", "anoisesrc=r=48000:a=0.1", "-c:a", "aac", "-b:a", "64k", clip("audio")]);
  return { video: clip("video"), small: clip("small"), audio: clip("audio") };
}

/** The server has the first core for itself, everything else shares the others. */
const alone = availableParallelism() > 1;
const onFirst = alone ? ["taskset", "--cpu-list", "0"] : [];
const onOthers = alone ? ["taskset", "--cpu-list", `1-${availableParallelism() - 1}`] : [];

async function measureHub(directory: string, clips: Record<LiveKind, string>, seconds: number) {
  await using folder = await makeHubFolder({}, onFirst);
  const hub = await folder.start();
  const rooms = await pairRooms(hub, ROOMS);
  const { target, headers } = rooms.viewer;
  const server: Server = {
    pid: hub.pid,
    publish: (n) => rooms.boxes[n]!.rtmp,
    view: (n, kind) => ({ target, web: { path: `/live/${rooms.boxes[n]!.box}/${kind}`, headers } }),
  };
  await using load = await startLoad(
    directory,
    server,
    clips,
    rooms.boxes.map(({ box }) => box),
  );
  const publishing = await load.publishOnly(seconds);
  const watched = await load.watched(seconds);
  const before = { rssMb: rssMb(hub.pid), kernelMb: await kernelMb(hub.tlsPort) };
  const one = Array.from({ length: ROOMS }, (_, n) => ({ of: n, kind: "video" as const }));
  await using _stalled = await startViewers(directory, "stalled", viewPlan(server, one, true));
  const stalled = await load.watched(2 * seconds);
  const hubMbPerStalled = round((rssMb(hub.pid) - before.rssMb) / ROOMS);
  const kernelMbPerStalled = round(((await kernelMb(hub.tlsPort)) - before.kernelMb) / ROOMS);
  return { publishing, watched, stalled: { viewers: ROOMS, hubMbPerStalled, kernelMbPerStalled, ...stalled } };
}

async function measureNginx(directory: string, clips: Record<LiveKind, string>, seconds: number) {
  const files = { keyFile: join(directory, "nginx.key"), certificateFile: join(directory, "nginx.crt") };
  const openssl = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  await runChecked([...openssl, ...name, "-keyout", files.keyFile, "-out", files.certificateFile]);
  const { stdout: caPem } = await runChecked(["openssl", "x509", "-in", files.certificateFile]);
  await using nginx = await startNginxRtmp(directory, { tls: files, chunkBytes: 65_536, under: onFirst });
  const boxes = Array.from({ length: ROOMS }, (_, n) => makeId("box", new Uint8Array(10).fill(n)));
  const measure = async (target: Target) => {
    const server: Server = {
      pid: nginx.pid,
      publish: () => target,
      view: (n, kind) => ({ target, rtmpName: liveStreamName({ box: boxes[n]!, kind, run: "aaaaaaaa" }) }),
    };
    await using load = await startLoad(directory, server, clips, boxes);
    return { publishing: await load.publishOnly(seconds), watched: await load.watched(seconds) };
  };
  return {
    "behind its TLS": await measure({ port: nginx.tlsPort!, tls: { servername: "localhost", caPem } }),
    "without TLS": await measure({ port: nginx.port }),
  };
}

interface Window {
  /** Percent of one core. */
  serverCpu: number;
  publishersCpu: number;
  rssMb: number;
  publishersLagMs: number;
}

interface Watched extends Window {
  viewersCpu: number;
  /** CPU of the server for one second of one viewer's stream, ingest included. */
  serverCpuMsPerViewerSecond: number;
  tagsPerSecond: number;
  addedLatencyMs: ViewReport["latencyMs"];
  missingTags: number;
  worstMissingTags: number;
  silentViewers: number;
  disconnected: number;
  reasons: string[];
}

interface Load extends AsyncDisposable {
  publishOnly(seconds: number): Promise<Window>;
  /** Starts the viewers at its first call. */
  watched(seconds: number): Promise<Watched>;
}

async function startLoad(
  directory: string,
  server: Server,
  clips: Record<LiveKind, string>,
  boxes: readonly BoxId[],
): Promise<Load> {
  const plan: PublishPlan = {
    publishes: boxes.flatMap((box, n) =>
      LIVE_KINDS.map((kind) => ({
        target: server.publish(n),
        name: liveStreamName({ box, kind, run: "aaaaaaaa" }),
        clip: clips[kind],
        // No two cameras are in step.
        fromKeyFrame: 7 * n,
        delayMs: (379 * n) % 1_000,
      })),
    ),
  };
  const stack = new AsyncDisposableStack();
  const publishers = await startChild(directory, "fanout-publish", plan);
  stack.use(publishers);
  const reports: PublishReport[] = [];
  publishers.lines.on("line", (line) => reports.push(JSON.parse(line) as PublishReport));
  await until("all rooms publish", () => alive(publishers.child) && reports.length > 0, { withinMs: 60_000 });
  let viewers: Viewers | undefined;
  const window = async <T>(during: () => Promise<T>): Promise<Window & { result: T }> => {
    const pids = [server.pid, publishers.child.pid];
    const cpu = pids.map(cpuMs);
    const startMs = systemClock.monotonicMs();
    const from = reports.length;
    const result = await during();
    const [serverCpu, publishersCpu] = pids.map((pid, n) => percent(cpuMs(pid) - cpu[n]!, startMs));
    return {
      ...{ serverCpu: serverCpu!, publishersCpu: publishersCpu!, rssMb: round(rssMb(server.pid), 0) },
      publishersLagMs: round(Math.max(0, ...reports.slice(from).map(({ worstLagMs }) => worstLagMs)), 0),
      result,
    };
  };
  return {
    async publishOnly(seconds) {
      await systemClock.sleep(WARM_UP_MS);
      const { result: _, ...figures } = await window(() => systemClock.sleep(seconds * 1_000));
      return figures;
    },
    async watched(seconds) {
      const started = viewers;
      viewers ??= stack.use(await startViewers(directory, "viewers", viewPlan(server, everything(), false)));
      if (!started) await systemClock.sleep(WARM_UP_MS);
      const { child, report } = viewers;
      await report();
      const viewersCpuMs = cpuMs(child.pid);
      const startMs = systemClock.monotonicMs();
      const { result, ...figures } = await window(async () => {
        await systemClock.sleep(seconds * 1_000);
        return { seen: await report(), viewersCpu: percent(cpuMs(child.pid) - viewersCpuMs, startMs) };
      });
      const { seen, viewersCpu } = result;
      return {
        ...figures,
        viewersCpu,
        serverCpuMsPerViewerSecond: round((figures.serverCpu * 10) / everything().length, 3),
        tagsPerSecond: round(seen.receivedTags / seconds, 0),
        addedLatencyMs: seen.latencyMs,
        missingTags: seen.missingTags,
        worstMissingTags: seen.worstMissingTags,
        silentViewers: seen.silent,
        disconnected: seen.gone.length,
        reasons: [...new Set(seen.gone)],
      };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const percent = (spentMs: number, sinceMs: number): number =>
  round((100 * spentMs) / (systemClock.monotonicMs() - sinceMs), 1);

interface LoadChild extends AsyncDisposable {
  child: Child;
  lines: Interface;
}

async function startChild(directory: string, name: string, plan: object, tag = name): Promise<LoadChild> {
  const file = join(directory, `${tag}.json`);
  await writeFile(file, JSON.stringify(plan));
  const script = join(import.meta.dirname, `../support/${name}-child.ts`);
  const argv = [...onOthers, process.execPath, script, file];
  const child = await startProcess(argv, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface(child.stdout!);
  return { child, lines, [Symbol.asyncDispose]: async () => void (await child.stop(2_000)) };
}

interface Viewers extends LoadChild {
  report: () => Promise<ViewReport>;
}

async function startViewers(directory: string, tag: string, plan: ViewPlan): Promise<Viewers> {
  const started = await startChild(directory, "fanout-view", plan, tag);
  await Promise.race([
    once(started.lines, "line"),
    started.child.exited.then(() => {
      throw new Error(`${tag}: a viewer was not let in`);
    }),
  ]);
  return {
    ...started,
    async report() {
      const line = once(started.lines, "line") as Promise<[string]>;
      started.child.stdin!.write("\n");
      return JSON.parse((await line)[0]) as ViewReport;
    },
  };
}

function alive(child: Child): true {
  process.kill(child.pid, 0);
  return true;
}

/** What the kernel holds for connections of this port that has not been taken by the other side. */
async function kernelMb(port: number): Promise<number> {
  const { stdout } = await runChecked(["ss", "--tcp", "--memory", "--numeric", "--no-header", `sport = :${port}`]);
  let bytes = 0;
  for (const [, queued] of stdout.matchAll(/skmem:\(.*?,w(\d+),/g)) bytes += Number(queued);
  return bytes / 2 ** 20;
}
