import { mkdir, mkdtemp, readdir, readFile, rm, writeFile, copyFile } from "node:fs/promises";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wavSamples } from "../../src/edge/capture/virtual-scene.ts";
import { runChecked, runProcess, startProcess, type Child } from "../../src/platform/platform.ts";
import { SPEECH_RATE, voices } from "./speech.ts";
import { until } from "./until.ts";

/**
 * A room made of PipeWire nodes around the very configuration of the box: a loudspeaker whose sound reaches the microphone
 * late and with reverberation, and a person who speaks into it. PipeWire, WirePlumber and pipewire-pulse are real and
 * private: no sound card, no bus, folders of their own. One graph has one clock, and what was said and what was heard is
 * recorded by one stream, so a busy machine can lose moments but never shift one signal against another.
 */
export interface PipewireRoom extends AsyncDisposable {
  /** For the programs that are to hear this PipeWire. */
  readonly env: NodeJS.ProcessEnv;
  /** Plays, and records what was said and heard meanwhile. */
  perform(scene: Scene): Promise<Heard>;
  /** Takes the canceller out of the running PipeWire, as a fault would. */
  loseCanceller(): Promise<void>;
}

/** Samples at 48 kHz, of equal length: what other rooms say, and what is said into the microphone. */
export interface Scene {
  far: Float32Array;
  near: Float32Array;
}

export interface Heard extends Scene {
  microphone: Float32Array;
  live: Float32Array;
}

const APPLIANCE = join(import.meta.dirname, "../../appliance/root/etc/pipewire/pipewire.conf.d");
const CHANNELS = 4;

const sink = (name: string, channels: string, more: string) =>
  `{ factory = adapter args = { factory.name = support.null-audio-sink node.name = ${name} audio.position = [ ${channels} ] ${more} } }`;

/** Priorities are those that WirePlumber gives to sound cards. */
const roomConf = (impulse: string) => `
context.objects = [
  ${sink("sim-loudspeaker", "MONO", "media.class = Audio/Sink priority.session = 1009 priority.driver = 1009")}
  ${sink("sim-microphone", "MONO", "media.class = Audio/Source/Virtual priority.session = 2009")}
  ${sink("sim-stage", "AUX0 AUX1", "media.class = Audio/Sink priority.session = 2")}
  ${sink("sim-ears", "AUX0 AUX1 AUX2 AUX3", "media.class = Audio/Sink priority.session = 2")}
]
context.modules = [
  { name = libpipewire-module-filter-chain
    args = {
      audio.channels = 1
      audio.position = [ MONO ]
      filter.graph = { nodes = [ { type = builtin name = air label = convolver config = { filename = "${impulse}" } } ] }
      capture.props = { node.name = sim-air-in node.autoconnect = false }
      playback.props = { node.name = sim-air-out node.autoconnect = false }
    }
  }
]
`;
const LINKS = [
  ["sim-loudspeaker:monitor_MONO", "sim-air-in:input_MONO"],
  ["sim-air-out:output_MONO", "sim-microphone:input_MONO"],
  ["sim-stage:monitor_AUX0", "diem-cau-loudspeaker:playback_MONO"],
  ["sim-stage:monitor_AUX1", "sim-microphone:input_MONO"],
  ["sim-stage:monitor_AUX0", "sim-ears:playback_AUX0"],
  ["sim-stage:monitor_AUX1", "sim-ears:playback_AUX1"],
  ["sim-microphone:capture_MONO", "sim-ears:playback_AUX2"],
  ["diem-cau-live:monitor_MONO", "sim-ears:playback_AUX3"],
] as const;
/** What WirePlumber is to link by itself, as on a box. */
const OWN_LINKS = ["sim-microphone:capture_MONO", "diem-cau-voice:output_MONO", "diem-cau-playback:output_MONO"];

/** There are no devices, and no bus to ask for them: 0.4 and 0.5 of WirePlumber say it differently. */
const WIREPLUMBER = {
  "main.lua.d/51-no-devices.lua": `alsa_monitor.enabled = false
alsa_monitor.properties["alsa.reserve"] = false
v4l2_monitor.enabled = false
libcamera_monitor.enabled = false
default_access.properties["enable-flatpak-portal"] = false
`,
  "bluetooth.lua.d/51-no-devices.lua": `bluez_monitor.enabled = false
bluez_monitor.properties["with-logind"] = false
`,
  "wireplumber.conf.d/51-no-devices.conf": `wireplumber.profiles = { main = {
  hardware.audio = disabled, hardware.bluetooth = disabled, hardware.video-capture = disabled
  support.reserve-device = disabled, support.logind = disabled, support.portal-permissionstore = disabled
  support.mpris = disabled
} }
`,
};

