import type { CaptureConfig, Quality, ScreenSource } from "./config.ts";
import { chooseMode, type Camera, type Devices, type Microphone, type UsedDevices } from "../devices/devices.ts";
import type { Source } from "./plan.ts";

/** What a media file holds, as FFmpeg says of it. */
export interface FileFacts {
  picture: boolean;
  sound: boolean;
}

/** Reads `ffmpeg -i FILE`, which prints the streams to standard error and then complains that there is no output. */
export const parseFileFacts = (stderr: string): FileFacts => ({
  picture: /Stream #.*: Video:/.test(stderr),
  sound: /Stream #.*: Audio:/.test(stderr),
});

export interface FoundDevices {
  camera?: Camera | undefined;
  microphone?: Microphone | undefined;
  liveSound?: string | undefined;
}

/**
 * What to capture from what there is. A missing camera becomes a slate that says so and a missing microphone silence, so that
 * the other one is recorded all the same.
 */
export function chooseSource(
  config: CaptureConfig["source"],
  quality: Quality,
  /** `unplugged`: of a virtual room. */
  found: { devices: FoundDevices; file: FileFacts; unplugged?: { camera: boolean; microphone: boolean } },
): Source {
  switch (config.kind) {
    case "virtual": {
      const { camera, microphone } = found.unplugged ?? { camera: false, microphone: false };
      const { label } = config;
      return {
        picture: camera ? { kind: "slate" } : { kind: "virtual" },
        sound: microphone ? { kind: "silence" } : { kind: "virtual" },
        words: `virtual room: ${label}${camera ? "; no camera" : ""}${microphone ? "; no microphone" : ""}`,
      };
    }
    case "file": {
      const { picture, sound } = found.file;
      return {
        picture: picture ? { kind: "file", path: config.path } : { kind: "slate" },
        sound: sound ? { kind: "file", path: config.path } : { kind: "silence" },
        words: `file ${config.path}${picture ? "" : " (no picture)"}${sound ? "" : " (no sound)"}`,
      };
    }
    case "auto":
    case "devices":
  }
  return fromDevices(quality, found.devices);
}

/** What the screen gives: its sound is silence where no sound server answers. */
export function screenSource(config: Pick<ScreenSource, "display" | "sound">, hears: boolean): Source {
  return {
    picture: { kind: "screen", display: config.display },
    sound: hears ? { kind: "pulse", address: config.sound, name: config.sound } : { kind: "silence" },
    words: `screen ${config.display}; ${hears ? config.sound : "no sound server"}`,
  };
}

function fromDevices(quality: Quality, { camera, microphone, liveSound }: FoundDevices): Source {
  return {
    picture: camera
      ? {
          ...{ kind: "camera", id: camera.id, path: camera.address, name: camera.name },
          mode: chooseMode(camera.modes, quality.record),
        }
      : { kind: "slate" },
    sound: microphone
      ? {
          ...{ kind: microphone.kind, id: microphone.id, address: microphone.address, name: microphone.name },
          ...(microphone.card !== undefined && { card: microphone.card }),
        }
      : { kind: "silence" },
    // It hears PipeWire's microphones only.
    ...(microphone?.kind === "pulse" && { liveSound }),
    words: `${camera?.name ?? "no camera"}; ${microphone?.name ?? "no microphone"}`,
  };
}

/** The devices that a source is made of. */
export const usedDevices = ({ picture, sound }: Pick<Source, "picture" | "sound">): UsedDevices => ({
  camera: picture.kind === "camera" ? { name: picture.name, address: picture.path } : undefined,
  microphone: "name" in sound ? sound : undefined,
});

/** Two sources of the same record, however they are asked for. */
export const sameSource = (a: Source, b: Source): boolean => placesOf(a).join() === placesOf(b).join();

const placesOf = ({ picture, sound }: Source): string[] => [
  picture.kind,
  "path" in picture ? picture.path : "",
  sound.kind,
  "address" in sound ? sound.address : "",
];

/**
 * Whether a better source is worth a new take, and when. What is missing is worth one at once; a better device in the place of
 * one that works can wait until a segment ends. A device that is listed no more is no reason: its loss is seen by itself.
 * @param listed ids of all devices that are plugged in
 * @param steady whether a device has been there for long enough
 */
export function gainOf(
  now: Source,
  next: Source,
  listed: ReadonlySet<string>,
  steady: (id: string) => boolean,
): "now" | "atBorder" | undefined {
  const gain = (a: Source["picture"] | Source["sound"], b: Source["picture"] | Source["sound"]) => {
    const [from, to] = [idOf(a), idOf(b)];
    if (to === undefined || from === to || !steady(to)) return undefined;
    if (a.kind === "slate" || a.kind === "silence") return "now";
    return from !== undefined && listed.has(from) ? "atBorder" : undefined;
  };
  const gains = new Set([gain(now.picture, next.picture), gain(now.sound, next.sound)]);
  return gains.has("now") ? "now" : gains.has("atBorder") ? "atBorder" : undefined;
}

const idOf = (part: Source["picture"] | Source["sound"]): string | undefined => ("id" in part ? part.id : undefined);

/** The first refusal keeps a device out for this long, each further one for twice as long. */
const AVOID_BASE_MS = 60_000;
const AVOID_CAP_MS = 16 * 60_000;

/**
 * Devices that are listed and yet cannot be opened (busy, broken): left out for a while, so that a microphone in use
 * elsewhere does not cost the picture. Pulling one out and in again forgives it.
 */
export class Avoided {
  private readonly until = new Map<string, { times: number; untilMs: number }>();

  /** @param words what FFmpeg said before it gave up; it names the device by its address */
  note(source: Source, words: string, nowMs: number): void {
    const { picture, sound, liveSound } = source;
    const addresses = [
      ...("name" in picture ? [picture.path] : []),
      ...("name" in sound ? [sound.address] : []),
      ...(liveSound === undefined ? [] : [liveSound]),
    ];
    for (const address of addresses.filter((address) => words.includes(address))) {
      const times = (this.until.get(address)?.times ?? 0) + 1;
      const forMs = Math.min(AVOID_CAP_MS, AVOID_BASE_MS * 2 ** (times - 1));
      this.until.set(address, { times, untilMs: nowMs + forMs });
    }
  }

  usable(devices: Devices, nowMs: number): Devices {
    const { liveSound } = devices;
    const listed = new Set<string | undefined>([
      ...devices.cameras.map((c) => c.address),
      ...devices.microphones.map((m) => m.address),
      liveSound,
    ]);
    for (const address of this.until.keys()) if (!listed.has(address)) this.until.delete(address);
    const ok = (address: string) => (this.until.get(address)?.untilMs ?? 0) <= nowMs;
    return {
      cameras: devices.cameras.filter((camera) => ok(camera.address)),
      microphones: devices.microphones.filter((microphone) => ok(microphone.address)),
      ...(liveSound !== undefined && ok(liveSound) && { liveSound }),
    };
  }
}

/** Whether a process must make part of it. */
export const needsRoom = ({ picture, sound }: Source): boolean =>
  picture.kind === "virtual" || sound.kind === "virtual";
