import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JitterBuffer } from "../../src/ui/live/jitter.ts";
import { SoundSync } from "../../src/ui/live/sync.ts";
import { quantile, type Seen } from "../support/live-latency.ts";
import { ffmpegVersion } from "../support/live-publisher.ts";
import { measureConversation, raiseLiveStand, type Marked } from "../support/live-stand.ts";
import { buildPlayerPage } from "../support/player-page.ts";
import { atMost, machineNow, median, round, type Bench } from "./report.ts";

const MINUTES = 10;
/** One look at the page: what it has seen and heard is carried out of it in between. */
const LOOK_SECONDS = 30;
const SKEWS_PPM = [-200, 200];

/**
 * Picture and sound of the same moment, as they come out of the page: the age of each mark in the sound, at the
 * loudspeaker, against the age of the picture that was readable then. Real time, real encoder, hub and browser. Then an
 * hour in which the room's clock and the viewer's part by 200 ppm, through the same jitter buffer on a clock of numbers.
 */
export const bench: Bench = {
  name: "lipsync",
  async run({ minutes = MINUTES, seconds = minutes * 60, ffmpeg }) {
    const machine = machineNow();
    const directory = await mkdtemp(join(tmpdir(), "lipsync-"));
    try {
      await buildPlayerPage(directory);
      const real = await realMinutes(directory, seconds, ffmpeg);
      const hours = SKEWS_PPM.map((ppm) => ({ skewPpm: ppm, ...simulatedHour(ppm) }));
      return {
        name: "lipsync",
        machine,
        figures: {
          unit: "ms; positive: the sound comes after its picture",
          encoder: await ffmpegVersion(ffmpeg),
          real,
          hours,
        },
        peers: {},
        goals: [
          atMost(`|offset| p95 over ${round(seconds / 60, 1)} min, ms`, real.absP95, 80),
          ...hours.flatMap(({ skewPpm, driftMs, underruns, cuts }) => [
            atMost(`an hour at ${skewPpm} ppm: drift from its second minute to its last, ms`, Math.abs(driftMs), 10),
            atMost(`an hour at ${skewPpm} ppm: jumps and gaps`, underruns + cuts, 0),
          ]),
        ],
      };
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};

async function realMinutes(directory: string, seconds: number, ffmpeg: string | undefined) {
  await using stand = await raiseLiveStand(directory, { rooms: 1, lines: false, asBox: true, ffmpeg });
  await using view = await stand.open("ours", 1);
  const perLook: number[][] = [];
  for (let done = 0; done < seconds; done += LOOK_SECONDS) {
    const { perVideo, heard } = await measureConversation(view.page, Math.min(LOOK_SECONDS, seconds - done));
    perLook.push(offsets(perVideo[0]!.seen, heard));
  }
  const all = perLook.flat();
  const player = await view.page.evaluate(() => {
    const { sound, picture, skewMs } = window.stage.players[0]!.stats();
    return { sound, picture, skewMs };
  });
  return {
    samples: all.length,
    median: quantile(all, 0.5),
    p5: quantile(all, 0.05),
    p95: quantile(all, 0.95),
    absP95: quantile(all.map(Math.abs), 0.95),
    medianOfFirstLook: quantile(perLook[0] ?? [], 0.5),
    medianOfLastLook: quantile(perLook.at(-1) ?? [], 0.5),
    player,
  };
}

/** Age of each mark less the age of the picture that stood on the screen when it was heard. */
function offsets(seen: readonly Seen[], heard: readonly Marked[]): number[] {
  return heard.flatMap(({ atMs, ageMs }) => {
    const next = seen.findIndex((frame) => frame.atMs > atMs);
    // A picture's age is that of its appearing; between two of them it is between both.
    const [before, after] = [seen[next - 1], seen[next]];
    if (!before || !after) return [];
    const share = (atMs - before.atMs) / (after.atMs - before.atMs);
    return [ageMs - (before.ageMs + (after.ageMs - before.ageMs) * share)];
  });
}

const SOUND_RATE = 96_000;
const OUTPUT_RATE = 48_000;
const FRAME = 1024;
const QUANTUM = 128;
const HOUR_S = 3_600;
/** The way of a picture, the way of a sound, and how much of each is chance. */
const PICTURE_MS = 25;
const SOUND_MS = 35;
const CHANCE_MS = 8;
const REPORT_QUANTA = 18;

/** @param ppm how much faster the room's clocks run than the viewer's loudspeaker; the picture has the room's too */
function simulatedHour(ppm: number) {
  const buffer = new JitterBuffer(SOUND_RATE, OUTPUT_RATE);
  const sync = new SoundSync();
  const samples = Float32Array.from({ length: FRAME }, (_, i) => Math.sin((i / FRAME) * 8 * Math.PI));
  const out = new Float32Array(QUANTUM);
  const speed = 1 + ppm / 1e6;
  const frameMs = (FRAME / SOUND_RATE) * 1000;
  const minutes: number[][] = [];
  let chance = 1;
  const next = () => ((chance = (chance * 16_807) % 2_147_483_647) / 2_147_483_647) * CHANCE_MS;
  let sent = 0;
  let shown = 0;
  let arrivalMs = SOUND_MS;
  let pictureMs = PICTURE_MS;
  for (let quantum = 0, nowMs = 0; nowMs < HOUR_S * 1000; nowMs = (++quantum * QUANTUM * 1000) / OUTPUT_RATE) {
    for (; arrivalMs <= nowMs; arrivalMs = Math.max(arrivalMs, (sent * frameMs) / speed + SOUND_MS + next())) {
      buffer.push(samples, sent++ * frameMs, arrivalMs);
    }
    const mediaMs = buffer.mediaMs;
    buffer.pull(out);
    if (mediaMs !== undefined && quantum % REPORT_QUANTA === 0) sync.heard({ mediaMs, wallMs: nowMs });
    for (; pictureMs <= nowMs; pictureMs = (++shown * 40) / speed + PICTURE_MS + next()) {
      const atMs = nowMs + sync.waitMs(shown * 40, nowMs);
      sync.shown(shown * 40, atMs);
    }
    if (quantum % 375 === 0 && sync.skewMs !== undefined)
      (minutes[Math.floor(nowMs / 60_000)] ??= []).push(sync.skewMs);
  }
  const medians = minutes.map((minute) => median(minute));
  return {
    offsetMs: round(medians[1]!),
    driftMs: round(medians.at(-1)! - medians[1]!),
    widestMs: round(Math.max(...medians.slice(1)) - Math.min(...medians.slice(1))),
    underruns: buffer.facts.underruns,
    cuts: buffer.facts.cuts,
    rate: buffer.facts.rate,
  };
}
