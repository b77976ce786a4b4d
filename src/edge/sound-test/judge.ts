import { ECHO_GOOD_DB, type SoundTest } from "../../protocol/protocol.ts";

/**
 * What a test of sound heard, judged. Pure. Samples are 16-bit mono at TEST_RATE; levels are dB below full scale, of
 * frames of 20 ms.
 */
export const TEST_RATE = 16_000;
const FRAME = TEST_RATE / 50;
const FRAME_MS = 20;

/** One stretch of time at the room's microphone, and in what leaves the room; null where nothing cancels. */
export interface Heard {
  microphone: Int16Array;
  live: Int16Array | null;
}

/** Mean power of each frame; full scale is 1. */
export function powers(samples: Int16Array): number[] {
  const frames: number[] = [];
  for (let at = 0; at + FRAME <= samples.length; at += FRAME) {
    let sum = 0;
    for (let i = at; i < at + FRAME; i++) sum += samples[i]! * samples[i]!;
    frames.push(sum / FRAME / 32_768 ** 2);
  }
  return frames;
}

/** Digital silence counts as -100 dB. */
const SILENCE = 1e-10;
const db = (power: number): number => 10 * Math.log10(Math.max(power, SILENCE));
const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;
/** Of words with pauses in them: the mean of the loudest quarter. */
const loud = (frames: readonly number[]): number => {
  const limit = quantile(frames, 0.75);
  return mean(frames.filter((power) => power >= limit));
};

/** Words stand out of what is heard between them by this much. */
const SPOKEN_ABOVE_DB = 10;
const SPOKEN_LEAST_DB = -60;
/** Beyond what automatic gain makes up for: half a metre nearer helps more. */
const QUIET_DB = -45;
/** The canceller takes 1 dB of a voice; where so much is missing, the way out of the room is broken. */
const LOST_DB = 20;

/** @param heard while somebody was asked to speak */
export function judgeVoice({ microphone, live }: Heard): SoundTest["voice"] {
  const frames = powers(microphone);
  const level = db(loud(frames));
  if (level < SPOKEN_LEAST_DB || level - db(quantile(frames, 0.1)) < SPOKEN_ABOVE_DB) return "silent";
  if (live && db(loud(powers(live))) < level - LOST_DB) return "lost";
  return level < QUIET_DB ? "quiet" : "heard";
}

/** Loudspeakers, televisions and sound servers are late by no more than this. */
const LATEST_MS = 1_500;
/** Of the played phrase, 35 dB below its loudest frame is a pause. */
const PAUSE_SHARE = 10 ** -3.5;
/** A room still sounds so long after the loudspeaker; and one recording may be a little late against the other. */
const RINGS_MS = 400;
const SKEW_MS = 100;
/** By then the canceller has learnt the room; what it has not by then, it does not learn. */
const LEARNS_MS = 2_500;
const HEARD_ABOVE_DB = 6;
const ALIKE = 0.35;
/** Somebody speaks in the pauses. */
const DISTURBED_DB = 12;
/** Less than this is taken out: the far side hears each of its words. */
const WEAK_DB = 18;
/** Cancellers let a little through where words begin after a pause; more than this is heard. */
const WORST_DB = 10;
/** Less than this above the noise cannot be told from it. */
const ABOVE_NOISE_DB = 3;
/** A syllable: the echo of one is compared with what is left of it, on either side of a frame. */
const AROUND = 5;
/** Echo that is much softer than its loudest says nothing of the canceller. */
const SOFT_DB = 20;

/**
 * Whether what the loudspeaker plays leaves the room again. What is left of each syllable is measured, and the room's own
 * noise, which is taken off, in the pauses. The loss is that of the median syllable: of all the energy, what slips through at
 * the beginning of words would be nearly everything.
 * @param quiet before the phrase, while nothing was played and nobody spoke
 * @param heard from the beginning of the phrase
 * @param played the phrase
 */
