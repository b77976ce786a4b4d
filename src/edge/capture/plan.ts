import { SEGMENT_FILE_PATTERN, type LiveKind } from "../../protocol/protocol.ts";
import type { Quality } from "./config.ts";
import { vaapiOptions } from "./hardware.ts";

/** Where picture and sound come from; chosen by source.ts, turned into FFmpeg inputs here. */
export type PictureSource =
  | {
      kind: "camera";
      /** Names the camera wherever it is plugged in; absent from runs of agents before. */
      id?: string | undefined;
      path: string;
      name: string;
      mode: { fourcc: string; width: number; height: number; frameRate: number } | undefined;
      /** Its own stamps are of no use: what arrives is stamped by the wall clock, some milliseconds late. */
      stamps?: "arrival";
    }
  | { kind: "virtual" }
  | { kind: "file"; path: string }
  /** What an X display shows. */
  | { kind: "screen"; display: string }
  | { kind: "slate" };
export type SoundSource =
  | {
      kind: "alsa" | "pulse";
      id?: string | undefined;
      address: string;
      name: string;
      /** Of ALSA; without that card there is no microphone. */
      card?: string | undefined;
    }
  | { kind: "virtual" }
  | { kind: "file"; path: string }
  | { kind: "silence" };

export interface Source {
  picture: PictureSource;
  sound: SoundSource;
  /** PulseAudio source of the live sound, after the echo canceller; the record has `sound`. Undefined: live has it too. */
  liveSound?: string | undefined;
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
  /** Null where nobody looks at it. */
  ownPicture: string | null;
  /** Where picture and sound go for another program of this box; null while none wants them. */
  share: ShareUrls | null;
  /** Render node that encodes the record; null: the processor does. */
  renderNode?: string | null;
}

/** The picture comes as mpjpeg (JPEG in MIME parts, RFC 2046), the sound as 16-bit PCM, mono, SOUND_RATE. */
export interface ShareUrls {
  picture: string;
  sound: string;
}

export const SEGMENT_LIST = "segments.csv";
const SEGMENT_SECONDS = 10;
export const SOUND_RATE = 48_000;
/**
 * AAC delays by two frames of 1024 samples whatever their rate: 21 ms at 96 kHz, 43 ms at 48 kHz, and the next frame is
 * waited for half as long. Speech sounds as at 48 kHz and 64 kbit/s; there are twice as many packets, so it has
 * less of each (docs/design/player.md).
 */
const LIVE_SOUND_RATE = 96_000;
/** 10 ms of two channels of 16 bits. */
const PULSE_FRAGMENT_BYTES = (SOUND_RATE / 100) * 4;
/** FFmpeg's names of V4L2 pixel formats. */
const INPUT_FORMATS: Record<string, string> = { MJPG: "mjpeg", YUYV: "yuyv422", NV12: "nv12", H264: "h264" };
/** Raw streams say nothing of themselves; looking for it costs more than a second of start (measured). */
const PROBE_NOTHING = ["-probesize", "32", "-analyzeduration", "0"];
/** A virtual microphone hands its sound over in periods, as a sound card does. */
export const VIRTUAL_PERIOD_MS = 10;
/** Of 32-bit samples in one channel. */
const VIRTUAL_PERIOD_BYTES = (SOUND_RATE / 1_000) * VIRTUAL_PERIOD_MS * 4;
const OWN_PICTURE_WIDTH = 480;
/** Heard in frames of 20 ms and told every 200 ms; two of those make the 400 ms of momentary loudness (EBU Tech 3341). */
const LISTEN_SAMPLES = 960;
const LISTEN_FRAMES = 10;
/** Filters of ITU-R BS.1770 at 48 kHz. FFmpeg's ebur128 works in steps of 100 ms, which would hold up all outputs. */
const K_WEIGHTING =
  "biquad=b0=1.53512485958697:b1=-2.69169618940638:b2=1.19839281085285:a0=1:a1=-1.69065929318241:a2=0.73248077421585," +
  "biquad=b0=1:b1=-2:b2=1:a0=1:a1=-1.99004745483398:a2=0.99007225036621";

/**
 * Automatic gain for listeners; the record keeps the level of the room. Speech of -40 LUFS comes out at -27 and of -14 at
 * -18; noise below speech is not raised as far. Turned down within 0.1 s and up over 6 s, so that a pause does not breathe;
 * the limiter's 5 ms are its whole delay.
 */
