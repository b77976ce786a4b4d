import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { qualityFor } from "../../src/edge/capture/config.ts";
import { planEncoder, runPaths } from "../../src/edge/capture/plan.ts";
import { runChecked, runProcess } from "../../src/platform/platform.ts";
import { levelDb, makePipewireRoom, twoVoices, type Voice } from "../support/pipewire-room.ts";
import { BOX, startIngestBed, TestViewer } from "../support/ingest-bed.ts";
import { openRecorderStand } from "../support/recorder-stand.ts";
import { SPEECH_RATE } from "../support/speech.ts";
import { until } from "../support/until.ts";

/** Time until the canceller knows the room. */
const CONVERGE_S = 12;
const PART_S = 8;
const FRAME = SPEECH_RATE / 50;

const silence = (seconds: number) => new Float32Array(seconds * SPEECH_RATE);
const joined = (...parts: Float32Array[]) => {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};
const seconds = (samples: Float32Array, from: number, to: number) =>
  samples.subarray(from * SPEECH_RATE, to * SPEECH_RATE);
const frames = (samples: Float32Array, size = FRAME) =>
  Array.from({ length: Math.floor(samples.length / size) }, (_, i) =>
    levelDb(samples.subarray(i * size, (i + 1) * size)),
  );
const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

const LAG_STEP = SPEECH_RATE / 200;

/** Speech into the microphone against what of it leaves: of all its energy, and of its ordinary frame of 20 ms. */
function loss(heard: { near: Float32Array; live: Float32Array }, from: number, to: number) {
  const said = seconds(heard.near, from, to);
  const alike = (lag: number) => {
    const left = heard.live.subarray(from * SPEECH_RATE + lag * LAG_STEP, to * SPEECH_RATE);
    const levels = frames(left, LAG_STEP).map((level) => 10 ** (level / 20));
    return frames(said, LAG_STEP).reduce((sum, level, i) => sum + 10 ** (level / 20) * (levels[i] ?? 0), 0);
  };
  const lags = Array.from({ length: 20 }, (_, lag) => lag);
  const lag = lags.reduce((best, other) => (alike(other) > alike(best) ? other : best));
  const live = frames(heard.live.subarray(from * SPEECH_RATE + lag * LAG_STEP, to * SPEECH_RATE));
  const levels = frames(said).slice(0, live.length);
  const loudest = Math.max(...levels);
  const pairs = levels.map((level, i) => ({ level, live: live[i]! })).filter(({ level }) => level > loudest - 25);
  const energy = (of: number[]) => 10 * Math.log10(of.reduce((sum, level) => sum + 10 ** (level / 10), 0));
  return {
    lossDb: energy(pairs.map(({ level }) => level)) - energy(pairs.map(({ live }) => live)),
    medianDb: median(pairs.map(({ level, live }) => level - live)),
  };
}

/**
 * What each canceller is good for. That of PipeWire 0.3 (Debian 12, WebRTC of 2016) finds an echo only that comes soon, and
 * takes more of a voice that is talked over; the box has 1.x (Debian 13).
 */
async function cancellers(): Promise<{ delaysMs: number[]; doubleTalkLimitDb: number }> {
  const { stdout } = await runProcess(["pipewire", "--version"]);
  return /libpipewire 0\./.test(stdout)
    ? { delaysMs: [20], doubleTalkLimitDb: 4.5 }
    : { delaysMs: [20, 40, 80], doubleTalkLimitDb: 3 };
}

/** Somebody half a metre from the microphone, as loud as a loudspeaker two metres from it: 10 dB above its echo. */
const ECHO_DB = -13.5;