export function judgeEcho(
  quiet: Heard,
  heard: Heard,
  played: Int16Array,
): Pick<SoundTest, "echo" | "returnLossDb" | "atLeast"> {
  const none = { returnLossDb: null, atLeast: false };
  const microphone = powers(heard.microphone);
  const phrase = powers(played);
  const { lag, likeness } = align(phrase, microphone);
  const { sounding, pausing } = split(phrase, lag, microphone.length);
  const of = (frames: readonly number[], indices: readonly number[]) => indices.map((index) => frames[index] ?? 0);
  const roomNoise = mean(of(microphone, pausing));
  const before = quantile(powers(quiet.microphone), 0.5);
  const echo = mean(of(microphone, sounding)) - before;
  if (likeness < ALIKE || db(echo) - db(before) < HEARD_ABOVE_DB) {
    // Whoever speaks may have begun before the phrase did: then what was to be the room's own noise is speech.
    const floor = quantile([...powers(quiet.microphone), ...of(microphone, pausing)], 0.1);
    const disturbed = db(Math.max(roomNoise, before)) - db(floor) > DISTURBED_DB;
    return { echo: disturbed ? "noisy" : "unheard", ...none };
  }
  if (!heard.live || !quiet.live) return { echo: "open", ...none };

  const live = powers(heard.live);
  const pauses = of(live, pausing);
  const noise = mean(pauses);
  const disturbed = db(quantile(pauses, 0.9)) - db(quantile(powers(quiet.live), 0.5)) > DISTURBED_DB;
  const around = (frames: readonly number[], at: number) =>
    mean(frames.slice(Math.max(0, at - AROUND), at + AROUND + 1));
  const syllables = sounding.map((frame) => ({ echo: around(microphone, frame) - before, live: around(live, frame) }));
  const loudest = Math.max(...syllables.map((syllable) => syllable.echo));
  const losses = syllables
    .filter((syllable) => db(syllable.echo) > db(loudest) - SOFT_DB)
    .map((syllable) => {
      const left = syllable.live - noise;
      const buried = db(left) < db(noise) - ABOVE_NOISE_DB;
      return { lossDb: db(syllable.echo) - db(buried ? noise : left), buried };
    })
    .sort((a, b) => a.lossDb - b.lossDb);
  const middle = losses[Math.floor(losses.length / 2)]!;
  const worst = losses[Math.floor(losses.length / 10)]!;
  const returnLossDb = Math.round(middle.lossDb);
  const measured = { returnLossDb, atLeast: middle.buried };
  if (returnLossDb >= ECHO_GOOD_DB && worst.lossDb >= WORST_DB) return { echo: "good", ...measured };
  if (disturbed) return { echo: "noisy", ...none };
  // An echo that is softer than the room's own noise disturbs nobody, however little had to be taken out of it.
  if (worst.buried) return { echo: "good", ...measured };
  return { echo: returnLossDb >= WEAK_DB ? "weak" : "poor", ...measured };
}

/** By how many frames the second is late, and how alike they are then (Pearson, of amplitudes). */
function align(phrase: readonly number[], heard: readonly number[]): { lag: number; likeness: number } {
  let best = { lag: 0, likeness: -1 };
  const amplitudes = heard.map(Math.sqrt);
  const spoken = phrase.map(Math.sqrt);
  for (let lag = 0; lag <= LATEST_MS / FRAME_MS && lag < heard.length / 2; lag++) {
    const part = amplitudes.slice(lag, lag + spoken.length);
    const likeness = correlation(spoken.slice(0, part.length), part);
    if (likeness > best.likeness) best = { lag, likeness };
  }
  return best;
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]! - meanA, b[i]! - meanB];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}

/** Frames in which the phrase is heard, once the canceller knows the room; and those in which nothing of it is left. */
function split(phrase: readonly number[], lag: number, length: number): { sounding: number[]; pausing: number[] } {
  const limit = Math.max(...phrase) * PAUSE_SHARE;
  const isSpoken = (frame: number) => (phrase[frame - lag] ?? 0) > limit;
  const [rings, skew] = [RINGS_MS / FRAME_MS, SKEW_MS / FRAME_MS];
  const sounding: number[] = [];
  const pausing: number[] = [];
  for (let frame = 0; frame < length; frame++) {
    if (isSpoken(frame)) {
      if ((frame - lag) * FRAME_MS >= LEARNS_MS) sounding.push(frame);
      continue;
    }
    let silent = true;
    for (let near = frame - rings; near <= frame + skew; near++) silent &&= !isSpoken(near);
    if (silent && frame >= lag) pausing.push(frame);
  }
  return { sounding, pausing };
}

/** As loud as others hear it, RMS of the words. */
const PLAYED_DB = -20;
/** More would make a roar of the room's noise. */
const MOST_GAIN_DB = 26;

/** What somebody has just said, for the loudspeaker; nothing of it is cut off at full scale. */
export function levelled(samples: Int16Array): Int16Array {
  const gainDb = Math.min(MOST_GAIN_DB, PLAYED_DB - db(loud(powers(samples))));
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1);
  const gain = Math.min(10 ** (gainDb / 20), (0.9 * 32_767) / peak);
  return samples.map((sample) => Math.round(sample * gain));
}