/** @param acoustics from loudspeaker to microphone: of the first sound; RT60; of all its energy, dB */
export async function makePipewireRoom(acoustics: {
  delayMs: number;
  reverberationS: number;
  gainDb: number;
}): Promise<PipewireRoom> {
  const directory = await mkdtemp(join(tmpdir(), "diemcau-sound-"));
  const children: Child[] = [];
  const [run, config] = [join(directory, "run"), join(directory, "config")];
  const env = {
    ...process.env,
    PULSE_SERVER: undefined,
    DISPLAY: undefined,
    XDG_RUNTIME_DIR: run,
    XDG_CONFIG_HOME: config,
    XDG_STATE_HOME: join(directory, "state"),
  };
  const dispose = async () => {
    await Promise.all(children.map((child) => child.stop(3_000)));
    await rm(directory, { recursive: true });
  };
  const start = async (...argv: string[]) => {
    const child = await startProcess(argv, { env, cwd: directory, stdio: ["ignore", "ignore", "ignore"] });
    children.push(child);
    return child;
  };
  const links = async () => (await runProcess(["env", ...asArgv(env), "pw-link", "-l"])).stdout;

  try {
    await mkdir(run, { mode: 0o700 });
    const conf = join(config, "pipewire", "pipewire.conf.d");
    await mkdir(conf, { recursive: true });
    for (const file of await readdir(APPLIANCE)) await copyFile(join(APPLIANCE, file), join(conf, file));
    const impulse = join(directory, "impulse.wav");
    await writeFile(impulse, wav(impulseResponse(acoustics)));
    await writeFile(join(conf, "90-room.conf"), roomConf(impulse));
    for (const [file, text] of Object.entries(WIREPLUMBER)) {
      await mkdir(join(config, "wireplumber", file, ".."), { recursive: true });
      await writeFile(join(config, "wireplumber", file), text);
    }
    await start("pipewire");
    await until("PipeWire listens", async () => (await readdir(run)).includes("pipewire-0"));
    await start("wireplumber");
    await start("pipewire-pulse");
    await until("pipewire-pulse listens", async () => {
      const names: string[] = await readdir(join(run, "pulse")).catch(() => []);
      return names.includes("native");
    });
    await until("WirePlumber has linked the canceller", async () => {
      const text = await links();
      return OWN_LINKS.every((port) => new RegExp(`^${port}\n  \\|->`, "m").test(text));
    });
    for (const link of LINKS) await runChecked(["env", ...asArgv(env), "pw-link", ...link]);
  } catch (error) {
    await dispose();
    throw error;
  }
  const raw = ["--raw", "--format=float32le", `--rate=${SPEECH_RATE}`];

  return {
    env,
    async perform({ far, near }) {
      const map = "--channel-map=aux0,aux1,aux2,aux3";
      const ears = await startProcess(
        ["parec", "-d", "sim-ears.monitor", ...raw, `--channels=${CHANNELS}`, map, "--latency-msec=100"],
        { env, stdio: ["ignore", "pipe", "ignore"] },
      );
      const heard: Buffer[] = [];
      ears.stdout!.on("data", (piece: Buffer) => heard.push(piece));
      await once(ears.stdout!, "data");
      const stage = await startProcess(
        ["pacat", "-p", "-d", "sim-stage", ...raw, "--channels=2", "--channel-map=aux0,aux1", "--latency-msec=400"],
        { env, stdio: ["pipe", "ignore", "ignore"] },
      );
      stage.stdin!.end(new Uint8Array(interleave([far, near]).buffer));
      await stage.exited;
      // What is still on its way through the room.
      const enough = Buffer.concat(heard).length + SPEECH_RATE * CHANNELS * 4;
      await until("the end is heard", () => heard.reduce((sum, { length }) => sum + length, 0) > enough);
      await ears.stop(1_000);
      const bytes = Buffer.concat(heard);
      const samples = new Float32Array(new Uint8Array(bytes.subarray(0, bytes.length - (bytes.length % 16))).buffer);
      const channel = (index: number) =>
        Float32Array.from({ length: samples.length / CHANNELS }, (_, i) => samples[i * CHANNELS + index]!);
      const began = channel(0).findIndex((sample) => Math.abs(sample) > 1e-5);
      const start = began - far.findIndex((sample) => Math.abs(sample) > 1e-5);
      const of = (index: number) => channel(index).subarray(start, start + far.length);
      return { far: of(0), near: of(1), microphone: of(2), live: of(3) };
    },
    async loseCanceller() {
      const { stdout } = await runChecked(["env", ...asArgv(env), "pw-dump"]);
      const objects = JSON.parse(stdout) as { id: number; info?: { props?: Record<string, unknown> } | null }[];
      const node = objects.find(({ info }) => info?.props?.["node.name"] === "diem-cau-loudspeaker");
      if (!node) throw new Error("there is no canceller");
      await runChecked(["env", ...asArgv(env), "pw-cli", "destroy", `${node.id}`]);
    },
    [Symbol.asyncDispose]: dispose,
  };
}

