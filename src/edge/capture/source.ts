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
 * What to capture from what there is. A missing camera becomes a plain slate and a missing microphone silence, so that
 * the other one is recorded all the same.
 */
export function chooseSource(
  config: CaptureConfig["source"],
  quality: Quality,
  found: { devices: Devices; file: FileFacts },
): Source {
  switch (config.kind) {
    case "virtual":
      return { picture: { kind: "virtual" }, sound: { kind: "virtual" }, words: `virtual room: ${config.label}` };
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
