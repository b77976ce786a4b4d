import type { CaptureConfig, Quality } from "./config.ts";
import { chooseDevices, chooseMode, type Devices } from "./devices.ts";
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

/**
 * What to capture from what there is. A missing camera becomes a slate that says so and a missing microphone silence, so that
 * the other one is recorded all the same.
 */
export function chooseSource(
  config: CaptureConfig["source"],
  quality: Quality,
  /** `unplugged`: of a virtual room. */
  found: { devices: Devices; file: FileFacts; unplugged?: { camera: boolean; microphone: boolean } },
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
  const { camera, microphone } = chooseDevices(found.devices, config.kind === "devices" ? config : {});
  return {
    picture: camera
      ? { kind: "camera", path: camera.path, name: camera.name, mode: chooseMode(camera.modes, quality.record) }
      : { kind: "slate" },
    sound: microphone
      ? { kind: microphone.kind, address: microphone.address, name: microphone.name }
      : { kind: "silence" },
    words: `${camera?.name ?? "no camera"}; ${microphone?.name ?? "no microphone"}`,
  };
}

/** Two sources that FFmpeg would open in the same way. */
export const sameSource = (a: Source, b: Source): boolean =>
  JSON.stringify([a.picture, a.sound]) === JSON.stringify([b.picture, b.sound]);

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
    const { picture, sound } = source;
    const addresses = [...("name" in picture ? [picture.path] : []), ...("name" in sound ? [sound.address] : [])];
    for (const address of addresses.filter((address) => words.includes(address))) {
      const times = (this.until.get(address)?.times ?? 0) + 1;
      const forMs = Math.min(AVOID_CAP_MS, AVOID_BASE_MS * 2 ** (times - 1));
      this.until.set(address, { times, untilMs: nowMs + forMs });
    }
  }

  usable(devices: Devices, nowMs: number): Devices {
    const listed = new Set([...devices.cameras.map((c) => c.path), ...devices.microphones.map((m) => m.address)]);
    for (const address of this.until.keys()) if (!listed.has(address)) this.until.delete(address);
    const ok = (address: string) => (this.until.get(address)?.untilMs ?? 0) <= nowMs;
    return {
      cameras: devices.cameras.filter((camera) => ok(camera.path)),
      microphones: devices.microphones.filter((microphone) => ok(microphone.address)),
    };
  }
}

/** Whether a process must make part of it. */
export const needsRoom = ({ picture, sound }: Source): boolean =>
  picture.kind === "virtual" || sound.kind === "virtual";
