import { SEGMENT_FILE_PATTERN, type LiveKind } from "../../protocol/protocol.ts";
import type { Quality } from "./config.ts";

/** Where picture and sound come from; chosen by source.ts, turned into FFmpeg inputs here. */
export type PictureSource =
  | {
      kind: "camera";
      path: string;
      name: string;
      mode: { fourcc: string; width: number; height: number; frameRate: number } | undefined;
    }
  | { kind: "virtual" }
  | { kind: "file"; path: string }
  | { kind: "slate" };
export type SoundSource =
  | { kind: "alsa" | "pulse"; address: string; name: string }
  | { kind: "virtual" }
  | { kind: "file"; path: string }
  | { kind: "silence" };

export interface Source {
  picture: PictureSource;
  sound: SoundSource;
  /** In words, for records and screens. */
  words: string;
}

/** Files of one run of the encoder, all in the run directory (tmpfs); they live as long as the run. */
export interface RunPaths {
  videoFifo: string;
  audioFifo: string;
  progress: string;
  picture: string;
  sound: string;
}

/** Named inside the filter graph, where a path would need escaping; the encoder runs in the run's folder. */
const PICTURE_FILE = "picture";
const SOUND_FILE = "sound";

/** What is shown where there is no camera: a picture that says so, in the run's folder. */
export const SLATE_FILE = "slate.png";

export const runPaths = (directory: string): RunPaths => ({
  videoFifo: `${directory}/video.fifo`,
  audioFifo: `${directory}/audio.fifo`,
  progress: `${directory}/progress`,
  picture: `${directory}/${PICTURE_FILE}`,
  sound: `${directory}/${SOUND_FILE}`,
});

export interface PlanInput {
  ffmpeg: string;
  source: Source;
  quality: Quality;
  paths: RunPaths;
  /** Folder of the take, where this run records; null for a preview. */
  recordTo: string | null;
  /** Null where nobody may be published to yet. */
  liveUrl: Record<LiveKind, string> | null;
  ownPicture: string;
}

export const SEGMENT_LIST = "segments.csv";
const SEGMENT_SECONDS = 10;
export const SOUND_RATE = 48_000;
/** FFmpeg's names of V4L2 pixel formats. */
const INPUT_FORMATS: Record<string, string> = { MJPG: "mjpeg", YUYV: "yuyv422", NV12: "nv12" };
/** Raw streams say nothing of themselves; looking for it costs more than a second of start (measured). */
const PROBE_NOTHING = ["-probesize", "32", "-analyzeduration", "0"];
const OWN_PICTURE_WIDTH = 480;
/** Momentary loudness (EBU Tech 3341) is that of 400 ms; listened to in frames of 20 ms. */
const LISTEN_SAMPLES = 960;
const LISTEN_FRAMES = 20;
/** Filters of ITU-R BS.1770 at 48 kHz. FFmpeg's ebur128 works in steps of 100 ms, which would hold up all outputs. */
const K_WEIGHTING =
  "biquad=b0=1.53512485958697:b1=-2.69169618940638:b2=1.19839281085285:a0=1:a1=-1.69065929318241:a2=0.73248077421585," +
  "biquad=b0=1:b1=-2:b2=1:a0=1:a1=-1.99004745483398:a2=0.99007225036621";

/**
 * The whole command line of the encoder. Only options that FFmpeg 5.1 and 7.1 both know. The record comes first: FFmpeg
 * finishes its outputs in this order. Every output has the full frame rate: FFmpeg 5.1 feeds whichever lags behind most,
 * so one that takes a frame a second lets all others arrive in bursts of a second (measured). Nothing named here needs the agent: files, FIFOs and loopback RTMP only.
 */
