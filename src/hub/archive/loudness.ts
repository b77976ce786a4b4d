import { join } from "node:path";
import { z } from "zod";
import {
  archiveSegmentFiles,
  archiveTakePath,
  type PointId,
  type SessionId,
  type TakeId,
  type Track,
  TRACKS,
} from "../../protocol/protocol.ts";
import { causeOf, makeDirectory, readIfExists, runChecked, writeDurable, type Log } from "../../platform/platform.ts";
import type { LoudnessView } from "../http/views.ts";
import { HUB_COPY, type PlacedSegment } from "./timeline.ts";

/** How long one byte stands for. */
export const LOUDNESS_STEP_MS = 250;
/** Of sound at 48 kHz. */
const STEP_SAMPLES = 12_000;
/** The quietest that is drawn; RMS, dB below full scale. */
const FLOOR_DB = -60;
/** Read as one stream: ten minutes, 300 MB of a record at 4 Mbps. */
const BATCH_SEGMENTS = 60;
const BATCH_TIMEOUT_MS = 10 * 60_000;

/** Of one take: a byte for each step of its stream time. A cache: what is lost is measured again. */
const Measured = z.object({
  v: z.literal(1),
  /** Runs of segments that have been looked at, from and to inclusive. */
  done: z.array(z.tuple([z.number().int(), z.number().int()])),
  levels: z.base64(),
});

export interface TakeLoudness {
  done: Set<number>;
  levels: Uint8Array;
}

/** 0 is silence (or unknown), 255 full scale, linear in dB between. */
export const levelOf = (db: number): number =>
  db <= FLOOR_DB || Number.isNaN(db) ? 0 : Math.min(255, Math.max(1, Math.round(255 * (1 - db / FLOOR_DB))));

/** What FFmpeg's ametadata prints: a line with `pts_time`, in seconds of the input, then one with the level. */
export function parseLevels(printed: string): { atMs: number; level: number }[] {
  const levels: { atMs: number; level: number }[] = [];
  let atMs = 0;
  for (const line of printed.split("\n")) {
    const time = /pts_time:(-?[\d.]+)/.exec(line);
    if (time) atMs = Number(time[1]) * 1_000;
    const level = /RMS_level=(.*)$/.exec(line);
    if (level) levels.push({ atMs, level: levelOf(Number.parseFloat(level[1]!)) });
  }
  return levels;
}

/** The longest run of segments that can be read as one stream, from the first that is still to be looked at. */
export function nextBatch<T extends { seq: number }>(segments: readonly T[], done: ReadonlySet<number>): T[] {
  const batch: T[] = [];
  for (const segment of segments) {
    const last = batch.at(-1);
    if (done.has(segment.seq) || (last && segment.seq !== last.seq + 1)) {
      if (batch.length > 0) break;
      continue;
    }
    batch.push(segment);
    if (batch.length === BATCH_SEGMENTS) break;
  }
  return batch;
}

/** Takes' levels laid out as the playlist is. */
export function compose(
  placed: readonly PlacedSegment[],
  takes: ReadonlyMap<string, TakeLoudness>,
): { levels: Uint8Array; complete: boolean } {
  const last = placed.at(-1);
  const levels = new Uint8Array(Math.ceil(last ? (last.playlistMs + last.durationMs) / LOUDNESS_STEP_MS : 0));
  let complete = true;
  for (const { take, seq, playlistMs, streamStartMs, durationMs } of placed) {
    if (take === HUB_COPY) continue;
    const known = takes.get(take);
    if (!known?.done.has(seq)) {
      complete = false;
      continue;
    }
    const from = Math.round(playlistMs / LOUDNESS_STEP_MS);
    const to = Math.round((playlistMs + durationMs) / LOUDNESS_STEP_MS);
    const shift = Math.round(streamStartMs / LOUDNESS_STEP_MS) - from;
    for (let at = from; at < Math.min(to, levels.length); at++) levels[at] = known.levels[at + shift] ?? 0;
  }
  return { levels, complete };
}

/**
 * How loud it is in what was recorded, for the eye. Measured from sealed files only, at the lowest priority, when somebody
 * looks at a recording or when its viewing copies have been made; kept beside the bags and never in them.
 */
export interface Loudness {
  /** Undefined while nothing can be played. */
  loudness(session: SessionId, point: PointId, track: Track): Promise<LoudnessView | undefined>;
  /** Wants all of a session measured. */
  prepare(session: SessionId, points: readonly PointId[]): Promise<void>;
  /** Measures one stretch of what is wanted. @returns whether there was one */
  measureNext(signal: AbortSignal): Promise<boolean>;
}