/** Other rooms alone, then near speech alone, then the same words against the other rooms. */
async function converse(delayMs: number, far: Voice, near: Voice) {
  await using room = await makePipewireRoom({ delayMs, reverberationS: 0.4, gainDb: ECHO_DB });
  const others = far(CONVERGE_S + PART_S, -24);
  const words = near(PART_S, -26);
  const heard = await room.perform({
    far: joined(others, silence(PART_S), others.subarray(0, PART_S * SPEECH_RATE)),
    near: joined(silence(CONVERGE_S + PART_S), words, words),
  });
  const part = (n: number) => [CONVERGE_S + n * PART_S, CONVERGE_S + (n + 1) * PART_S] as const;
  const [alone, spoken, both] = [part(0), part(1), part(2)];
  const [clear, talkedOver] = [loss(heard, ...spoken), loss(heard, ...both)];
  return {
    delayMs,
    echoDb: levelDb(seconds(heard.microphone, ...alone)),
    erleDb: levelDb(seconds(heard.microphone, ...alone)) - levelDb(seconds(heard.live, ...alone)),
    erleBySecond: Array.from({ length: CONVERGE_S + PART_S }, (_, second) =>
      Math.round(
        levelDb(seconds(heard.microphone, second, second + 1)) - levelDb(seconds(heard.live, second, second + 1)),
      ),
    ).join(" "),
    /** What the canceller takes from speech that nobody talks over, and then how much more. */
    nearLossDb: clear.lossDb,
    doubleTalkLossDb: talkedOver.lossDb - clear.lossDb,
    doubleTalkMedianDb: talkedOver.medianDb - clear.medianDb,
  };
}

test("what the loudspeaker plays is taken out of the live sound by 30 dB, and speech into the microphone is not", async () => {
  const { recorded, made } = await twoVoices();
  const { delaysMs, doubleTalkLimitDb } = await cancellers();
  for (const delayMs of delaysMs) {
    const figures = await converse(delayMs, recorded, made);
    console.info(JSON.stringify(figures));
    expect(figures.echoDb).toBeGreaterThan(-40);
    expect(figures.erleDb).toBeGreaterThanOrEqual(30);
    expect(Math.abs(figures.nearLossDb)).toBeLessThan(3);
    expect(figures.doubleTalkLossDb).toBeLessThanOrEqual(doubleTalkLimitDb);
    expect(figures.doubleTalkMedianDb).toBeLessThanOrEqual(doubleTalkLimitDb);
  }
}, 240_000);

/** Sound of a media file, mono at 48 kHz. */
async function decoded(directory: string, media: Uint8Array): Promise<Float32Array> {
  const [input, output] = [join(directory, "media"), join(directory, "sound.f32")];
  await writeFile(input, media);
  await runChecked([
    "ffmpeg",
    "-v",
    "error",
    "-y",
    "-i",
    input,
    "-vn",
    "-f",
    "f32le",
    "-ar",
    "48000",
    "-ac",
    "1",
    output,
  ]);
  return new Float32Array(new Uint8Array(await readFile(output)).buffer);
}

/** Level of what is loud in it, for comparing pieces of another length: the mean of its loudest quarter. */
const loudness = (samples: Float32Array): number => {
  const levels = frames(samples).sort((a, b) => b - a);
  const loud = levels.slice(0, Math.ceil(levels.length / 4));
  return loud.reduce((sum, level) => sum + level, 0) / loud.length;
};