export function planEncoder(input: PlanInput): string[] {
  const { source, quality, paths } = input;
  const { record, live, small } = quality;
  const sameFile = source.picture.kind === "file" && source.sound.kind === "file";
  const soundInput = sameFile ? "0:a:0" : "1:a:0";
  const exact = source.picture.kind === "virtual";
  // A virtual room's frames are taken one by one; what a device sends is brought to the exact rate.
  const pace = exact ? ["-fps_mode", "passthrough"] : ["-fps_mode", "cfr", "-r", `${record.frameRate}`];
  const recording = input.recordTo !== null;
  const live1 = input.liveUrl;
  const once = `enable=eq(mod(n\\,${record.frameRate})\\,0)`;

  const pictureTaps = [...(live1 ? ["[live]", "[tile0]"] : []), "[own0]", ...(recording ? [] : ["[look0]"])];
  const graph = [
    `[0:v:0]${exact || source.picture.kind === "slate" ? "" : fit(record.width, record.height)}format=yuv420p${recording ? ",split=2[record][small0]" : "[small0]"}`,
    `[small0]scale=${live.width}:${live.height}:flags=fast_bilinear,split=${pictureTaps.length}${pictureTaps.join("")}`,
    ...(live1 ? [`[tile0]scale=${small.width}:${small.height}:flags=fast_bilinear[tile]`] : []),
    `[own0]scale=${OWN_PICTURE_WIDTH}:-2:flags=fast_bilinear:out_range=pc,format=yuvj420p[own]`,
    // Plain numbers per second, not events: a restarted agent needs no history. The frames between pass untouched.
    // What is recorded is looked at in its file; here only the microphone's sign of life is left then.
    ...(recording
      ? []
      : [
          `[look0]scale=160:90:flags=fast_bilinear,signalstats,metadata=mode=print:file=${PICTURE_FILE}:direct=1:${once}[look]`,
        ]),
    `[${soundInput}]aresample=${SOUND_RATE}${source.sound.kind === "virtual" ? "" : ":async=1"},aformat=channel_layouts=mono,asplit=${1 + (recording ? 1 : 0) + (live1 ? 1 : 0)}${recording ? "[recordSound]" : ""}${live1 ? "[liveSound]" : ""}[listen0]`,
    `[listen0]asetnsamples=n=${LISTEN_SAMPLES}:p=0,astats=metadata=1:measure_perchannel=none:measure_overall=Peak_level:reset=${LISTEN_FRAMES},` +
      `${K_WEIGHTING},astats=metadata=1:measure_perchannel=none:measure_overall=RMS_level:reset=${LISTEN_FRAMES},` +
      `ametadata=mode=print:file=${SOUND_FILE}:direct=1:enable=eq(mod(n\\,${LISTEN_FRAMES})\\,${LISTEN_FRAMES - 1})[listen]`,
  ];
  const gop = ["-g", `${record.frameRate}`, "-keyint_min", `${record.frameRate}`, "-sc_threshold", "0", "-bf", "0"];

  return [
    ...[input.ffmpeg, "-hide_banner", "-loglevel", "warning", "-nostdin", "-nostats", "-y"],
    ...["-stats_period", "0.5", "-progress", `file:${paths.progress}`],
    ...pictureInput(source.picture, quality, paths),
    ...(sameFile ? [] : soundInputs(source, paths)),
    ...["-filter_complex", graph.join(";")],
    ...(recording
      ? [
          ...["-map", "[record]", "-map", "[recordSound]", ...pace],
          ...["-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-profile:v", "high", ...gop],
          ...["-flags:v", "+cgop", "-crf", "23", "-maxrate", `${record.maxBitrateKbps}k`],
          ...["-bufsize", `${record.maxBitrateKbps * 2}k`, "-threads:v", "2"],
          ...["-c:a", "aac", "-b:a", "96k", "-muxdelay", "0", "-muxpreload", "0"],
          ...["-f", "segment", "-segment_format", "mpegts", "-segment_time", `${SEGMENT_SECONDS}`],
          // Each frame is handed to the kernel at once: kill -9 then costs a frame, not a buffer.
          ...["-segment_format_options", "pes_payload_size=0"],
          ...["-fflags", "+flush_packets"],
          ...["-segment_list", `${input.recordTo}/${SEGMENT_LIST}`, "-segment_list_type", "csv"],
          `${input.recordTo}/${SEGMENT_FILE_PATTERN}`,
        ]
      : []),
    ...(live1
      ? [
          ...["-map", "[live]", ...pace],
          ...livePicture(live, gop),
          ...publish(live1.video, 10 * record.frameRate),
          ...["-map", "[tile]", ...pace],
          ...livePicture(small, gop),
          ...publish(live1.small, 10 * record.frameRate),
          ...["-map", "[liveSound]", "-c:a", "aac", "-b:a", "64k"],
          ...publish(live1.audio, (10 * SOUND_RATE) / 1_024),
        ]
      : []),
    ...["-map", "[own]", "-c:v", "mjpeg", "-q:v", "6", "-threads:v", "1"],
    ...["-f", "image2", "-update", "1", "-atomic_writing", "1", input.ownPicture],
    ...[...(recording ? [] : ["-map", "[look]"]), "-map", "[listen]", "-f", "null", "-"],
  ];
}

