import { z } from "zod";

const name = z.string().min(1).max(200);
const side = (min: number, max: number) => z.number().int().min(min).max(max).multipleOf(2);
const AUTO = z.literal("auto");

/** What a box captures and how. Each key is a row of docs/ref/box-config.md. */
export const CaptureConfig = z.strictObject({
  source: z
    .discriminatedUnion("kind", [
      /** The best camera and microphone that are plugged in: by name or address in this order, then the likeliest. */
      z.strictObject({
        kind: z.literal("auto"),
        cameras: z.array(name).max(20).optional(),
        microphones: z.array(name).max(20).optional(),
      }),
      /** Part of a device's name or its address; what is left out is chosen as in "auto". */
      z.strictObject({ kind: z.literal("devices"), camera: name.optional(), microphone: name.optional() }),
      /** A media file, played round and round in real time; an absolute path by the time it gets here. */
      z.strictObject({ kind: z.literal("file"), path: name }),
      /** A moving picture with the wall clock in it, and spoken samples. */
      z.strictObject({
        kind: z.literal("virtual"),
        label: z.string().max(200).default("virtual room"),
        /** Which order of phrases and which hue; from the label where it is left out. */
        voice: z.number().int().min(0).optional(),
        /** Folder of 48 kHz mono WAV files. */
        phrases: name.default("/usr/share/sounds/alsa"),
      }),
    ])
    .default({ kind: "auto" }),
  record: z
    .union([
      AUTO,
      z.strictObject({
        width: side(160, 3840),
        height: side(120, 2160),
        frameRate: z.number().int().min(5).max(60),
        maxBitrateKbps: z.number().int().min(100).max(50_000),
      }),
    ])
    .default("auto"),
  /** `auto`: the graphics chip makes the record where it passes its trial. */
  encoder: z.enum(["auto", "software"]).optional(),
  live: z
    .union([
      AUTO,
      z.strictObject({
        width: side(160, 1920),
        height: side(120, 1080),
        bitrateKbps: z.number().int().min(50).max(10_000),
      }),
    ])
    .default("auto"),
});
export type CaptureConfig = z.infer<typeof CaptureConfig>;

/** What the room's screen shows and its loudspeaker plays. Never configured as a room's source: it is the second track. */
export interface ScreenSource {
  kind: "screen";
  /** X display. */
  display: string;
  /** PulseAudio source that hears what is played. */
  sound: string;
  /** Whether there is something on the screen that is to be recorded. */
  showing: () => boolean;
}

export interface Quality {
  record: Exclude<CaptureConfig["record"], "auto">;
  live: Exclude<CaptureConfig["live"], "auto">;
  /** The second live picture, for grids and poor lines. */
  small: Exclude<CaptureConfig["live"], "auto">;
}

/** A face is recognised in a tile of a grid, and together with the sound it passes a line of 256 kbit/s. */
const SMALL = { width: 320, bitrateKbps: 120 };

/** Sizes that a machine keeps up with. Measured: 720p25 record and 360p live cost a fifth of a core. */
export function qualityFor(config: Pick<CaptureConfig, "record" | "live">, cores: number): Quality {
  const liveFor =
    cores > 2 ? { width: 1280, height: 720, bitrateKbps: 800 } : { width: 640, height: 360, bitrateKbps: 400 };
  const live = config.live === "auto" ? liveFor : config.live;
  const width = Math.min(SMALL.width, live.width);
  return {
    record:
      config.record === "auto" ? { width: 1280, height: 720, frameRate: 25, maxBitrateKbps: 3_000 } : config.record,
    live,
    small: {
      width,
      height: 2 * Math.round((width * live.height) / live.width / 2),
      bitrateKbps: Math.min(SMALL.bitrateKbps, live.bitrateKbps),
    },
  };
}
