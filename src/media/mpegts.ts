/**
 * Counts what is inside an MPEG transport stream (ISO/IEC 13818-1) while its bytes pass by in chunks of any size.
 * Made for FFmpeg's muxer: one program, one access unit per PES packet of video.
 */
const PACKET_BYTES = 188;
const SYNC = 0x47;
const PTS_WRAP = 2 ** 33;
const TICKS_PER_MS = 90;
/** Stream types of video (13818-1 table 2-34): MPEG-1, MPEG-2, MPEG-4, H.264, H.265. */
const VIDEO_TYPES = new Set([0x01, 0x02, 0x10, 0x1b, 0x24]);
/** Stream types of sound: MPEG-1, MPEG-2, ADTS AAC, LATM AAC. */
const AUDIO_TYPES = new Set([0x03, 0x04, 0x0f, 0x11]);

export interface MpegTsCount {
  /** PES packets that start on the video PID. */
  videoFrames: number;
  /** Those marked as random access points. */
  keyFrames: number;
  audioPackets: number;
  /** Presentation times of the first and the last video frame, milliseconds, unwrapped; undefined without video. */
  firstVideoMs: number | undefined;
  lastVideoMs: number | undefined;
  /** Longer than HOLE_MS without a picture: times of the frames before and after, on the same scale as the first. */
  videoHoles: { lastMs: number; nextMs: number }[];
  /** Presentation times of sound likewise. */
  firstAudioMs: number | undefined;
  lastAudioMs: number | undefined;
  /** Bytes that belong to no packet: 0 in a sound file, and below 188 in one that was cut off. */
  strayBytes: number;
}

/** A camera that gives few frames in the dark leaves none of these. */
export const HOLE_MS = 500;

export interface MpegTsCounter {
  push(chunk: Uint8Array): void;
  /** What has passed so far; a packet that is not complete yet counts as stray. */
  count(): MpegTsCount;
}

/** One video frame that has passed whole. */
export interface PassedFrame {
  key: boolean;
  /** In whole packets, with their headers. */
  bytes: number;
}

/** @param onFrame told of each video frame when the next one begins */
export function createMpegTsCounter(onFrame?: (frame: PassedFrame) => void): MpegTsCounter {
  let pmtPid: number | undefined;
  let videoPid: number | undefined;
  let audioPid: number | undefined;
  let stray = 0;
  let rest = new Uint8Array(0);
  const videoTime = createTimeSpan();
  const audioTime = createTimeSpan();
  const frame = { key: false, bytes: 0 };
  const counted = { videoFrames: 0, keyFrames: 0, audioPackets: 0 };

  const section = (packet: Uint8Array, start: number): Uint8Array | undefined => {
    const at = start + 1 + (packet[start] ?? PACKET_BYTES);
    if (at + 3 > PACKET_BYTES) return undefined;
    const end = at + 3 + (((packet[at + 1]! & 0x0f) << 8) | packet[at + 2]!) - 4;
    return packet.subarray(at, Math.min(end, PACKET_BYTES));
  };

  const readPat = (table: Uint8Array) => {
    for (let i = 8; i + 4 <= table.length; i += 4) {
      const program = (table[i]! << 8) | table[i + 1]!;
      if (program !== 0) pmtPid = ((table[i + 2]! & 0x1f) << 8) | table[i + 3]!;
    }
  };

  const readPmt = (table: Uint8Array) => {
    if (table.length < 12) return;
    for (let i = 12 + (((table[10]! & 0x0f) << 8) | table[11]!); i + 5 <= table.length;) {
      const type = table[i]!;
      const pid = ((table[i + 1]! & 0x1f) << 8) | table[i + 2]!;
      if (VIDEO_TYPES.has(type)) videoPid ??= pid;
      if (AUDIO_TYPES.has(type)) audioPid ??= pid;
      i += 5 + (((table[i + 3]! & 0x0f) << 8) | table[i + 4]!);
    }
  };

  const packetAt = (bytes: Uint8Array, offset: number) => {
    const packet = bytes.subarray(offset, offset + PACKET_BYTES);
    const pid = ((packet[1]! & 0x1f) << 8) | packet[2]!;
    const starts = (packet[1]! & 0x40) !== 0; // payload_unit_start_indicator
    if (pid === videoPid) {
      if (starts && frame.bytes > 0) onFrame?.({ ...frame });
      if (starts) Object.assign(frame, { key: false, bytes: 0 });
      frame.bytes += PACKET_BYTES;
    }
    if (!starts) return;
    const control = packet[3]! & 0x30;
    if (!(control & 0x10)) return;
    const adaptation = control & 0x20 ? 1 + packet[4]! : 0;
    const start = 4 + adaptation;
    if (start >= PACKET_BYTES) return;
    if (pid === videoPid) {
      counted.videoFrames++;
      frame.key = adaptation > 1 && (packet[5]! & 0x40) !== 0; // random_access_indicator
      if (frame.key) counted.keyFrames++;
      videoTime.note(ptsTicks(packet, start));
    } else if (pid === audioPid) {
      counted.audioPackets++;
      audioTime.note(ptsTicks(packet, start));
    } else if (pid === 0 || pid === pmtPid) {
      const table = section(packet, start);
      if (table) (pid === 0 ? readPat : readPmt)(table);
    }
  };

  return {
    push(chunk) {
      let bytes = chunk;
      if (rest.length > 0) {
        bytes = new Uint8Array(rest.length + chunk.length);
        bytes.set(rest);
        bytes.set(chunk, rest.length);
      }
      let at = 0;
      while (at + PACKET_BYTES <= bytes.length) {
        if (bytes[at] === SYNC) {
          packetAt(bytes, at);
          at += PACKET_BYTES;
        } else {
          at++;
          stray++;
        }
      }
      rest = bytes.slice(at);
    },
    count: () => ({
      ...counted,
      firstVideoMs: videoTime.firstMs(),
      lastVideoMs: videoTime.lastMs(),
      videoHoles: [...videoTime.holes],
      firstAudioMs: audioTime.firstMs(),
      lastAudioMs: audioTime.lastMs(),
      strayBytes: stray + rest.length,
    }),
  };
}

/** Presentation time of the PES packet that starts there (13818-1, 2.4.3.7), where it has one. */
function ptsTicks(packet: Uint8Array, start: number): number | undefined {
  if (start + 14 > PACKET_BYTES || !(packet[start + 7]! & 0x80)) return undefined;
  const p = packet.subarray(start + 9);
  // 33 bits: more than a bitwise operator holds.
  return ((p[0]! >> 1) & 7) * 2 ** 30 + (p[1]! << 22) + ((p[2]! >> 1) << 15) + (p[3]! << 7) + ((p[4]! >> 1) & 0x7f);
}

function createTimeSpan() {
  let first: number | undefined;
  let last: number | undefined;
  const holes: { lastMs: number; nextMs: number }[] = [];
  const inMs = (ticks: number | undefined) => (ticks === undefined ? undefined : ticks / TICKS_PER_MS);
  return {
    holes,
    note(ticks: number | undefined) {
      if (ticks === undefined) return;
      first ??= ticks;
      const reference = last ?? ticks;
      last = Math.max(reference, ticks + Math.round((reference - ticks) / PTS_WRAP) * PTS_WRAP);
      if (last - reference > HOLE_MS * TICKS_PER_MS)
        holes.push({ lastMs: reference / TICKS_PER_MS, nextMs: last / TICKS_PER_MS });
    },
    firstMs: () => inMs(first),
    lastMs: () => inMs(last),
  };
}