const asArgv = (env: NodeJS.ProcessEnv): string[] =>
  ["XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"].map((key) => `${key}=${env[key]}`);

const interleave = (channels: Float32Array[]): Float32Array<ArrayBuffer> =>
  Float32Array.from(
    { length: channels[0]!.length * channels.length },
    (_, i) => channels[i % channels.length]![Math.floor(i / channels.length)]!,
  );

/** First sound, twelve reflections within 25 ms, and a decaying tail; the same each time. */
function impulseResponse({
  delayMs,
  reverberationS,
  gainDb,
}: {
  delayMs: number;
  reverberationS: number;
  gainDb: number;
}): Float32Array {
  const random = randomOf(4);
  const first = Math.round((delayMs / 1_000) * SPEECH_RATE);
  const response = new Float32Array(first + Math.round(reverberationS * SPEECH_RATE));
  for (let i = first + 240; i < response.length; i++) {
    // Energy falls by 60 dB in the time of reverberation.
    const tS = (i - first) / SPEECH_RATE;
    response[i] = 0.05 * (random() * 2 - 1) * 10 ** ((-3 * tS) / reverberationS);
  }
  response[first] = 1;
  for (let n = 0; n < 12; n++)
    response[first + Math.round(SPEECH_RATE * (0.002 + 0.023 * random()))]! +=
      (random() < 0.5 ? -1 : 1) * (0.2 + 0.3 * random());
  const norm = 10 ** (gainDb / 20) / Math.sqrt(response.reduce((sum, value) => sum + value * value, 0));
  return response.map((value) => value * norm);
}

/** 16-bit mono at 48 kHz. */
function wav(samples: Float32Array): Uint8Array {
  const bytes = Buffer.alloc(44 + 2 * samples.length);
  bytes.write("RIFF", 0);
  bytes.writeUInt32LE(36 + 2 * samples.length, 4);
  bytes.write("WAVEfmt ", 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(SPEECH_RATE, 24);
  bytes.writeUInt32LE(2 * SPEECH_RATE, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36);
  bytes.writeUInt32LE(2 * samples.length, 40);
  samples.forEach((value, i) => bytes.writeInt16LE(Math.round(Math.max(-1, Math.min(1, value)) * 32_767), 44 + 2 * i));
  return bytes;
}

function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const SENTENCES =
  "Kính thưa các đồng chí, kính thưa bà con. Hôm nay Ban Tiếp công dân tỉnh tổ chức buổi tiếp công dân trực tuyến. " +
  "Ông Nguyễn Văn Bình kiến nghị về việc thu hồi đất tại thôn Hạ, xã Đông Sơn. " +
  "Xin mời công dân trình bày nội dung kiến nghị của mình trong thời gian mười phút.";

/** Two people: one as recorded for alsa-utils, one of espeak-ng, each at a level (RMS, dBFS) and as long as wanted. */
export async function twoVoices(): Promise<{ recorded: Voice; made: Voice }> {
  const recorded = (await voices()).flatMap((phrase) => [...phrase, ...new Int16Array(SPEECH_RATE / 5)]);
  const directory = await mkdtemp(join(tmpdir(), "diemcau-voice-"));
  try {
    const [spoken, file] = [join(directory, "spoken.wav"), join(directory, "voice.wav")];
    await runChecked(["espeak-ng", "-v", "vi", "-s", "150", "-w", spoken, SENTENCES]);
    await runChecked([
      "ffmpeg",
      "-v",
      "error",
      "-i",
      spoken,
      "-ar",
      `${SPEECH_RATE}`,
      "-ac",
      "1",
      "-fflags",
      "+bitexact",
      file,
    ]);
    return { recorded: voiceOf(recorded), made: voiceOf([...wavSamples(await readFile(file))!]) };
  } finally {
    await rm(directory, { recursive: true });
  }
}

export type Voice = (seconds: number, levelDb: number) => Float32Array;

function voiceOf(samples: readonly number[]): Voice {
  const level = Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
  return (seconds, levelDb) => {
    const gain = 10 ** (levelDb / 20) / level;
    return Float32Array.from({ length: seconds * SPEECH_RATE }, (_, i) => samples[i % samples.length]! * gain);
  };
}

/** Mean power, dBFS. */
export const levelDb = (samples: Float32Array): number =>
  10 * Math.log10(samples.reduce((sum, value) => sum + value * value, 0) / samples.length + 1e-15);