/** Letterboxed into the record's size, whatever the camera or file gives. */
const fit = (width: number, height: number): string =>
  `scale=${width}:${height}:force_original_aspect_ratio=decrease:flags=bilinear,` +
  `pad=${width}:${height}:(ow-iw)/2:(oh-ih)/2,setsar=1,`;

const livePicture = ({ bitrateKbps }: Quality["live"], gop: readonly string[]): string[] => [
  ...["-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-profile:v", "main", ...gop],
  ...["-b:v", `${bitrateKbps}k`, "-maxrate", `${bitrateKbps}k`],
  ...["-bufsize", `${Math.round(bitrateKbps / 4)}k`, "-threads:v", "1"],
];

/** A publish that may be dead, frozen or absent without the encoder noticing. */
const publish = (url: string, queuePackets: number): string[] => [
  ...["-flags", "+global_header", "-f", "fifo", "-fifo_format", "flv", "-queue_size", `${Math.round(queuePackets)}`],
  ...["-drop_pkts_on_overflow", "1", "-attempt_recovery", "1", "-recover_any_error", "1", "-recovery_wait_time", "1"],
  ...["-max_recovery_attempts", "0", "-restart_with_keyframe", "1"],
  ...["-format_opts", "flvflags=no_duration_filesize:tcp_nodelay=1", url],
];

function pictureInput(picture: PictureSource, { record }: Quality, paths: RunPaths): string[] {
  const size = `${record.width}x${record.height}`;
  switch (picture.kind) {
    case "virtual":
      return [
        ...PROBE_NOTHING,
        ...["-thread_queue_size", "16", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", size],
        ...["-framerate", `${record.frameRate}`, "-i", paths.videoFifo],
      ];
    case "camera":
      return [
        ...["-thread_queue_size", "64", "-f", "v4l2", "-ts", "abs"],
        ...(picture.mode
          ? [
              ...["-input_format", INPUT_FORMATS[picture.mode.fourcc] ?? "mjpeg"],
              ...["-video_size", `${picture.mode.width}x${picture.mode.height}`],
              ...["-framerate", `${picture.mode.frameRate}`],
            ]
          : []),
        ...["-i", picture.path],
      ];
    case "file":
      return ["-re", "-stream_loop", "-1", "-i", picture.path];
    case "slate":
  }
  // Read and scaled once, then repeated.
  const still = `movie=${SLATE_FILE},scale=${record.width}:${record.height},format=yuv420p,loop=loop=-1:size=1:start=0`;
  return ["-re", "-f", "lavfi", "-i", `${still},setpts=N/(${record.frameRate}*TB)`];
}

function soundInputs({ picture, sound }: Source, paths: RunPaths): string[] {
  switch (sound.kind) {
    case "virtual":
      return [
        ...PROBE_NOTHING,
        ...["-thread_queue_size", "256", "-f", "s16le", "-ar", `${SOUND_RATE}`, "-ac", "1", "-i", paths.audioFifo],
      ];
    case "alsa":
    case "pulse":
      return [
        // Both stamp their packets with the wall clock; without isync FFmpeg would start both at zero, and the sound
        // would be early by however long the second device took to open.
        ...(picture.kind === "camera" ? ["-isync", "0"] : []),
        ...["-thread_queue_size", "1024", "-f", sound.kind, "-sample_rate", `${SOUND_RATE}`, "-i", sound.address],
      ];
    case "file":
      return ["-re", "-stream_loop", "-1", "-i", sound.path];
    case "silence":
  }
  return ["-re", "-f", "lavfi", "-i", `anullsrc=sample_rate=${SOUND_RATE}:channel_layout=mono`];
}
