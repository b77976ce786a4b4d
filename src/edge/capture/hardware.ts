import { mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { release, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { z } from "zod";
import { causeOf, ProcessError, runProcess, writeDurable, type Log } from "../../platform/platform.ts";

/** Which encoder makes the record; `why` is for people. */
export type VideoEncoder = { kind: "software"; why: string } | { kind: "vaapi"; node: string; why: string };

/** What the trial encodes: two seconds of what a box records. */
const TRIAL = { width: 1280, height: 720, frameRate: 25, frames: 50, bitrateKbps: 3_000 };
/** Of a test pattern at 3 Mbit/s, x264 gives 44 dB at its fastest; below this somebody would see it. */
const LEAST_PSNR_DB = 32;
/** A driver that hangs must not keep the trial for ever; a good one needs a second. */
const STEP_TIMEOUT_MS = 20_000;

const Verdict = z.object({ v: z.literal(1), of: z.string(), good: z.boolean(), why: z.string() });

/** Judges what came out of a trial. @param packets one line per picture: time, flags. @returns what is wrong with it */
export function judgeTrial(packets: string, psnr: string): string | undefined {
  const lines = packets.trim().split("\n").filter(Boolean);
  if (lines.length !== TRIAL.frames) return `${lines.length} pictures of ${TRIAL.frames}`;
  const times = lines.map((line) => Number(line.split(",")[0]));
  if (times.some((time, i) => !(i === 0 || time > times[i - 1]!))) return "pictures are out of their order";
  const keys = lines.flatMap((line, i) => (/K/.test(line.split(",")[1] ?? "") ? [i] : []));
  if (keys.join() !== `0,${TRIAL.frameRate}`) return `key frames at ${keys.join(", ")}`;
  const [average, least] = ["average", "min"].map((key) => new RegExp(`\\b${key}:(inf|[\\d.]+)`).exec(psnr)?.[1]);
  const decibel = (text: string | undefined) => (text === "inf" ? Infinity : Number(text ?? "NaN"));
  if (!(decibel(average) >= LEAST_PSNR_DB) || !(decibel(least) >= LEAST_PSNR_DB - 6))
    return `the picture is not what was encoded: PSNR ${average ?? "unknown"} dB, worst ${least ?? "unknown"}`;
  return undefined;
}

/** What encodes on a render node, as FFmpeg's options of one output. */
export const vaapiOptions = (frameRate: number, bitrateKbps: number): string[] => [
  ...["-c:v", "h264_vaapi", "-profile:v", "high", "-g", `${frameRate}`, "-bf", "0", "-rc_mode", "VBR"],
  ...["-b:v", `${Math.round(bitrateKbps * 0.75)}k`, "-maxrate", `${bitrateKbps}k`, "-bufsize", `${bitrateKbps * 2}k`],
];

/**
 * Finds a graphics chip that encodes: it must encode a test pattern, and what comes out must be the pattern again, whole, in
 * order and with its key frames. The verdict is kept for this driver, kernel and FFmpeg; with anything that is wrong the
 * processor encodes, which every box can.
 */
export async function findEncoder(options: {
  ffmpeg: string;
  log: Log;
  /** Keeps the verdict. */
  verdictFile: string;
  /** Folder of the render nodes. */
  dri?: string | undefined;
  stepTimeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}): Promise<VideoEncoder> {
  const { ffmpeg, log, verdictFile, signal } = options;
  const dri = options.dri ?? "/dev/dri";
  const nodes = (await readdir(dri).catch(() => [])).filter((name) => /^renderD\d+$/.test(name)).sort();
  if (nodes.length === 0) return { kind: "software", why: "there is no render node" };
  let why = "";
  for (const name of nodes) {
    const node = join(dri, name);
    const of = await describeNode(name, ffmpeg);
    const kept = await readVerdict(verdictFile);
    const known = kept?.of === of ? kept : undefined;
    const wrong = known ? (known.good ? undefined : known.why) : await tryNode(options, node);
    if (signal?.aborted) return { kind: "software", why: "the trial was interrupted" };
    if (!known) await keepVerdict(verdictFile, { of, good: wrong === undefined, why: wrong ?? "" }, log);
    log.info("capture.hardware", { node, of, tried: !known, good: wrong === undefined, why: wrong });
    if (wrong === undefined) return { kind: "vaapi", node, why: of };
    why = `${node}: ${wrong}`;
  }
  return { kind: "software", why };
}

/** Also of an encoder that passed its trial and failed in use. */
export async function keepVerdict(path: string, verdict: { of: string; good: boolean; why: string }, log: Log) {
  await writeDurable(path, JSON.stringify({ v: 1, ...verdict })).catch((error: unknown) =>
    log.warn("capture.verdictNotKept", { cause: causeOf(error) }),
  );
}

async function readVerdict(path: string): Promise<z.infer<typeof Verdict> | undefined> {
  try {
    return Verdict.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined;
  }
}

/** A verdict holds for one chip, driver, kernel and FFmpeg. */
async function describeNode(name: string, ffmpeg: string): Promise<string> {
  const device = `/sys/class/drm/${name}/device`;
  const [driver, vendor, model, version] = await Promise.all([
    readlink(join(device, "driver")).then(basename, () => "unknown"),
    readFile(join(device, "vendor"), "utf8").catch(() => ""),
    readFile(join(device, "device"), "utf8").catch(() => ""),
    runProcess([ffmpeg, "-version"]).then(({ stdout }) => stdout.split("\n")[0], causeOf),
  ]);
  return `${driver} ${vendor.trim()}:${model.trim()}, Linux ${release()}, ${version}`;
}

/** @returns what is wrong with it; undefined where it encodes */
async function tryNode(
  { ffmpeg, stepTimeoutMs, signal }: Pick<Parameters<typeof findEncoder>[0], "ffmpeg" | "stepTimeoutMs" | "signal">,
  node: string,
): Promise<string | undefined> {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-encoder-"));
  const file = join(directory, "trial.ts");
  const { width, height, frameRate, frames, bitrateKbps } = TRIAL;
  const pattern = `testsrc2=size=${width}x${height}:rate=${frameRate}`;
  // Both count in pictures: the container counts in other units than the pattern.
  const counted = `format=yuv420p,settb=1/${frameRate},setpts=N`;
  const timeoutMs = stepTimeoutMs ?? STEP_TIMEOUT_MS;
  // The preview, and the talk of others, come first.
  const run = (argv: string[]) => runProcess(["nice", "-n", "15", ...argv], { timeoutMs, ...(signal && { signal }) });
  try {
    const encoded = await run([
      ...[ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-init_hw_device", `vaapi=va:${node}`],
      ...["-filter_hw_device", "va", "-f", "lavfi", "-i", pattern, "-frames:v", `${frames}`],
      ...["-vf", "format=nv12,hwupload", ...vaapiOptions(frameRate, bitrateKbps), file],
    ]);
    if (encoded.code !== 0) return `it does not encode: ${lastLine(encoded.stderr)}`;
    const packets = await run([
      ...["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts_time,flags"],
      ...["-of", "csv=p=0", file],
    ]);
    const compared = await run([
      ...[ffmpeg, "-hide_banner", "-nostdin", "-i", file, "-f", "lavfi", "-i", pattern],
      ...["-lavfi", `[0:v]${counted}[a];[1:v]${counted}[b];[a][b]psnr=shortest=1`, "-f", "null", "-"],
    ]);
    if (compared.code !== 0) return `what it encodes cannot be decoded: ${lastLine(compared.stderr)}`;
    return judgeTrial(packets.stdout, lastLine(compared.stderr, "PSNR"));
  } catch (error) {
    if (error instanceof ProcessError) return error.message;
    throw error;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const lastLine = (text: string, having = ""): string =>
  (
    text
      .trim()
      .split("\n")
      .findLast((line) => line.includes(having)) ?? ""
  ).slice(-300);