const LEVEL =
  "compand=attacks=0.1:decays=6:soft-knee=4:volume=-40:points=-90/-96|-52/-56|-43/-22|-20/-14|0/-8," +
  "alimiter=limit=0.8:level=false:attack=5:release=50";

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
  const renderNode = recording ? (input.renderNode ?? null) : null;
  const record0 = renderNode === null ? "[record]" : "[record0]";
  const live1 = input.liveUrl;
  /** Live sound that has an input of its own. */
  const cancelled = live1 ? source.liveSound : undefined;
  // Another program of the box hears what the other rooms hear.
  const share = live1 ? input.share : null;
  const talk = share ? "[talk]" : "[liveSound]";
  // What is made by a virtual room or played from a file goes out as it is.
  const [liveTap, level] = "name" in source.sound ? ["[room]", [`[room]${LEVEL}${talk}`]] : [talk, []];
  const soundTaps = [...(recording ? ["[recordSound]"] : []), ...(live1 && !cancelled ? [liveTap] : []), "[listen0]"];
  const once = `enable=eq(mod(n\\,${record.frameRate})\\,0)`;

  const pictureTaps = [
    ...(live1 ? ["[live]", "[tile0]"] : []),
    ...(share ? ["[share0]"] : []),
    ...(input.ownPicture === null ? [] : ["[own0]"]),
    ...(recording ? [] : ["[look0]"]),
  ];
  const small0 = pictureTaps.length > 0;
  const graph = [
    `[0:v:0]${exact || source.picture.kind === "slate" ? "" : fit(record.width, record.height)}format=yuv420p${recording ? (small0 ? `,split=2${record0}[small0]` : record0) : "[small0]"}`,
    ...(renderNode === null ? [] : ["[record0]format=nv12,hwupload[record]"]),
    ...(small0
      ? [
          `[small0]scale=${live.width}:${live.height}:flags=fast_bilinear,split=${pictureTaps.length}${pictureTaps.join("")}`,
        ]
      : []),
    ...(live1 ? [`[tile0]scale=${small.width}:${small.height}:flags=fast_bilinear[tile]`] : []),
    ...(share ? ["[share0]scale=out_range=pc,format=yuvj420p[share]"] : []),
    ...(input.ownPicture === null
      ? []
      : [`[own0]scale=${OWN_PICTURE_WIDTH}:-2:flags=fast_bilinear:out_range=pc,format=yuvj420p[own]`]),
    // Plain numbers per second, not events: a restarted agent needs no history. The frames between pass untouched.
    // What is recorded is looked at in its file; here only the microphone's sign of life is left then.
    ...(recording
      ? []
      : [
          `[look0]scale=160:90:flags=fast_bilinear,signalstats,metadata=mode=print:file=${PICTURE_FILE}:direct=1:${once}[look]`,
        ]),
    `[${soundInput}]aresample=${SOUND_RATE}${source.sound.kind === "virtual" ? "" : ":async=1"},aformat=channel_layouts=mono,asplit=${soundTaps.length}${soundTaps.join("")}`,
    ...(cancelled ? [`[2:a:0]aresample=${SOUND_RATE}:async=1,aformat=channel_layouts=mono[room]`] : []),
    ...(live1 ? level : []),
    ...(share ? ["[talk]asplit=2[liveSound][shareSound]"] : []),
    `[listen0]asetnsamples=n=${LISTEN_SAMPLES}:p=0,astats=metadata=1:measure_perchannel=none:measure_overall=Peak_level:reset=${LISTEN_FRAMES},` +
      `${K_WEIGHTING},astats=metadata=1:measure_perchannel=none:measure_overall=RMS_level:reset=${LISTEN_FRAMES},` +
      `ametadata=mode=print:file=${SOUND_FILE}:direct=1:enable=eq(mod(n\\,${LISTEN_FRAMES})\\,${LISTEN_FRAMES - 1})[listen]`,
  ];
  const gop = ["-g", `${record.frameRate}`, "-keyint_min", `${record.frameRate}`, "-sc_threshold", "0", "-bf", "0"];

  return [
    ...[input.ffmpeg, "-hide_banner", "-loglevel", "warning", "-nostdin", "-nostats", "-y"],
    ...(renderNode === null ? [] : ["-init_hw_device", `vaapi=va:${renderNode}`, "-filter_hw_device", "va"]),
    ...["-stats_period", "0.5", "-progress", `file:${paths.progress}`],
    ...pictureInput(source.picture, quality, paths),
    ...(sameFile ? [] : soundInputs(source, paths)),
    ...(cancelled ? deviceInput(source.picture, "pulse", cancelled) : []),
    ...["-filter_complex", graph.join(";")],
    ...(recording
      ? [
          ...["-map", "[record]", "-map", "[recordSound]", ...pace],
          ...(renderNode === null
            ? softwareRecord(record, gop)
            : vaapiOptions(record.frameRate, record.maxBitrateKbps)),
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
          ...["-map", "[liveSound]", "-c:a", "aac", "-ar", `${LIVE_SOUND_RATE}`, "-b:a", "56k", "-cutoff", "10000"],
          ...publish(live1.audio, (10 * LIVE_SOUND_RATE) / 1_024),
        ]
      : []),
    ...(share
      ? [
          ...["-map", "[share]", ...pace, "-c:v", "mjpeg", "-q:v", "5", "-threads:v", "1"],
          ...hand("mpjpeg", share.picture),
          ...["-map", "[shareSound]", "-c:a", "pcm_s16le", ...hand("s16le", share.sound)],
        ]
      : []),
    ...(input.ownPicture === null
      ? []
      : [
          ...["-map", "[own]", "-c:v", "mjpeg", "-q:v", "6", "-threads:v", "1"],
          ...["-f", "image2", "-update", "1", "-atomic_writing", "1", input.ownPicture],
        ]),
    ...[...(recording ? [] : ["-map", "[look]"]), "-map", "[listen]", "-f", "null", "-"],
  ];
}

