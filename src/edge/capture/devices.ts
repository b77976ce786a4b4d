import { access, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { ProcessError, runProcess } from "../../platform/platform.ts";
import type { Source } from "./plan.ts";

export interface CameraMode {
  /** As `v4l2-ctl` names it: MJPG, YUYV, H264 … */
  fourcc: string;
  width: number;
  height: number;
  frameRate: number;
}

export interface Camera {
  path: string;
  name: string;
  /** Empty where it could not be asked. */
  modes: CameraMode[];
}

export interface Microphone {
  kind: "alsa" | "pulse";
  /** What FFmpeg opens. */
  address: string;
  name: string;
}

export interface Devices {
  cameras: Camera[];
  microphones: Microphone[];
}

export interface DevicePlaces {
  video4linux: string;
  dev: string;
  asound: string;
}
const LINUX: DevicePlaces = { video4linux: "/sys/class/video4linux", dev: "/dev", asound: "/proc/asound" };
const ASK_TIMEOUT_MS = 3_000;

/** What is plugged in now. Missing folders and programs mean no devices, never an error. */
export async function listDevices(places: DevicePlaces = LINUX): Promise<Devices> {
  const [cameras, pulse, alsa] = await Promise.all([listCameras(places), listPulse(), listAlsa(places.asound)]);
  // PulseAudio and PipeWire hold the sound cards open: going past them would find the devices busy.
  return { cameras, microphones: pulse.length > 0 ? pulse : alsa };
}

/** Files that are there as long as the devices of a source are; PulseAudio's have none, and are missed by their sound. */
export function nodesOf({ picture, sound }: Source, asound = LINUX.asound): { device: string; node: string }[] {
  const card = sound.kind === "alsa" ? /CARD=([^,]+)/.exec(sound.address)?.[1] : undefined;
  return [
    ...(picture.kind === "camera" ? [{ device: picture.name, node: picture.path }] : []),
    ...(card !== undefined && "name" in sound ? [{ device: sound.name, node: join(asound, card) }] : []),
  ];
}

/** The first device of a running source that is not there any more; cheap enough for every second. */
export async function lostDevice(source: Source): Promise<string | undefined> {
  for (const { device, node } of nodesOf(source)) {
    const there = await access(node).then(
      () => true,
      () => false,
    );
    if (!there) return device;
  }
  return undefined;
}

async function listCameras({ video4linux, dev }: DevicePlaces): Promise<Camera[]> {
  const nodes = (await readdir(video4linux).catch(() => [])).sort((a, b) =>
    a.localeCompare(b, "en", { numeric: true }),
  );
  const cameras = await Promise.all(
    nodes.map(async (node): Promise<Camera | undefined> => {
      const text = (file: string) => readFile(join(video4linux, node, file), "utf8").catch(() => "");
      // A UVC camera has a second node for metadata.
      if ((await text("index")).trim() !== "0") return undefined;
      const path = join(dev, node);
      const formats = await ask(["v4l2-ctl", "-d", path, "--list-formats-ext"]);
      const modes = formats === undefined ? [] : parseCameraModes(formats);
      if (formats !== undefined && modes.length === 0) return undefined;
      return { path, name: (await text("name")).trim() || node, modes };
    }),
  );
  return cameras.filter((camera) => camera !== undefined);
}

async function listPulse(): Promise<Microphone[]> {
  return parsePulseSources((await ask(["pactl", "list", "short", "sources"])) ?? "");
}

async function listAlsa(asound: string): Promise<Microphone[]> {
  const text = (file: string) => readFile(join(asound, file), "utf8").catch(() => "");
  return parseAlsaCapture(await text("cards"), await text("pcm"));
}

async function ask(argv: string[]): Promise<string | undefined> {
  try {
    const { code, stdout } = await runProcess(argv, { timeoutMs: ASK_TIMEOUT_MS });
    return code === 0 ? stdout : undefined;
  } catch (error) {
    if (error instanceof ProcessError) return undefined;
    throw error;
  }
}

/** Output of `v4l2-ctl --list-formats-ext`: one mode per size and frame rate. */
export function parseCameraModes(text: string): CameraMode[] {
  const modes: CameraMode[] = [];
  let fourcc = "";
  let size: [number, number] | undefined;
  for (const line of text.split("\n")) {
    fourcc = /^\s*\[\d+\]: '(\w{4})'/.exec(line)?.[1] ?? fourcc;
    const sized = /Size: Discrete (\d+)x(\d+)/.exec(line);
    if (sized) size = [Number(sized[1]), Number(sized[2])];
    const rate = /\(([\d.]+) fps\)/.exec(line);
    if (rate && size) modes.push({ fourcc, width: size[0], height: size[1], frameRate: Number(rate[1]) });
  }
  return modes;
}

/** Capture devices of /proc/asound/cards and /proc/asound/pcm, addressed by card name: numbers change with the plug. */
export function parseAlsaCapture(cards: string, pcm: string): Microphone[] {
  const byNumber = new Map(
    [...cards.matchAll(/^\s*(\d+) \[(\S+)\s*\]: (?:.* - )?(.+)$/gm)].map((m) => [
      Number(m[1]),
      { id: m[2]!, name: m[3]! },
    ]),
  );
  return [...pcm.matchAll(/^(\d+)-(\d+): ([^:\n]*):.*capture \d+/gm)].flatMap((match) => {
    const card = byNumber.get(Number(match[1]));
    if (!card) return [];
    const address = `plughw:CARD=${card.id},DEV=${Number(match[2])}`;
    return [{ kind: "alsa" as const, address, name: `${card.name.trim()} (${match[3]!.trim()})` }];
  });
}

/** Output of `pactl list short sources`; monitors of loudspeakers are no microphones. */
export function parsePulseSources(text: string): Microphone[] {
  return text.split("\n").flatMap((line) => {
    const address = line.split("\t")[1];
    if (!address || address.endsWith(".monitor")) return [];
    return [{ kind: "pulse" as const, address, name: address.replace(/^alsa_input\./, "").replaceAll("_", " ") }];
  });
}

export interface Wanted {
  camera?: string | undefined;
  microphone?: string | undefined;
}

/**
 * The devices to use: by name or address where one is wanted, otherwise the most likely one for a room. A wanted
 * device that is absent is not replaced by another: a wrong camera is worse than a slate.
 */
export function chooseDevices(
  devices: Devices,
  wanted: Wanted = {},
): { camera: Camera | undefined; microphone: Microphone | undefined } {
  const camera = pick(
    devices.cameras,
    wanted.camera,
    (c) => c.path,
    (c) => (/virtual|loopback|infrared| ir /i.test(c.name) ? -5 : 0) + (/usb|webcam|cam/i.test(c.name) ? 2 : 0),
  );
  const likeness = (name: string) =>
    (/speak|conference|jabra|poly|array|echo/i.test(name) ? 6 : 0) +
    (/usb/i.test(name) ? 3 : 0) +
    (/webcam|cam\b|camera/i.test(name) ? 1 : 0) -
    (/hdmi|loopback|dummy/i.test(name) ? 8 : 0);
  return {
    camera,
    microphone: pick(
      devices.microphones,
      wanted.microphone,
      (m) => m.address,
      (m) => likeness(m.name),
    ),
  };
}

function pick<T extends { name: string }>(
  all: T[],
  wanted: string | undefined,
  address: (device: T) => string,
  likeness: (device: T) => number,
): T | undefined {
  if (wanted !== undefined) {
    const word = wanted.toLowerCase();
    return all.find((d) => address(d) === wanted) ?? all.find((d) => d.name.toLowerCase().includes(word));
  }
  return all.reduce<T | undefined>((best, d) => (best && likeness(best) >= likeness(d) ? best : d), undefined);
}

/**
 * The mode to ask a camera for: big enough and fast enough, then the nearest size, then MJPEG (uncompressed 720p fills
 * a USB 2 bus, and H.264 made by cameras has key frames seconds apart). Undefined: let the driver choose.
 */
export function chooseMode(
  modes: readonly CameraMode[],
  want: { width: number; height: number; frameRate: number },
): CameraMode | undefined {
  const rank = { MJPG: 0, YUYV: 1, NV12: 1 } as Record<string, number>;
  const cost = (mode: CameraMode) =>
    (mode.frameRate + 0.5 < want.frameRate ? 1e9 * (want.frameRate - mode.frameRate) : 0) +
    (mode.width < want.width ? 1e3 : 1) * Math.abs(mode.width - want.width) +
    (mode.height < want.height ? 1e3 : 1) * Math.abs(mode.height - want.height) +
    Math.max(0, mode.frameRate - want.frameRate) * 2 +
    (rank[mode.fourcc] ?? 0);
  return modes
    .filter((mode) => mode.fourcc in rank)
    .reduce<CameraMode | undefined>((best, mode) => (best && cost(best) <= cost(mode) ? best : mode), undefined);
}
