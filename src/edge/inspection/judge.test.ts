import { describe, expect, it } from "vitest";
import { Judge } from "./judge.ts";

const FPS = 25;
const PIECE_MS = 400;
const SPEECH_DB = -24;
const ROOM_DB = -66;
const HUM_FREE_DB = -75;

interface Second {
  mean?: number;
  max?: number;
  /** Of each piece of 400 ms. */
  lufs?: (n: number) => number;
  peakDb?: number;
  humDb?: number;
  dependentBytes?: number;
  audioLagMs?: number;
  frames?: number;
  /** Media seconds in a second. */
  pace?: number;
}

/** Words of two seconds, breaths of a second. */
const talk = (n: number) => (n % 8 < 5 ? SPEECH_DB : ROOM_DB);

function judgeOf() {
  const judge = new Judge(FPS);
  let nowMs = 0;
  let mediaMs = 0;
  let frames = 0;
  let pieces = 0;
  const pass = (seconds: number, of: Second = {}) => {
    for (let s = 0; s < seconds; s++) {
      nowMs += 1_000;
      const step = 1_000 * (of.pace ?? 1);
      mediaMs += step;
      frames += ((of.frames ?? FPS) * step) / 1_000;
      judge.notePicture({ mediaMs, mean: of.mean ?? 110, high: of.mean ?? 150, max: of.max ?? 230 });
      for (; pieces * PIECE_MS < mediaMs; pieces++) {
        const at = pieces * PIECE_MS;
        const lufs = (of.lufs ?? talk)(pieces);
        judge.noteSound({ mediaMs: at, peakDb: of.peakDb ?? -6, momentaryLufs: lufs, integratedLufs: -24 });
        judge.noteSpeechBand(at, lufs - 2);
        judge.noteHumBand(at, of.humDb ?? HUM_FREE_DB);
      }
      judge.noteFile({
        ...{ nowMs, frames, lastVideoMs: mediaMs, lastAudioMs: mediaMs - (of.audioLagMs ?? 20) },
        largestDependentBytes: of.dependentBytes ?? 3_000,
      });
    }
    return Object.entries(judge.findings())
      .filter(([, found]) => found.present)
      .map(([cause]) => cause);
  };
  return { judge, pass };
}

describe("judgement of a file", () => {
  it("finds nothing in an ordinary minute of speech", () => {
    expect(judgeOf().pass(60)).toEqual([]);
  });

  it("finds nothing in pauses of 20 s between sentences: a living microphone is never silent", () => {
    const { pass } = judgeOf();
    for (let i = 0; i < 20; i++) {
      expect(pass(10)).toEqual([]);
      for (let s = 0; s < 20; s++) expect(pass(1, { lufs: () => ROOM_DB })).toEqual([]);
    }
  });

  it("never-again 1: finds the silence of a dead microphone within 3 s", () => {
    const { pass } = judgeOf();
    pass(20);
    expect(pass(3, { lufs: () => Number.NEGATIVE_INFINITY })).toEqual(["soundSilent"]);
  });

  it("never-again 1: a sound stream that has stopped in the file is silence, and not also an offset", () => {
    const { pass } = judgeOf();
    pass(20);
    expect(pass(1, { audioLagMs: 2_500 })).toEqual(["soundSilent"]);
  });

  it("tells black from dark, and of a black picture nothing else", () => {
    const { pass } = judgeOf();
    pass(10);
    expect(pass(8, { mean: 16, max: 17, dependentBytes: 188 })).toEqual(["pictureBlack"]);
    expect(pass(2, { mean: 32, max: 120 })).toEqual(["pictureDark"]);
    expect(pass(2)).toEqual([]);
  });

  it("never-again 1: finds a picture that stands still by what its frames cost", () => {
    const { pass } = judgeOf();
    pass(10);
    expect(pass(2, { dependentBytes: 188 })).toEqual([]);
    expect(pass(2, { dependentBytes: 376 })).toEqual(["pictureFrozen"]);
    expect(pass(1, { dependentBytes: 600 })).toEqual([]);
  });

  it("finds clipping after several clipped moments, not after one slammed door", () => {
    const { pass } = judgeOf();
    pass(10);
    expect(pass(1, { peakDb: 0 })).toEqual([]);
    pass(12);
    expect(pass(3, { peakDb: 0 })).toEqual(["soundClipping"]);
  });

  it("finds hum below speech, and no hum where speech fills the low band", () => {
    const { pass } = judgeOf();
    expect(pass(20, { humDb: -30 })).toEqual(["soundHum"]);
    expect(judgeOf().pass(20, { humDb: -60 })).toEqual([]);
  });

  it("misses speech after three minutes without, and takes a steady fan for none", () => {
    const { judge, pass } = judgeOf();
    expect(pass(170, { lufs: () => -40 })).toEqual([]);
    expect(judge.speech()).toEqual({ ever: false, lately: false });
    expect(pass(20, { lufs: () => -40 })).toEqual(["soundNoSpeech"]);
    expect(pass(10)).toEqual([]);
    expect(judge.speech()).toEqual({ ever: true, lately: true });
  });

  it("finds sound and picture apart, missing frames, and an encoder that does not keep up", () => {
    expect(judgeOf().pass(10, { audioLagMs: -700 })).toEqual(["avOffset"]);
    expect(judgeOf().pass(12, { frames: 20 })).toEqual(["frameRateLow"]);
    expect(judgeOf().pass(20, { pace: 0.8 })).toEqual(["encoderSlow"]);
  });

  it("tells the loudness that it was told, and none below the gate", () => {
    const { judge, pass } = judgeOf();
    expect(judge.loudness()).toEqual({ momentaryLufs: null, integratedLufs: null });
    pass(2);
    expect(judge.loudness()).toEqual({ momentaryLufs: SPEECH_DB, integratedLufs: -24 });
  });
});