/** Letterboxed into the record's size, whatever the camera or file gives. */
const fit = (width: number, height: number): string =>
  `scale=${width}:${height}:force_original_aspect_ratio=decrease:flags=bilinear,` +
  `pad=${width}:${height}:(ow-iw)/2:(oh-ih)/2,setsar=1,`;

const softwareRecord = ({ maxBitrateKbps }: Quality["record"], gop: readonly string[]): string[] => [
  ...["-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-profile:v", "high", ...gop],
  ...["-flags:v", "+cgop", "-crf", "23", "-maxrate", `${maxBitrateKbps}k`],
  ...["-bufsize", `${maxBitrateKbps * 2}k`, "-threads:v", "2"],
];

const livePicture = ({ bitrateKbps }: Quality["live"], gop: readonly string[]): string[] => [
  ...["-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-profile:v", "main", ...gop],
  ...["-b:v", `${bitrateKbps}k`, "-maxrate", `${bitrateKbps}k`],
  ...["-bufsize", `${Math.round(bitrateKbps / 4)}k`, "-threads:v", "1"],
];

/** An output that another program of this box may take, or not, or stop taking. */
const hand = (format: string, url: string): string[] => [
  ...["-f", "fifo", "-fifo_format", format, "-queue_size", "8", "-drop_pkts_on_overflow", "1"],
  ...["-attempt_recovery", "1", "-recover_any_error", "1", "-recovery_wait_time", "1", "-max_recovery_attempts", "0"],
  ...["-format_opts", "flush_packets=1", url],
];

/** A publish that may be dead, frozen or absent without the encoder noticing. */
const publish = (url: string, queuePackets: number): string[] => [
  ...["-flags", "+global_header", "-f", "fifo", "-fifo_format", "flv", "-queue_size", `${Math.round(queuePackets)}`],
  ...["-drop_pkts_on_overflow", "1", "-attempt_recovery", "1", "-recover_any_error", "1", "-recovery_wait_time", "1"],
  ...["-max_recovery_attempts", "0", "-restart_with_keyframe", "1"],
  // AAC begins with a frame before zero. FLV cannot say so, and FFmpeg would move this one output's whole time line.
  ...["-output_ts_offset", "1"],
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
        ...["-thread_queue_size", "64", "-f", "v4l2"],
        // The kernel stamps by the monotonic clock, and sound by the wall clock: both must be of one kind.
        ...(picture.stamps === "arrival" ? ["-use_wallclock_as_timestamps", "1"] : ["-ts", "abs"]),
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
    case "screen":
      return [
        ...["-thread_queue_size", "64", "-f", "x11grab", "-draw_mouse", "0"],
        ...["-framerate", `${record.frameRate}`, "-i", picture.display],
      ];
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
        // FFmpeg 7 takes bare samples 85 ms at a time; of a WAV one may ask for less.
        ...["-thread_queue_size", "256", "-f", "wav", "-ignore_length", "1", "-max_size", `${VIRTUAL_PERIOD_BYTES}`],
        ...["-i", paths.audioFifo],
      ];
    case "alsa":
    case "pulse":
      return deviceInput(picture, sound.kind, sound.address);
    case "file":
      return ["-re", "-stream_loop", "-1", "-i", sound.path];
    case "silence":
  }
  return ["-re", "-f", "lavfi", "-i", `anullsrc=sample_rate=${SOUND_RATE}:channel_layout=mono`];
}

const deviceInput = (picture: PictureSource, kind: "alsa" | "pulse", address: string): string[] => [
  // Both stamp their packets with the wall clock; without isync FFmpeg would start both at zero, and the sound
  // would be early by however long the second device took to open.
  ...(picture.kind === "camera" || picture.kind === "screen" ? ["-isync", "0"] : []),
  ...["-thread_queue_size", "1024", "-f", kind, "-sample_rate", `${SOUND_RATE}`],
  // FFmpeg asks PulseAudio for 50 ms at a time; each of them is a moment of the talk. ALSA gives its shortest period.
  ...(kind === "pulse" ? ["-fragment_size", `${PULSE_FRAGMENT_BYTES}`] : []),
  ...["-i", address],
];