export function createLoudness(options: {
  log: Log;
  directories: { archive: string; loudness: string };
  /** What can be played of a track of a room. */
  placed: (session: SessionId, point: PointId, track: Track) => Promise<PlacedSegment[]>;
  onWanted: () => void;
}): Loudness {
  const { log, directories, placed, onWanted } = options;
  const wanted = new Map<string, { session: SessionId; point: PointId; track: Track }>();
  const fileOf = (session: SessionId, take: string) => join(directories.loudness, session, `${take}.json`);

  const read = async (session: SessionId, take: string): Promise<TakeLoudness> => {
    const text = await readIfExists(fileOf(session, take));
    const found = text && Measured.safeParse(parsed(text));
    if (!found?.success) return { done: new Set(), levels: new Uint8Array(0) };
    const done = found.data.done.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
    return { done: new Set(done), levels: new Uint8Array(Buffer.from(found.data.levels, "base64")) };
  };
  const takesOf = (segments: readonly PlacedSegment[]): TakeId[] => [
    ...new Set(segments.flatMap(({ take }) => (take === HUB_COPY ? [] : [take]))),
  ];

  const measure = async (
    { session, point }: { session: SessionId; point: PointId },
    take: TakeId,
    batch: readonly PlacedSegment[],
    before: TakeLoudness,
    signal: AbortSignal,
  ): Promise<void> => {
    const files = batch.map(({ seq }) => `${archiveTakePath(point, take)}/${archiveSegmentFiles(seq).media}`);
    const filter =
      `asetnsamples=n=${STEP_SAMPLES}:p=0,astats=metadata=1:reset=1:measure_perchannel=none:measure_overall=RMS_level,` +
      "ametadata=mode=print:key=lavfi.astats.Overall.RMS_level:file=pipe\\\\:1:direct=1";
    const argv = [
      ...["nice", "-n", "19", "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1"],
      ...["-f", "mpegts", "-protocol_whitelist", "file,concat", "-i", `concat:${files.join("|")}`],
      ...["-map", "0:a:0", "-af", `aresample=48000,aformat=channel_layouts=mono,${filter}`, "-f", "null", "-"],
    ];
    const done = new Set([...before.done, ...batch.map(({ seq }) => seq)]);
    let found: { atMs: number; level: number }[] = [];
    try {
      const cwd = join(directories.archive, session);
      found = parseLevels((await runChecked(argv, { cwd, signal, timeoutMs: BATCH_TIMEOUT_MS })).stdout);
      signal.throwIfAborted();
    } catch (error) {
      signal.throwIfAborted();
      // Without sound, or not to be read: it is drawn as silence, and not tried for ever.
      log.warn("archive.loudness", { session, take, seq: batch[0]!.seq, cause: causeOf(error) });
    }
    const startMs = batch[0]!.streamStartMs;
    const length = Math.max(before.levels.length, Math.ceil(batch.at(-1)!.streamEndMs / LOUDNESS_STEP_MS));
    const levels = new Uint8Array(length);
    levels.set(before.levels);
    for (const { atMs, level } of found) {
      const at = Math.round((startMs + atMs) / LOUDNESS_STEP_MS);
      if (at >= 0 && at < length) levels[at] = level;
    }
    await makeDirectory(join(directories.loudness, session));
    const text = JSON.stringify({ v: 1, done: runs(done), levels: Buffer.from(levels).toString("base64") });
    await writeDurable(fileOf(session, take), text, 0o640, directories.loudness);
  };

  const loudness: Loudness["loudness"] = async (session, point, track) => {
    const segments = await placed(session, point, track);
    if (segments.length === 0) return undefined;
    const takes = new Map<string, TakeLoudness>();
    for (const take of takesOf(segments)) takes.set(take, await read(session, take));
    const { levels, complete } = compose(segments, takes);
    if (!complete) {
      wanted.set(`${session} ${point} ${track}`, { session, point, track });
      onWanted();
    }
    return { stepMs: LOUDNESS_STEP_MS, levels: Buffer.from(levels).toString("base64"), complete };
  };

  return {
    loudness,
    async prepare(session, points) {
      for (const point of points) for (const track of TRACKS) await loudness(session, point, track);
    },
    async measureNext(signal) {
      const [next] = wanted;
      if (!next) return false;
      const [key, what] = next;
      // What somebody else waits for comes before its second stretch.
      wanted.delete(key);
      const segments = await placed(what.session, what.point, what.track);
      for (const take of takesOf(segments)) {
        const before = await read(what.session, take);
        const batch = nextBatch(
          segments.filter((segment) => segment.take === take),
          before.done,
        );
        if (batch.length === 0) continue;
        await measure(what, take, batch, before, signal);
        wanted.set(key, what);
        return true;
      }
      return true;
    },
  };
}

/** Neighbours as one run. */
function runs(numbers: ReadonlySet<number>): [number, number][] {
  const found: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found;
}

function parsed(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString("utf8"));
  } catch {
    return undefined;
  }
}
