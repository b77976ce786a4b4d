import { join } from "node:path";
import { AlarmEngine } from "../../src/edge/alarms/engine.ts";
import { situationOf } from "../../src/edge/alarms/situation.ts";
import { Analyser } from "../../src/edge/inspection/analyser.ts";
import { Follower } from "../../src/edge/inspection/follower.ts";
import { Judge, type Findings } from "../../src/edge/inspection/judge.ts";
import { createMpegTsCounter } from "../../src/media/media.ts";
import type { AlarmCause, SessionId, TakeId } from "../../src/protocol/protocol.ts";
import { until } from "./until.ts";

export interface Examined {
  /** In the order in which they were raised; media seconds. */
  alarms: { cause: AlarmCause; raisedS: number; clearedS: number | null; facts: string }[];
  mediaS: number;
  findings: Findings;
  loudnessLufs: number | null;
  speech: boolean;
}

const SLICE_BYTES = 188 * 40;
const LOOK_MS = 1_000;
/** A key frame each second, pieces of 400 ms, and what the program's decoder and filters hold back. */
const SETTLED_MS = 2_500;

/**
 * What the box would have said of a finished take while it was being written, as fast as this machine can measure it:
 * the same program, judge and alarm engine, with the file's own time in place of the clock.
 */
export async function examine(directory: string, frameRate: number): Promise<Examined> {
  const judge = new Judge(frameRate);
  let ids = 0;
  const engine = new AlarmEngine([], () => `${++ids}`);
  const alarms = new Map<string, Examined["alarms"][number]>();
  let largest: number | undefined;
  const counter = createMpegTsCounter(({ key, bytes }) => {
    if (!key) largest = Math.max(largest ?? 0, bytes);
  });
  await using follower = new Follower(directory, 0);
  await using analyser = await Analyser.start("ffmpeg", join(directory, "measured"), judge);
  let lookedMs = 0;
  let beganMs: number | undefined;

  const note = (mediaMs: number) => {
    const { videoFrames, lastVideoMs, lastAudioMs } = counter.count();
    judge.noteFile({ nowMs: mediaMs, frames: videoFrames, lastVideoMs, lastAudioMs, largestDependentBytes: largest });
    largest = undefined;
  };
  const look = (mediaMs: number) => {
    const { videoFrames } = counter.count();
    const findings = judge.findings();
    const { integratedLufs: loudnessLufs } = judge.loudness();
    const situation = situationOf({
      mustRecord: true,
      screen: null,
      unreadable: new Set(),
      growing: true,
      encoder: {
        state: "recording",
        fps: frameRate,
        frames: videoFrames,
        droppedFrames: 0,
        duplicatedFrames: 0,
        speed: 1,
      },
      picture: "ok",
      sound: { state: "ok", levelLufs: null, speech: true },
      report: {
        take: "" as TakeId,
        file: { checked: true, speech: judge.speech().ever, loudnessLufs, avOffsetMs: null, frameRate: null },
        picture: "ok",
        sound: { state: "ok", levelLufs: null, speech: true },
        findings,
      },
    });
    const at = { monotonicMs: mediaMs, utc: new Date(mediaMs).toISOString() };
    for (const { id, cause, clearedAt, facts } of engine.look("" as SessionId, situation, at)) {
      const s = (mediaMs - (beganMs ?? 0)) / 1_000;
      if (clearedAt === null) alarms.set(id, { cause: cause as AlarmCause, raisedS: s, clearedS: null, facts });
      else alarms.get(id)!.clearedS = s;
    }
  };

  for (let bytes = await follower.read(); bytes; bytes = await follower.read())
    for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
      const slice = bytes.subarray(at, at + SLICE_BYTES);
      counter.push(slice);
      analyser.feed(slice);
      const mediaMs = counter.count().lastVideoMs ?? 0;
      beganMs ??= counter.count().firstVideoMs;
      if (mediaMs - lookedMs < LOOK_MS || mediaMs - (beganMs ?? 0) < 4_000) continue;
      lookedMs = mediaMs;
      note(mediaMs);
      const isMeasured = () => {
        analyser.look();
        return judge.behindMs() < SETTLED_MS;
      };
      await until("the file is measured", isMeasured, { withinMs: 20_000, everyMs: 2 });
      look(mediaMs);
    }
  await analyser.finish();
  const { firstVideoMs, lastVideoMs } = counter.count();
  return {
    alarms: [...alarms.values()],
    mediaS: ((lastVideoMs ?? 0) - (firstVideoMs ?? 0)) / 1_000,
    findings: judge.findings(),
    loudnessLufs: judge.loudness().integratedLufs,
    speech: judge.speech().ever,
  };
}