test("the record keeps the microphone as it is and live goes without echo; a lost canceller is told, and costs neither", async () => {
  const { recorded, made } = await twoVoices();
  const directory = await mkdtemp(join(tmpdir(), "diemcau-echo-"));
  await using room = await makePipewireRoom({ delayMs: 20, reverberationS: 0.4, gainDb: ECHO_DB });
  await using bed = await startIngestBed({ box: BOX });
  const source = { kind: "devices", camera: "none of this name", microphone: "sim-microphone" } as const;
  await using stand = await openRecorderStand(source, "listed", bed.rtmpPort, room.env);
  const echo = (state: string) =>
    until(`echo is ${state}`, async () => (await stand.view()).facts.echo === state, { withinMs: 15_000 });
  try {
    await stand.startAgent(true);
    await stand.recordedFrames(25);
    await echo("cancelled");
    // The canceller learns the room.
    await room.perform({ far: recorded(CONVERGE_S, -24), near: silence(CONVERGE_S) });
    const hear = async (scene: { far: Float32Array; near: Float32Array }) => {
      const viewer = await new TestViewer(bed.webPort, "audio").opened();
      await until("the listener hears", () => viewer.tags.length > 5);
      await room.perform(scene);
      viewer.socket.terminate();
      return loudness(await decoded(directory, Buffer.concat(viewer.chunks)));
    };
    const others = await hear({ far: recorded(PART_S, -24), near: silence(PART_S) });
    const voice = await hear({ far: silence(PART_S), near: made(PART_S, -26) });
    expect(voice - others).toBeGreaterThan(25);

    await room.loseCanceller();
    await echo("open");
    const unaided = await hear({ far: silence(PART_S), near: made(PART_S, -26) });
    expect(Math.abs(unaided - voice)).toBeLessThan(3);

    await stand.setSession(false);
    await until("the take has ended", async () => (await stand.view()).takes.every(({ ended }) => ended));
    const takes = await stand.chain();
    expect(takes).toHaveLength(1);
    expect(takes[0]!.flatMap((record) => (record.kind === "gap" ? [record.cause] : []))).toEqual(["starting"]);
    const { segments } = await stand.view();
    const files = await Promise.all(segments.map(({ path }) => readFile(path)));
    const kept = frames(await decoded(directory, Buffer.concat(files)));
    // The echo is in the record from the first word on: evidence has what was heard in the room.
    expect(loudness(await decoded(directory, files[0]!))).toBeGreaterThan(-45);
    expect(kept.length / 50).toBeGreaterThan(CONVERGE_S + 3 * PART_S);
  } finally {
    await rm(directory, { recursive: true });
  }
}, 240_000);

test("a quiet talker and a loud one are equally easy to hear for the others", async () => {
  const { made } = await twoVoices();
  const directory = await mkdtemp(join(tmpdir(), "diemcau-gain-"));
  const quality = qualityFor({ record: "auto", live: "auto" }, 2);
  const url = "rtmp://127.0.0.1:9/live/x";
  const argv = planEncoder({
    ...{
      ffmpeg: "ffmpeg",
      quality,
      paths: runPaths("/run/x"),
      recordTo: null,
      ownPicture: "/run/own.jpg",
      share: null,
    },
    liveUrl: { video: url, small: url, audio: url },
    source: {
      picture: { kind: "slate" },
      sound: { kind: "pulse", address: "microphone", name: "microphone" },
      words: "",
    },
  });
  const graph = argv[argv.indexOf("-filter_complex") + 1]!.split(";");
  const gain = /^\[room\](.*)\[liveSound\]$/.exec(graph.find((part) => part.startsWith("[room]"))!)![1]!;
  try {
    const lufs = async (levelLufs: number) => {
      const file = join(directory, "voice.f32");
      const voice = made(12, -24);
      const measure = async (filter: string) => {
        await writeFile(file, new Uint8Array(voice.buffer));
        const input = ["-f", "f32le", "-ar", `${SPEECH_RATE}`, "-ac", "1", "-i", file];
        const { stderr } = await runChecked([
          "ffmpeg",
          "-hide_banner",
          "-nostats",
          ...input,
          "-af",
          `${filter},ebur128`,
          "-f",
          "null",
          "-",
        ]);
        return Number(
          /Integrated loudness:\s+I:\s+(-?[\d.]+) LUFS/.exec(stderr.slice(stderr.lastIndexOf("Summary")))![1],
        );
      };
      return measure(`volume=${levelLufs - (await measure("anull"))}dB,${gain}`);
    };
    const [quiet, ordinary, loud] = [await lufs(-40), await lufs(-24), await lufs(-14)];
    console.info(JSON.stringify({ quiet, ordinary, loud }));
    expect(quiet).toBeGreaterThan(-28);
    expect(loud).toBeLessThan(-16);
    expect(ordinary).toBeGreaterThan(quiet);
    expect(loud - quiet).toBeLessThan(10);
  } finally {
    await rm(directory, { recursive: true });
  }
});
