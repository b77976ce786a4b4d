/** What `v4l2-ctl` prints of a camera, and what to ask of it. */

export interface CameraMode {
  /** As `v4l2-ctl` names it: MJPG, YUYV, H264 … */
  fourcc: string;
  width: number;
  height: number;
  frameRate: number;
}

/** V4L2_CAP_VIDEO_CAPTURE of videodev2.h. */
const VIDEO_CAPTURE = 0x1;
/** Offered by cameras that scale in steps, as those of single-board computers do. */
const USUAL_SIZES = [
  [1920, 1080],
  [1280, 720],
  [640, 480],
] as const;

/** Whether the node gives pictures: the second node of a USB camera gives data about them. Output of `v4l2-ctl -D`. */
export function givesPictures(info: string): boolean {
  const caps = /Device Caps\s*: (0x[\da-f]+)/i.exec(info) ?? /Capabilities\s*: (0x[\da-f]+)/i.exec(info);
  return caps !== null && (Number(caps[1]) & VIDEO_CAPTURE) !== 0;
}

/** Output of `v4l2-ctl --list-formats-ext`: one mode per size and frame rate. */
export function parseCameraModes(text: string): CameraMode[] {
  const modes: CameraMode[] = [];
  let fourcc = "";
  let sizes: (readonly [number, number])[] = [];
  for (const line of text.split("\n")) {
    const format = /^\s*\[\d+\]: '([^']+)'/.exec(line);
    if (format) [fourcc, sizes] = [format[1]!, []];
    const sized = /Size: Discrete (\d+)x(\d+)/.exec(line);
    if (sized) sizes = [[Number(sized[1]), Number(sized[2])]];
    const range = /Size: (?:Stepwise|Continuous) (\d+)x(\d+) - (\d+)x(\d+)/.exec(line)?.slice(1).map(Number);
    if (range) {
      const [minWidth, minHeight, maxWidth, maxHeight] = range as [number, number, number, number];
      sizes = USUAL_SIZES.filter(([w, h]) => w >= minWidth && w <= maxWidth && h >= minHeight && h <= maxHeight);
    }
    // Of a range the best.
    const rate = /\((?:[\d.]+-)?([\d.]+) fps\)/.exec(line);
    if (rate) for (const [width, height] of sizes) modes.push({ fourcc, width, height, frameRate: Number(rate[1]) });
  }
  return modes;
}

/**
 * How dear a format is at equal size and rate: uncompressed 720p fills a USB 2 bus, so MJPEG comes first; H.264 made by
 * cameras has key frames seconds apart and costs what MJPEG does to decode; only 4K MJPEG costs more.
 */
const FORMAT_COST: Record<string, number> = { MJPG: 0, YUYV: 1, NV12: 1, H264: 2_000 };

/**
 * The mode to ask a camera for: fast enough, big enough, then the nearest size, then the best format. Undefined: let the
 * driver choose.
 */
export function chooseMode(
  modes: readonly CameraMode[],
  want: { width: number; height: number; frameRate: number },
): CameraMode | undefined {
  const cost = (mode: CameraMode) =>
    (mode.frameRate + 0.5 < want.frameRate ? 1e9 * (want.frameRate - mode.frameRate) : 0) +
    (mode.width < want.width ? 1e3 : 1) * Math.abs(mode.width - want.width) +
    (mode.height < want.height ? 1e3 : 1) * Math.abs(mode.height - want.height) +
    Math.max(0, mode.frameRate - want.frameRate) * 2 +
    FORMAT_COST[mode.fourcc]!;
  return modes
    .filter((mode) => mode.fourcc in FORMAT_COST)
    .reduce<CameraMode | undefined>((best, mode) => (best && cost(best) <= cost(mode) ? best : mode), undefined);
}

/**
 * What every room wants of its camera, by the names that kernels of before and after 5.18 give it: no beating of lamps on
 * the 50 Hz mains (V4L2_CID_POWER_LINE_FREQUENCY_50HZ), and no slower frames in the dark.
 */
const WANTED_CONTROLS: Record<string, number> = {
  power_line_frequency: 1,
  exposure_dynamic_framerate: 0,
  exposure_auto_priority: 0,
};

/**
 * Controls to set, as `v4l2-ctl --set-ctrl` takes them; empty where all is as it should be.
 * @param controls output of `v4l2-ctl --list-ctrls`
 */
export const planControls = (controls: string): string =>
  [...controls.matchAll(/^\s*(\w+) 0x[\da-f]+ \(\w+\)\s*:(.*)$/gm)]
    .flatMap(([, name, facts]) => {
      const wanted = WANTED_CONTROLS[name!];
      const [value, max] = ["value", "max"].map((key) => new RegExp(`\\b${key}=(-?\\d+)`).exec(facts!)?.[1]);
      if (wanted === undefined || value === undefined || Number(value) === wanted) return [];
      const settable = !/flags=.*\b(inactive|read-only|disabled)\b/.test(facts!);
      return settable && (max === undefined || Number(max) >= wanted) ? [`${name}=${wanted}`] : [];
    })
    .join(",");
